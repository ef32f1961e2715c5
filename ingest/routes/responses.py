"""Responses of cell lines to compounds: some numbers, such as ln(IC50) and AUC, for each line of a table."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import polars as pl

from featurestore.contract import RELEASE
from featurestore.errors import SourceFormatError
from ingest.conditions.given import gather_rows
from ingest.conditions.label import Labels, label_rows
from ingest.progress import step
from ingest.release.tables import write_part
from ingest.routes.opened import Opened, OpenJournal
from ingest.routes.written import Written


@dataclass(frozen=True, slots=True)
class Responses:
    """The lines of all files, their conditions, and the numbers of each line."""

    opened: Opened
    labels: Labels
    values: pl.DataFrame

    @classmethod
    def read(cls, opened: Opened) -> Self:
        """Harmonise compounds and cell lines.

        Raises
        ------
        FeatureStoreError
            Spec or files are at fault.
        """
        spec = opened.spec
        rows = [opened.row_tables.read(table) for table in opened.listings]
        where = ", ".join(table.path.name for table in opened.listings)
        labels = label_rows(gather_rows(rows, spec), spec, opened.lookups, where=where)
        given = spec.phenotypes
        columns, repeats = (dict(zip(given.columns, given.named, strict=True)), given.repeats) if given else ({}, None)
        numbers = pl.concat([table.select(_number(*each) for each in columns.items()) for table in rows])
        values = numbers.with_columns(condition_index=pl.Series(labels.rows.condition))
        return cls(opened, labels, _one_each(values, repeats, labels, where))

    def write(self, folder: Path, journal: OpenJournal) -> Written:  # noqa: ARG002, they are written as they are read
        """Write the phenotypes."""
        condition = self.labels.condition.with_columns(
            pl.lit(None, RELEASE["condition"].schema[name]).alias(name) for name in ("n_cells", "n_batches")
        )
        with step(f"responses of {condition.height:,} conditions", 1) as advance:
            write_part(folder, "phenotype", 0, self.values)
            advance(1)
        n_conditions = int((~condition["is_control"]).sum())
        labels, genes = self.labels, pl.DataFrame(schema=RELEASE["gene"].schema)
        tables = (labels.compound, labels.context, labels.mapping, labels.rejected)
        return Written(condition, genes, *tables, n_conditions, n_conditions, condition.height - n_conditions)

    def facts(self) -> dict[str, Any]:
        """Return what the manifest says besides: nothing."""
        return {}


def _number(column: str, name: str) -> pl.Expr:
    value = pl.col(column).cast(pl.Float64, strict=False)
    return pl.when(value.is_finite()).then(value).alias(name)


def _one_each(values: pl.DataFrame, repeats: str | None, labels: Labels, where: str) -> pl.DataFrame:
    """Give each condition one number of each phenotype; of several lines the mean or median, if the spec takes it.

    Raises
    ------
    SourceFormatError
        Several lines are of one condition, and the spec does not say what to make of them.
    """
    table = (
        values.filter(pl.col("condition_index") >= 0)
        .unpivot(index="condition_index", variable_name="phenotype")
        .drop_nulls("value")
    )
    groups = table.group_by("condition_index", "phenotype", maintain_order=True)
    summary = pl.col("value").median() if repeats == "median" else pl.col("value").mean()
    found = groups.agg(summary, n=pl.len())
    repeated = found.filter(pl.col("n") > 1)
    if repeated.height and repeats is None:
        index = repeated["condition_index"][0]
        name = labels.condition.filter(pl.col("condition_index") == index)["condition_id"][0]
        raise SourceFormatError(
            "Several rows are of one compound and cell line.",
            where=where,
            expected="one row each",
            got=f"{repeated['condition_index'].n_unique():,} conditions with several, such as {name} "
            f"({repeated['n'][0]:,} lines)",
            do="leave rows out with where under [condition], such as those of one screen, or take their mean: "
            'repeats = "mean" under [phenotypes]',
        )
    return found.select(RELEASE["phenotype"].columns).sort("condition_index", "phenotype")
