"""Reader of sci-Plex's triplets: a line is gene, cell and count, numbered from 1; there is no header.

Beside ``X_UMI.count.matrix`` lie ``X_gene.annotations.txt``, ``X_pData.txt`` and mostly ``X_cell.annotations.txt``, all
perhaps with ``.gz``. Cells are numbered in the order of the cell annotations, without them of pData. Of a cell that
pData leaves out nothing is known but its name.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import ClassVar

import polars as pl

from featurestore.errors import SourceFormatError, first_of
from ingest.reader import INDEX
from ingest.readers.columns import titles, typed
from ingest.readers.damage import DAMAGE
from ingest.readers.mtx import MtxReader
from ingest.readers.mtx_entries import MtxHeader
from ingest.readers.mtx_tables import AxisTables
from ingest.readers.one_matrix import refuse_name
from ingest.readers.plain_text import open_text
from ingest.readers.r_tables import ROW_NAME, read_r_table

TRIPLET = re.compile(rb"[1-9]\d*\t[1-9]\d*\t\d+")
LINES_LOOKED_AT = 3
LONGEST_LINE = 256
MATRIX, GENES, CELLS, DESCRIPTION = "UMI.count.matrix", "gene.annotations", "cell.annotations", "pData"
GENE_ID = r"^ENS[A-Z]*G\d+"
GENE_TITLES = ("id", "gene_short_name")
CELL = "cell"


class TripletsFormat:
    """Triplets without a header, as sci-Plex is deposited."""

    name: ClassVar[str] = "triplets"

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """Say whether the first lines are three whole numbers each, separated by tabs."""
        try:
            with open_text(path) as file:
                lines = [file.readline(LONGEST_LINE).rstrip(b"\r\n") for _ in range(LINES_LOOKED_AT)]
        except DAMAGE:
            return False
        present = [line for line in lines if line]
        return bool(present) and all(TRIPLET.fullmatch(line) for line in present)

    @classmethod
    def open(cls, path: Path, *, matrix: str | None = None) -> MtxReader:
        """Open a matrix and the tables beside it."""
        refuse_name(cls.name, path, matrix)
        tables = _read_tables(path)
        header = MtxHeader(
            n_rows=tables.genes.height,
            n_columns=tables.rows.height,
            n_entries=None,
            is_integer=True,
            n_lines=0,
            n_bytes=0,
            separator="\t",
            is_followed=True,
        )
        return MtxReader(path, cls.name, header, tables)


def _read_tables(path: Path) -> AxisTables:
    genes, cells, description = (_beside(path, what) for what in (GENES, CELLS, DESCRIPTION))
    absent = GENES if genes is None else DESCRIPTION if cells is None and description is None else None
    if genes is None or absent is not None:
        raise SourceFormatError(
            f"there is no table '{absent}' beside the matrix",
            where=str(path.parent),
            expected=f"{_prefix(path)}{absent}.txt, or the same with .gz",
            got=first_of(sorted(entry.name for entry in path.parent.iterdir() if entry != path), 12) or "nothing",
            do="fetch all files of the sample into one folder",
        )
    files = tuple(file for file in (genes, cells, description) if file is not None)
    return AxisTables(_read_cells(cells, description), _read_genes(genes), genes_first=True, files=files)


def _prefix(path: Path) -> str:
    at = path.name.lower().find(MATRIX.lower())
    return path.name[:at] if at > 0 else ""


def _beside(path: Path, what: str) -> Path | None:
    """Find a table of the same sample: by the name that it shares with the matrix, or the only one in the folder."""
    ending = re.compile(rf".*{re.escape(what)}(\.txt|\.tsv)?(\.gz)?", re.IGNORECASE)
    found = [entry for entry in sorted(path.parent.iterdir()) if ending.fullmatch(entry.name)]
    near = [entry for entry in found if entry.name.startswith(_prefix(path))]
    return near[0] if near else found[0] if len(found) == 1 else None


def _read_genes(path: Path) -> pl.DataFrame:
    """Read identifiers and symbols; sci-Plex 3 has a header, sci-Plex 2 and 4 have none."""
    table = read_r_table(path, GENE_TITLES)
    ids = [name for name in table.columns if table[name].str.contains(GENE_ID).any()]
    return _keyed(table, ids[0] if ids else table.columns[0], path)


def _read_cells(cells: Path | None, description: Path | None) -> pl.DataFrame:
    """Read the cells in their order, with what pData says of each."""
    ordered, described = (None if path is None else _read_cell_table(path) for path in (cells, description))
    if ordered is None or described is None:
        return described if described is not None else pl.DataFrame(ordered).select(INDEX)
    return ordered.select(INDEX).join(described, on=INDEX, how="left", maintain_order="left")


def _read_cell_table(path: Path) -> pl.DataFrame:
    table = read_r_table(path, [CELL])
    keyed = _keyed(table, CELL if CELL in table.columns else table.columns[0], path)
    repeated = keyed.filter(keyed[INDEX].is_duplicated())
    if repeated.height:
        raise SourceFormatError("a cell is described twice", where=str(path), got=repr(repeated[0, INDEX]))
    return keyed


def _keyed(table: pl.DataFrame, key: str, path: Path) -> pl.DataFrame:
    """Put the key first, and give the other columns types."""
    nameless = table[key].is_null().arg_true()
    if len(nameless):
        raise SourceFormatError("a name is missing", where=f"row {nameless[0] + 1:,} of {path}", expected=key)
    others = [name for name in table.columns if name not in {key, ROW_NAME}]
    columns = [typed(table[name]).alias(title) for name, title in zip(others, titles(others), strict=True)]
    return pl.DataFrame([table[key].alias(INDEX), *columns])
