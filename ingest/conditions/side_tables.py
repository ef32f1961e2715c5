"""Tables beside a matrix (siginfo, geneinfo, a sample sheet): read by the columns that are needed, and joined."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from featurestore.errors import SpecError, did_you_mean, first_of
from ingest.conditions.side_files import column_names, read_columns
from ingest.named_files import files_called
from ingest.reader import INDEX
from ingest.readers.barcodes import as_published
from ingest.readers.columns import typed
from ingest.readers.damage import telling_damage
from ingest.sections import JoinSection, TableSection

KEY = "key of the table"
BETWEEN = "\x1f"
"""What the columns of a key are joined by: the unit separator, which no text holds."""
JOINED = "|"
"""What distinct values of one key are joined by, such as the mechanisms of a compound."""


@dataclass(frozen=True, slots=True)
class SideTable:
    """A table beside a matrix, opened: its columns are known, its lines are read when asked for.

    Parameters
    ----------
    paths
        Delimited text, plain or gzip, or Parquet; of several, with the same columns, one is below the other.
    columns
        Names of its columns, as published.
    key
        The columns that its lines are found by.
    on
        The columns of the table it is joined to that hold the key.
    titles
        What the columns of text without a header are called.
    """

    paths: tuple[Path, ...]
    columns: list[str]
    key: tuple[str, ...]
    on: tuple[str, ...]
    titles: tuple[str, ...] = ()

    def read(self, columns: Collection[str]) -> pl.DataFrame:
        """Read some columns, and the key as one text: text, or numbers where a whole column is; missing is null."""
        wanted = [name for name in self.columns if name in {*columns, *self.key}]
        table = pl.concat([read_columns(path, wanted, self.titles) for path in self.paths], how="vertical_relaxed")
        return table.select(*(name for name in wanted if name in columns), joined(self.key))


def joined(columns: Sequence[str]) -> pl.Expr:
    """Make one text of the columns of a key; null where one is missing."""
    texts = [pl.col(name).cast(pl.String).str.strip_chars() for name in columns]
    return pl.concat_str(texts, separator=BETWEEN).alias(KEY)


def open_side_tables(section: TableSection, joins: Sequence[JoinSection], folders: Sequence[Path]) -> list[SideTable]:
    """Open the tables that a section of a spec names, in the order in which they are joined.

    Parameters
    ----------
    section, joins
        The section and the further tables that it joins.
    folders
        Where to look: the first folder that holds a table wins.

    Raises
    ------
    SpecError
        A table is not there, or lacks its key.
    """
    tables = []
    if section.table is not None and section.key is not None:
        tables.append(_open(section.table, (section.key,), (INDEX,), tuple(section.columns), folders))
    for join in joins:
        key, on = _names(join.key), _names(join.on or join.key)
        tables.append(_open(join.table, key, on, (), folders))
    return tables


def find_beside(name: str, folders: Sequence[Path]) -> Path:
    """Find the one file of a name that a spec gives, in the first folder that has it.

    Raises
    ------
    SpecError
        There is none, or the name is a pattern of several.
    """
    found = _find(name, folders)
    if len(found) > 1:
        raise SpecError(f"There are several '{name}'.", where=str(found[0].parent), do="name one of them")
    return found[0]


def _find(name: str, folders: Sequence[Path]) -> list[Path]:
    found = next((paths for folder in folders if (paths := files_called(folder, name))), None)
    if found is None:
        near = sorted({entry.name for folder in folders if folder.is_dir() for entry in folder.iterdir()})
        raise SpecError(f"There is no table '{name}'.", where=str(folders[-1]), do=did_you_mean(name, near))
    return found


def _names(given: str | list[str]) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given)


def _open(
    name: str, key: tuple[str, ...], on: tuple[str, ...], titles: tuple[str, ...], folders: Sequence[Path]
) -> SideTable:
    found = _find(name, folders)
    columns = []
    for path in found:
        with telling_damage(path, "the header"):
            columns = column_names(path, titles)
        for column in key:
            if column not in columns:
                raise SpecError(
                    f"The table has no key column '{column}'.", where=str(path), do=did_you_mean(column, columns)
                )
    return SideTable(tuple(found), columns, key, on, titles)


def join_tables(
    rows: pl.DataFrame, tables: Sequence[SideTable], wanted: Collection[str], labels: Collection[str] = ()
) -> pl.DataFrame:
    """Add to each row what the tables say of it; a column that is there already stays as it is.

    Cells are found with or without the number of their library, ``-1``.
    Of several rows with one key, the distinct values are joined by ``|``; labels must not differ between them.

    Raises
    ------
    SpecError
        A row lacks the column to join on, or has several lines with different labels.
    """
    for number, table in enumerate(tables):
        later = {name for other in tables[number + 1 :] for name in other.on}
        needed = {*wanted, *later} - set(rows.columns)
        for name in table.on:
            if name not in rows.columns:
                raise SpecError(
                    f"There is no column '{name}' to join a table on.",
                    where=str(table.paths[0]),
                    do=did_you_mean(name, rows.columns),
                )
        rows = rows.with_columns(joined(table.on))
        lines = table.read(needed)
        if table.on == (INDEX,):
            lines = lines.with_columns(as_published(lines[KEY], rows[KEY]))
        lines = lines.join(rows.select(KEY).unique(), on=KEY, how="semi")
        _require_one_label(lines, table, labels)
        lines = _one_line_a_key(lines)
        rows = rows.join(lines, on=KEY, how="left", maintain_order="left").drop(KEY)
    return rows


def _require_one_label(lines: pl.DataFrame, table: SideTable, labels: Collection[str]) -> None:
    for name in (name for name in labels if name in lines.columns):
        several = lines.group_by(KEY, maintain_order=True).agg(pl.col(name).drop_nulls().unique(maintain_order=True))
        several = several.filter(pl.col(name).list.len() > 1)
        if several.height:
            key, values = several.row(0)
            raise SpecError(
                "The table has several entries for one row, and they do not agree.",
                where=str(table.paths[0]),
                expected=f"one '{name}' for each {', '.join(table.key)}",
                got=f"{several.height:,} with several, such as {key.replace(BETWEEN, ', ')!r}: "
                + first_of(list(map(repr, values))),
                do="name all columns of its key, such as the plate, under join of [rows]",
            )


def _one_line_a_key(lines: pl.DataFrame) -> pl.DataFrame:
    repeated = lines.filter(pl.col(KEY).is_duplicated())
    if repeated.is_empty():
        return lines
    columns = [name for name in lines.columns if name != KEY]
    whole = repeated.group_by(KEY, maintain_order=True).agg(
        pl.col(name).cast(pl.String).drop_nulls().unique(maintain_order=True).str.join(JOINED) for name in columns
    )
    whole = whole.with_columns(pl.when(pl.col(name) != "").then(pl.col(name)).alias(name) for name in columns)
    single = lines.filter(~pl.col(KEY).is_duplicated()).with_columns(pl.col(columns).cast(pl.String))
    joined = pl.concat([single, whole.select(single.columns)])
    numeric = [name for name in columns if lines.schema[name].is_numeric()]
    return joined.with_columns(typed(joined[name]) for name in numeric)
