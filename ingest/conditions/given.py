"""What the files of a dataset say of their rows, gathered file by file.

Of a row, of which there may be a hundred million, only numbers are kept: which combination of labels it has, which
batch, which half, and whether the spec's ``where`` takes it. Values that are differences already have a row for each
signature, few enough to keep their ids and their published quality too.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from featurestore.errors import ValuesError
from ingest.conditions.roles import IS_CONTROL, ROLES, role_expressions
from ingest.conditions.row_filter import RowFilter
from ingest.harmonise.combinations import control_words
from ingest.reader import INDEX
from ingest.spec import DatasetSpec

NUMBER = "number of the distinct row"
ROWS_AT_ONCE = 2**17
"""How many rows are looked up together: what that takes besides does not grow with the rows."""

Integers = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class GivenRows:
    """The rows of one file, or of several, one after another.

    Attributes
    ----------
    combos
        The distinct combinations of labels: a column for each role.
    combo
        The combination of every row. Shape (rows,).
    batches
        The distinct batches, sorted.
    batch
        The batch of every row. Shape (rows,).
    guides, guide
        The distinct guides, and the guide of every row, where the spec names their column; else of no length.
    replicates, replicate
        The distinct replicates, sorted, and the replicate of every row, -1 for none, where the spec names columns of
        it; else of no length.
    draw
        A number for every row, by a hash of its key: its first bit says which half the row is in, the others the order
        in which rows are dealt. Shape (rows,).
    is_kept
        Whether ``where`` takes the row. Shape (rows,).
    cells
        Of how many cells every row is the pseudobulk, shape (rows,); no values where a row is a cell or a well.
    controls_apart
        Which control labels components have that are columns of their own.
    published
        The key of every row with its quality columns, where values are differences already, or with what a read
        covers; else empty.
    """

    combos: pl.DataFrame
    combo: Integers
    batches: pl.DataFrame
    batch: Integers
    guides: pl.DataFrame
    guide: Integers
    replicates: pl.DataFrame
    replicate: Integers
    draw: npt.NDArray[np.uint32]
    is_kept: npt.NDArray[np.bool_]
    cells: npt.NDArray[np.float64]
    published: pl.DataFrame
    controls_apart: frozenset[str]

    @property
    def half(self) -> Integers:
        """0 or 1 for every row. Shape (rows,)."""
        return (self.draw >> np.uint32(31)).astype(np.int32)


def gather_rows(tables: Iterable[pl.DataFrame], spec: DatasetSpec) -> GivenRows:
    """Gather the row tables of a dataset's files.

    Parameters
    ----------
    tables
        One for each file: ``index`` and the columns that the spec names.
    spec
        The dataset's spec.

    Raises
    ------
    SpecError
        A condition of the spec cannot be evaluated, or takes no row of any file.
    ValuesError
        A row is a pseudobulk of an unknown number of cells.
    """
    where, control_where = RowFilter("where", spec), RowFilter("control_where", spec)
    parts = [_of_one(table, spec, where, control_where) for table in tables]
    where.require_a_row()
    control_where.require_a_row()
    combos, combo = _merged([(part.combos, part.combo) for part in parts])
    batches, batch = _merged([(part.batches, part.batch) for part in parts])
    guides, guide = _merged([(part.guides, part.guide) for part in parts])
    replicates, replicate = _numbered(_merged([(part.replicates, part.replicate) for part in parts]))
    place = batches.to_series().rank("ordinal").fill_null(batches.height).to_numpy().astype(np.int32) - 1
    return GivenRows(
        combos=combos,
        combo=combo,
        batches=batches.sort("batch", nulls_last=True),
        batch=place[batch],
        guides=guides,
        guide=guide,
        replicates=replicates,
        replicate=replicate,
        draw=np.concatenate([part.draw for part in parts]),
        is_kept=np.concatenate([part.is_kept for part in parts]),
        cells=np.concatenate([part.cells for part in parts]),
        published=pl.concat([part.published for part in parts], how="vertical_relaxed"),
        controls_apart=frozenset[str]().union(*(part.controls_apart for part in parts)),
    )


def draw_of(keys: pl.Series) -> npt.NDArray[np.uint32]:
    """Draw a number for each row from its key, the same on every machine. Shape (rows,)."""
    crc = np.fromiter((zlib.crc32(key.encode()) for key in keys.cast(pl.String).fill_null("")), np.uint64, keys.len())
    return ((crc * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(32)).astype(np.uint32)


def _of_one(rows: pl.DataFrame, spec: DatasetSpec, where: RowFilter, control_where: RowFilter) -> GivenRows:
    condition = spec.condition
    is_kept = where.take(rows).to_numpy()
    if control_where.text is not None:
        rows = rows.with_columns(control_where.take(rows).alias(IS_CONTROL))
    roles = role_expressions(spec)
    fixed = [role for role in roles if not role.meta.root_names()]
    varying = [role for role in roles if role.meta.root_names()] or [pl.repeat(0, pl.len()).alias(NUMBER)]
    combos, combo = distinct_rows(rows.select(varying))
    if condition.batch:
        batches, batch = distinct_rows(rows.select(pl.col(condition.batch).cast(pl.String).alias("batch")))
    else:
        batches, batch = pl.DataFrame({"batch": [None]}, {"batch": pl.String}), np.zeros(rows.height, np.int32)
    guides, guide = pl.DataFrame({"guide": []}, {"guide": pl.String}), np.empty(0, np.int32)
    if condition.guide:
        guides, guide = distinct_rows(rows.select(pl.col(condition.guide).cast(pl.String).alias("guide")))
    replicates, replicate = pl.DataFrame({"replicate": []}, {"replicate": pl.String}), np.empty(0, np.int32)
    if condition.replicate_columns:
        name = pl.concat_str(pl.col(condition.replicate_columns).cast(pl.String), separator=" / ")
        replicates, replicate = distinct_rows(rows.select(name.alias("replicate")))
    return GivenRows(
        combos=combos.with_columns(fixed).select(ROLES),
        combo=combo,
        batches=batches,
        batch=batch,
        guides=guides,
        guide=guide,
        replicates=replicates,
        replicate=replicate,
        draw=np.zeros(rows.height, np.uint32) if spec.is_relative else draw_of(rows[INDEX]),
        is_kept=is_kept,
        cells=_cells(rows, is_kept & spec.value_kind.is_additive, condition.cell_numbers),
        published=_published(rows, spec),
        controls_apart=_controls_apart(rows, spec),
    )


def _controls_apart(rows: pl.DataFrame, spec: DatasetSpec) -> frozenset[str]:
    """Find the control labels of components that are columns of their own: labels put together hold none."""
    names = spec.condition.components if isinstance(spec.condition.perturbation, list) else ()
    values = (rows[name].cast(pl.String).str.strip_chars().unique() for name in names)
    return control_words(spec.condition) & {value for column in values for value in column}


def _published(rows: pl.DataFrame, spec: DatasetSpec) -> pl.DataFrame:
    if spec.coverage is not None:
        return rows.select(INDEX, *dict.fromkeys(spec.coverage.columns().values()))
    return rows.select(INDEX, *spec.quality.columns()) if spec.is_relative else pl.DataFrame()


def _cells(rows: pl.DataFrame, is_needed: npt.NDArray[np.bool_], columns: Sequence[str]) -> npt.NDArray[np.float64]:
    """Read of how many cells each row is the pseudobulk: the first number above 0 in the columns, else NaN."""
    if not columns:
        return np.empty(0)
    numbers = [pl.col(name).cast(pl.Float64, strict=False).fill_nan(None) for name in columns]
    given = rows.select(pl.coalesce(pl.when(number > 0).then(number) for number in numbers)).to_series()
    unknown = (given.is_null() & pl.Series(is_needed)).arg_true()
    if len(unknown):
        raise ValuesError(
            "A row does not say of how many cells it is the pseudobulk.",
            where=f"row {rows[INDEX][int(unknown[0])]!r}, {' and '.join(columns)}",
            expected="a number above 0",
            got=f"none in {len(unknown):,} rows",
            do="name a further column as cells under [condition], or leave such rows out with where",
        )
    return given.fill_null(np.nan).to_numpy()


def _numbered(merged: tuple[pl.DataFrame, Integers]) -> tuple[pl.DataFrame, Integers]:
    """Return the replicates by name, and which of them every row is, -1 where it names none."""
    table, of_row = merged
    names = table.drop_nulls().sort("replicate")
    places = table.join(names.with_row_index("place"), on="replicate", how="left", maintain_order="left")["place"]
    return names, places.cast(pl.Int32).fill_null(-1).to_numpy()[of_row]


def distinct_rows(table: pl.DataFrame) -> tuple[pl.DataFrame, Integers]:
    """Return the distinct rows of a table in order of appearance, and which of them each row is."""
    parts = list(table.iter_slices(ROWS_AT_ONCE)) or [table]
    distinct = pl.concat([part.unique(maintain_order=True) for part in parts]).unique(maintain_order=True)
    numbered = distinct.with_columns(pl.int_range(pl.len(), dtype=pl.Int32).alias(NUMBER))
    found = (
        part.join(numbered, on=table.columns, how="left", nulls_equal=True, maintain_order="left") for part in parts
    )
    return distinct, np.concatenate([part[NUMBER].to_numpy() for part in found])


def _merged(parts: Sequence[tuple[pl.DataFrame, Integers]]) -> tuple[pl.DataFrame, Integers]:
    """Bring the distinct rows of several tables together, and number the rows of all of them anew."""
    distinct, place = distinct_rows(pl.concat([table for table, _ in parts]))
    firsts = np.cumsum([0, *(table.height for table, _ in parts)])
    return distinct, np.concatenate([place[first:][rows] for first, (_, rows) in zip(firsts, parts, strict=False)])
