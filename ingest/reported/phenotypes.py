"""Tables of a screen that gives one number for each perturbed gene and cell line, such as DepMap's gene effect.

A row of the matrix is a cell line, a column a perturbed gene; every number in it is a condition with one phenotype, and
a pair without a number is none. The matrix is held whole (17,916 genes x 1,178 lines: 169 MB); the conditions, of which
there are 21 million then, are written by stretches of genes, so memory is the matrix and one stretch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from featurestore.contract import RELEASE
from featurestore.errors import SourceFormatError
from ingest.conditions.given import GivenRows
from ingest.conditions.lookups import Lookups
from ingest.harmonise.contexts import map_contexts
from ingest.harmonise.perturbations import COMPOUND_COLUMNS, LEDGER, PerturbationMapping, map_perturbations
from ingest.reader import INDEX, Reader
from ingest.readers.selection import selected_blocks
from ingest.release.tables import write_part
from ingest.spec import DatasetSpec

CONDITIONS_AT_ONCE = 500_000
_TARGET = (
    "perturbation_id", "perturbation", "perturbation_kind", "target_gene_ids", "target_symbols", "compound_id",
    "perturbation_label"
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Screen:
    """A matrix of cell lines by perturbed genes, its names harmonised.

    Parameters
    ----------
    reader
        The open file.
    rows
        Positions of the rows that are taken, and ``lines`` what they are, one after another.
    columns
        Positions of the columns that are taken, and ``targets`` what they are, one after another.
    perturbations
        What became of every column's label.
    contexts
        What became of every row's label, with ``context_label``, and with ``is_kept``: whether ``where`` takes it.
    """

    reader: Reader
    rows: npt.NDArray[np.intp]
    lines: pl.DataFrame
    columns: npt.NDArray[np.intp]
    targets: pl.DataFrame
    perturbations: PerturbationMapping
    contexts: pl.DataFrame

    def context(self) -> pl.DataFrame:
        """Return the release's context table."""
        facts = self.lines.select(RELEASE["context"].columns).sort("context_id", "name")
        return facts.unique("context_id", keep="first", maintain_order=True)

    def mapping(self) -> pl.DataFrame:
        """Return the ledger."""
        how = ("original", "status", "method", "candidates", "note")
        contexts = self.contexts.select(*how, entity=pl.lit("context"), target_id="context_id")
        ledgers = [self.perturbations.ledger, contexts.select(LEDGER.names()).cast(LEDGER)]
        return pl.concat(ledgers).unique(maintain_order=True)

    def rejected(self, where: str | None) -> pl.DataFrame:
        """Return the rows and columns that were left out, by label."""
        unknown = pl.col("context_id").is_null()
        left_out = [
            self.contexts.filter(~pl.col("is_kept")).select("context_label", reason=pl.lit(f"where: {where}")),
            self.contexts.filter("is_kept", unknown).select("context_label", reason=pl.lit("no context")),
            self.perturbations.table.filter(pl.col("reason").is_not_null()).select("perturbation_label", "reason"),
        ]
        rows = pl.concat([frame.rename({frame.columns[0]: "label"}, strict=False) for frame in left_out])
        table = rows.group_by("label", "reason").agg(n_cells=pl.len()).sort("label", "reason")
        return table.select(pl.col(name).cast(dtype) for name, dtype in RELEASE["rejected"].schema.items())


def read_screen(reader: Reader, given: GivenRows, spec: DatasetSpec, lookups: Lookups) -> Screen:
    """Harmonise the names of a screen.

    Parameters
    ----------
    reader
        The open file.
    given
        Its rows.
    spec, lookups
        The dataset's spec and own tables.

    Raises
    ------
    SourceFormatError
        Two rows are of one cell line, or two columns have one label.
    """
    labels = reader.genes()[INDEX]
    nothing = [pl.lit(None, pl.String).alias(name) for name in ("kind", *COMPOUND_COLUMNS)]
    table = pl.DataFrame({"perturbation_label": labels}).with_columns(nothing)
    perturbations = map_perturbations(
        table,
        spec.condition,
        dataset=spec.dataset.id,
        dictionary=lookups.read_compounds(),
        online=lookups.online,
    )
    columns = (perturbations.table["reason"].is_null() & ~perturbations.table["is_control"]).arg_true().to_numpy()
    named = given.combos["context"].gather(given.combo)
    contexts = map_contexts(named.to_list(), table=lookups.read_cell_lines())
    contexts = contexts.with_columns(context_label=named, is_kept=pl.Series(given.is_kept))
    rows = (contexts["is_kept"] & contexts["context_id"].is_not_null()).arg_true().to_numpy()
    lines, targets = contexts[rows.tolist()], perturbations.table[columns.tolist()]
    _refuse_repeats(lines["context_label"], "rows", "cell line", reader)
    _refuse_repeats(targets["perturbation_label"], "columns", "gene", reader)
    return Screen(reader, rows, lines, columns, targets, perturbations, contexts)


def write_screen(folder: Path, screen: Screen, spec: DatasetSpec, advance: Callable[[int], None]) -> int:
    """Write condition and phenotype, ordered by gene and line; return the number of conditions.

    Parameters
    ----------
    folder
        The staged release.
    screen
        The screen.
    spec
        The dataset's spec.
    advance
        Called with the number of perturbed genes done.
    """
    matrix = np.concatenate([b.values for b in selected_blocks(screen.reader, screen.rows, screen.columns)])
    targets = screen.targets.select(_TARGET)
    per_stretch = max(1, CONDITIONS_AT_ONCE // max(1, screen.lines.height))
    n_conditions = 0
    for part, start in enumerate(range(0, targets.height, per_stretch)):
        values = matrix[:, start : start + per_stretch].T
        gene, line = np.nonzero(np.isfinite(values))
        index = pl.Series("condition_index", np.arange(n_conditions, n_conditions + gene.size, dtype=np.int32))
        lines = screen.lines[line.tolist()].select("context_id", "context_label")
        frame = pl.concat([targets[(start + gene).tolist()], lines, index.to_frame()], how="horizontal")
        frame = frame.with_columns(
            condition_id=pl.concat_str("perturbation_label", "context_label", separator="/"),
            is_control=pl.lit(value=False),
            experiment_id=pl.lit(f"{spec.experiment}:") + pl.col("context_id"),
        )
        absent = [name for name in RELEASE["condition"].columns if name not in frame.columns]
        write_part(folder, "condition", part, frame.with_columns(pl.lit(None).alias(name) for name in absent))
        phenotype = pl.DataFrame({"condition_index": index, "value": values[gene, line]})
        write_part(folder, "phenotype", part, phenotype.with_columns(phenotype=pl.lit(spec.dataset.values)))
        n_conditions += gene.size
        advance(len(values))
    return n_conditions


def _refuse_repeats(labels: pl.Series, what: str, thing: str, reader: Reader) -> None:
    repeated = labels.filter(labels.is_duplicated())
    if repeated.len():
        raise SourceFormatError(
            f"Two {what} are of one {thing}.",
            where=str(reader.path),
            got=repr(repeated[0]),
            do="take the rows to use with where under [condition], such as is_default",
        )
