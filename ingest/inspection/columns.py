"""A column of the row table in short: its labels with their numbers of rows, and what those labels are.

Columns are read one at a time, and labels are looked up only as far as they are few.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property

import polars as pl

from ingest.harmonise.contexts import map_contexts
from ingest.harmonise.doses import dose_um, nominal_dose, time_h
from ingest.harmonise.genes import map_targets
from ingest.harmonise.perturbation_kinds import CONTROL_KIND, kind_of
from ingest.harmonise.units import MOLAR
from ingest.harmonise.words import UNASSIGNED
from ingest.inspection.guides import Guides, read_guides
from ingest.inspection.known import CONTROLS, GUIDE, GUIDE_CONTROL, NUMBERED_CONTROL
from ingest.readers.columns import without_missing

MOST_LABELS = 3000
"""How many labels of a column, the most frequent, are looked up."""
MOST_LETTERS = 1000
"""How much of a label is looked at."""


@dataclass(frozen=True)
class ColumnSummary:
    """A column's labels, most frequent first.

    ``labels`` has the columns label (trimmed text) and n (rows); missing values are not among them. ``of_mouse`` says
    whether what names a mouse gene names a gene.
    """

    name: str
    dtype: pl.DataType
    n_rows: int
    n_missing: int
    labels: pl.DataFrame
    of_mouse: bool = False

    @property
    def n_labels(self) -> int:
        """How many different labels there are."""
        return self.labels.height

    @property
    def is_text(self) -> bool:
        """Whether the column holds text."""
        return self.dtype == pl.String

    @property
    def is_number(self) -> bool:
        """Whether the column holds numbers."""
        return self.dtype.is_numeric()

    @property
    def is_key(self) -> bool:
        """Whether nearly every row has a label of its own."""
        return self.n_labels > 0.9 * max(self.n_rows - self.n_missing, 1) and self.n_labels > 1

    @cached_property
    def controls(self) -> dict[str, int]:
        """Known labels of controls, with their numbers of rows; numbered ones where there is no other."""
        label = pl.col("label")
        is_guide = label.str.contains(GUIDE_CONTROL)
        known = self.labels.filter(label.is_in(CONTROLS) | label.str.starts_with(CONTROL_KIND) | is_guide)
        if known.is_empty():
            known = self.labels.filter(label.str.contains(rf"^(?:{NUMBERED_CONTROL.pattern})$"))
        return dict(known.iter_rows())

    @cached_property
    def unassigned(self) -> dict[str, int]:
        """Labels that mean none, with their numbers of rows."""
        return dict(self.labels.filter(pl.col("label").is_in(UNASSIGNED)).iter_rows())

    @cached_property
    def others(self) -> pl.DataFrame:
        """Labels that are neither, the most frequent."""
        aside = [*self.controls, *self.unassigned]
        return self.labels.filter(~pl.col("label").is_in(aside)).head(MOST_LABELS)

    @cached_property
    def genes(self) -> dict[str, str]:
        """Labels that name one gene, or a guide of it, and its identifier."""
        labels = self.others["label"]
        targets = labels.str.replace(GUIDE, "").to_list()
        found = map_targets(targets, translate_mouse=self.of_mouse).table["gene_id"]
        return dict(pl.DataFrame([labels, found]).drop_nulls().iter_rows())

    @property
    def are_guides(self) -> bool:
        """Whether most labels begin as guides do."""
        return self.is_text and 2 * self.labels["label"].str.contains(GUIDE).sum() > self.n_labels

    @cached_property
    def guides(self) -> Guides | None:
        """How guides are written, where most labels end as guides do and most are no genes as they stand."""
        aside = self.labels["label"].is_in(list(self.unassigned)) | self.labels["label"].is_in(CONTROLS)
        labels = self.labels.filter(~aside)["label"].head(MOST_LABELS).to_list()
        return read_guides(labels, self.known_genes) if self.is_text and labels else None

    @property
    def gene_share(self) -> float:
        """Part of the labels that name one gene."""
        return len(self.genes) / max(self.others.height, 1) if self.is_text else 0.0

    @cached_property
    def line_share(self) -> float:
        """Part of the rows whose label names a cell line."""
        found = map_contexts(self.others["label"].to_list())["status"].is_in(["approved", "alias"])
        return self._part(found) if self.is_text else 0.0

    @cached_property
    def molar_share(self) -> float:
        """Part of the rows whose label is a dose with a molar unit of its own."""
        return self._share(lambda label: dose_um(label).value is not None)

    @cached_property
    def time_share(self) -> float:
        """Part of the rows whose label is a time with a unit of its own."""
        return self._share(lambda label: time_h(label).value is not None)

    @cached_property
    def number_share(self) -> float:
        """Part of the rows whose label is a number that is not below 0."""
        return self._share(lambda label: dose_um(label, "uM").value is not None)

    @property
    def are_measured(self) -> bool:
        """Whether its numbers are doses as measured: several of them are near one that was meant."""
        numbers = self.others["label"].cast(pl.Float64, strict=False).drop_nulls()
        return nominal_dose(numbers)["nominal"].n_unique() < numbers.n_unique()

    @cached_property
    def are_kinds(self) -> bool:
        """Whether all labels are published kinds of perturbations."""
        labels = self.labels["label"].to_list()
        return bool(labels) and all(kind_of(label) is not None for label in labels)

    @property
    def unit(self) -> str | None:
        """The one label that is a unit."""
        labels = [label for label in self.labels["label"] if label not in UNASSIGNED]
        is_unit = len(labels) == 1 and (labels[0] in MOLAR or time_h("1", labels[0]).value is not None)
        return str(labels[0]) if is_unit else None

    def known_genes(self, names: Iterable[str]) -> set[str]:
        """Pick the names that are one gene."""
        table = map_targets(sorted(names), translate_mouse=self.of_mouse).table
        return set(table.filter(pl.col("gene_id").is_not_null())["original"])

    def _share(self, test: Callable[[str], bool]) -> float:
        if self.others.height == MOST_LABELS:
            return 0.0
        return self._part(pl.Series([test(label) for label in self.others["label"]], dtype=pl.Boolean))

    def _part(self, are_such: pl.Series) -> float:
        """Part of the rows whose label is such."""
        n = self.others["n"].to_numpy()
        return float(n[are_such.to_numpy()].sum() / max(n.sum(), 1))


def summarise(values: pl.Series, *, of_mouse: bool = False) -> ColumnSummary:
    """Summarise a column of the row table, in which -666 is none; ``of_mouse`` as of :class:`ColumnSummary`."""
    values = without_missing(values) if values.dtype.is_numeric() else values
    text = values.cast(pl.String).str.strip_chars().str.slice(0, MOST_LETTERS).alias("label")
    labels = text.drop_nulls().value_counts(name="n").sort("n", "label", descending=[True, False])
    return ColumnSummary(values.name, values.dtype, values.len(), values.null_count(), labels, of_mouse)
