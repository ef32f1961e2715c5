"""A list of gene identifiers, from wherever one has it: a text, a column of a table, or the genes of a matrix."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from featurestore.errors import SourceFormatError, did_you_mean
from ingest.reader import INDEX
from ingest.readers.open import open_source
from ingest.readers.plain_text import GZIP, PARQUET

SEPARATORS = ("\t", ",", ";")
HEADERS = frozenset(
    {"gene", "genes", "gene_id", "gene_ids", "gene_name", "gene_names", "gene_symbol", "symbol", "ensembl",
     "ensembl_id", "ensembl_gene_id", "entrez", "entrez_id", "hgnc_id", "id"}
)  # fmt: skip
"""First lines, casefolded, that are no identifier but the name of the column."""

_MATRIX_MARKS = (b"#1.", b"%%MatrixMarket")
_LOOKED_AT = 50
"""Lines that tell a table from a list."""


@dataclass(frozen=True, slots=True)
class GeneList:
    """Identifiers in order, the symbols beside them where there are any, and where they are from."""

    ids: pl.Series
    symbols: pl.Series | None
    where: str


def read_gene_list(path: Path, column: str | None = None, symbols: str | None = None) -> GeneList:
    """Read a list from a file.

    Parameters
    ----------
    path
        One identifier a line; a table as CSV, TSV or Parquet; or a matrix in any format that can be ingested, whose
        gene table is read. Text may be compressed with gzip.
    column
        The column of identifiers; may be left out if there is one only, and is ``index`` for a matrix.
    symbols
        The column of symbols that belong to them.

    Raises
    ------
    SourceFormatError
        The file cannot be read, has no such column, or holds no identifier.
    """
    head = _head(path)
    if head.startswith(PARQUET):
        return _from_table(_read_parquet(path), str(path), column, symbols)
    if head.startswith(_MATRIX_MARKS) or b"\0" in head:
        return _from_table(_genes_of_matrix(path), str(path), column or INDEX, symbols)
    return parse_gene_list(_inflated(path), str(path), column, symbols)


def parse_gene_list(
    content: bytes, where: str = "standard input", column: str | None = None, symbols: str | None = None
) -> GeneList:
    """Read a list from text; see `read_gene_list`.

    Raises
    ------
    SourceFormatError
        It is no table, or has not the columns that are named.
    """
    text = _decoded(content, where)
    lines = [line for line in text.splitlines() if line.strip()]
    separator = _separator(lines[:_LOOKED_AT])
    if separator is None and column is None and symbols is None:
        ids = [line.strip().strip('"') for line in lines]
        return _checked(
            GeneList(pl.Series(ids[bool(ids) and ids[0].casefold() in HEADERS :], dtype=pl.String), None, where)
        )
    try:
        table = pl.read_csv(io.BytesIO(text.encode()), separator=separator or "\t", infer_schema=False, glob=False)
    except pl.exceptions.PolarsError as error:
        raise SourceFormatError("The table cannot be read.", where=where, got=str(error)) from None
    return _from_table(table, where, column, symbols)


def _from_table(table: pl.DataFrame, where: str, column: str | None, symbols: str | None) -> GeneList:
    if column is None:
        if len(table.columns) > 1:
            raise SourceFormatError(
                "The table has several columns.",
                where=where,
                got=_some(table.columns),
                do="name the column of identifiers with --column",
            )
        column = table.columns[0]
    for name in (column, symbols):
        if name is not None and name not in table.columns:
            raise SourceFormatError(
                f"There is no column '{name}'.",
                where=where,
                got=_some(table.columns),
                do=did_you_mean(name, table.columns),
            )
    texts = {name: table[name].cast(pl.String) for name in (column, symbols) if name is not None}
    return _checked(GeneList(texts[column], texts[symbols] if symbols else None, f"{where}, column '{column}'"))


def _checked(found: GeneList) -> GeneList:
    if found.ids.drop_nulls().is_empty():
        raise SourceFormatError(
            "There are no identifiers.", where=found.where, expected="one a line, or a column of them"
        )
    return found


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            head = file.read(4096)
        if not head.startswith(GZIP):
            return head
        with gzip.open(path) as file:
            return file.read(4096)
    except (OSError, EOFError, zlib.error) as error:
        got = getattr(error, "strerror", None) or str(error)
        near = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
        hint = "" if path.exists() else did_you_mean(path.name, near)
        raise SourceFormatError("The file cannot be read.", where=str(path), got=got, do=hint) from None


def _inflated(path: Path) -> bytes:
    content = path.read_bytes()
    try:
        return gzip.decompress(content) if content.startswith(GZIP) else content
    except (OSError, EOFError, zlib.error) as error:
        raise SourceFormatError("The file is damaged.", where=str(path), got=str(error)) from None


def _decoded(content: bytes, where: str) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        if b"\0" in content:
            raise SourceFormatError("This is not text.", where=where, do="give a file, not its content") from None
        return content.decode("latin-1")


def _separator(lines: Sequence[str]) -> str | None:
    """Find the sign that every line holds equally often."""
    for sign in SEPARATORS:
        counts = {line.count(sign) for line in lines}
        if len(counts) == 1 and counts != {0}:
            return sign
    return None


def _read_parquet(path: Path) -> pl.DataFrame:
    try:
        return pl.read_parquet(path, glob=False)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise SourceFormatError("The table cannot be read.", where=str(path), got=str(error)) from None


def _genes_of_matrix(path: Path) -> pl.DataFrame:
    reader = open_source(path)
    try:
        return reader.genes()
    finally:
        reader.close()


def _some(names: Sequence[str]) -> str:
    shown = 12
    return ", ".join(names[:shown]) + (f", ... ({len(names):,})" if len(names) > shown else "")
