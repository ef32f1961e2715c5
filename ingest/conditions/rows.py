"""The row table of a dataset: what a file and the tables beside it say of each cell, well or signature."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from featurestore.errors import SpecError, did_you_mean
from ingest.conditions.counted_beside import OF, call_guides, call_tags, counts_beside
from ingest.conditions.side_tables import SideTable, join_tables
from ingest.reader import INDEX, Reader, Tables, with_matrix
from ingest.sections import groups_of
from ingest.spec import DatasetSpec

FILE = "file"
"""In ``[rows] extract``: the path of the file, within the folder of the dataset."""


@dataclass(frozen=True, slots=True)
class RowTables:
    """The row tables of a dataset's files, as its spec has them read.

    Parameters
    ----------
    spec
        The dataset's spec.
    beside
        The tables of rows beside the files.
    folder
        What the files of the spec are relative to.
    """

    spec: DatasetSpec
    beside: Sequence[SideTable]
    folder: Path

    @property
    def columns_beside(self) -> list[str]:
        """The columns of the tables beside the files."""
        return [name for table in self.beside for name in table.columns]

    def read(self, reader: Tables, also: Sequence[str] = ()) -> pl.DataFrame:
        """Read the columns that the spec names, of a file's own row table and of the tables beside it.

        Where the table that ``[rows]`` names and the file have a column in common, the table's is taken; a column read
        out of a name comes before both.

        Parameters
        ----------
        reader
            The open file.
        also
            Further columns.

        Raises
        ------
        SpecError
            A column is in none of them.
        """
        spec, tables, patterns = self.spec, self.beside, self.spec.rows.extract
        conditions = (*columns_of(spec.condition.where), *columns_of(spec.condition.control_where))
        taken_apart = (name for name in patterns if name != FILE)
        wanted = list(dict.fromkeys([*spec.row_columns(), *conditions, *taken_apart, *also]))
        replaced = set(tables[0].columns) - {INDEX} if spec.rows.table is not None else set()
        needed = {INDEX, *wanted, *(name for table in tables for name in table.on)} - replaced
        rows = _of_file(reader, spec, needed)
        before = rows.columns
        rows = _extracted(rows, patterns, name_within(reader.path, self.folder))
        rows = join_tables(rows, tables, wanted, spec.label_columns())
        rows = _extracted(rows, {name: patterns[name] for name in patterns if name not in {FILE, *before}})
        missing = [name for name in wanted if name not in rows.columns]
        if missing:
            known = list(dict.fromkeys([*reader.row_columns(), *rows.columns, *self.columns_beside]))
            names = ", ".join(map(repr, missing))
            raise SpecError(
                f"The row table has no column {names}.",
                where=f"{reader.path}, named by the spec",
                expected="one of: " + ", ".join(known),
                do="; ".join(did_you_mean(name, known) for name in missing),
            )
        return rows


def _of_file(reader: Tables, spec: DatasetSpec, needed: Collection[str]) -> pl.DataFrame:
    """Read what the file itself says of its rows, and what was counted in each beside RNA."""
    rows = reader.rows([name for name in reader.row_columns() if name in needed])
    if spec.guides is not None:
        rows = rows.with_columns(call_guides(with_matrix(reader), spec.guides.min_count))
    if spec.tags is not None:
        rows = rows.with_columns(call_tags(with_matrix(reader), spec.tags.min_count))
    others = sorted(name for name in needed if OF in name and name not in rows.columns)
    return rows.hstack(counts_beside(reader, others)) if others and isinstance(reader, Reader) else rows


def name_within(path: Path, folder: Path) -> str:
    """Name a file by its path within a folder, or by its name alone where it lies elsewhere."""
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else path.name


def _extracted(rows: pl.DataFrame, patterns: Mapping[str, str], file: str = "") -> pl.DataFrame:
    """Add a column for each named group of the patterns whose column is there; null where a pattern does not fit."""
    for column, pattern in patterns.items():
        if column in (FILE, *rows.columns):
            text = pl.lit(file) if column == FILE else pl.col(column).cast(pl.String)
            rows = rows.with_columns(text.str.extract_groups(pattern).struct.field(*groups_of(pattern)))
    return rows


def columns_of(where: str | None) -> list[str]:
    """List the columns that a condition is about; none where it cannot be parsed, which is told when it is applied."""
    try:
        return [] if where is None else pl.sql_expr(where).meta.root_names()
    except pl.exceptions.PolarsError:
        return []
