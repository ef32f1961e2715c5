"""The tables beside a Matrix Market file: barcodes, genes, and what else is known of the cells.

They are found by their names and told by their lengths:

- 10x, STARsolo, BD Rhapsody: ``barcodes.tsv`` and ``features.tsv`` (or ``genes.tsv``), no header, a gene being id,
  symbol, type;
- kb-python: ``cells_x_genes.barcodes.txt`` and ``.genes.txt``, the symbols by themselves in ``.genes.names.txt``;
- alevin-fry: ``quants_mat_rows.txt`` and ``_cols.txt``, which in its USA mode name each gene thrice;
- split-pipe: ``all_genes.csv``, with numbered rows before version 1, and ``cell_metadata.csv``, the barcode first;
- R: ``barcodes.csv`` and ``genes.csv``, a header, the first column numbering the rows;
- Dixit et al. 2016: ``cellnames.csv``, ``genenames.csv`` likewise, and ``cbc_gbc_dict.csv``, the cells of each guide;
- any table of cells named ``*metadata*`` or ``obs``, a header, the first column being the barcode, with or without the
  ``-1`` of its 10x library.

A prefix that the tables share with the matrix, as in ``GSM1_matrix.mtx``, sets them apart from others in the folder.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from featurestore.errors import SourceFormatError, first_of
from ingest.reader import INDEX
from ingest.readers.barcodes import as_published
from ingest.readers.columns import decode, titles, typed
from ingest.readers.damage import telling_damage
from ingest.readers.guide_lists import begins_with, guide_lists, guides_of
from ingest.readers.mtx_entries import MtxHeader
from ingest.readers.plain_text import whole_text

BARCODES = r"(?P<prefix>.*?)(barcodes|cells|cellnames|quants_mat_rows)"
GENES = r"(?P<prefix>.*?)(features|genes|genenames|quants_mat_cols)"
SYMBOLS = ".names.txt"
"""What kb-python calls the table of symbols, in place of the ending of the table of genes."""
TCC = "cells_x_tcc"
CELLS_FIRST = ("cells_x_genes", "quants_mat")
"""What the matrices of programs that write cells by genes are called."""
METADATA = r"(?!.*(gene|feature|var))(?P<prefix>.*?)(metadata|obs)"
ENDING = r"(?!.*metadata)[^.]*\.(csv|tsv|txt)(\.gz)?"
GENE_COLUMNS = ["gene_name", "feature_type", "chromosome", "start", "end"]
MISSING = ["", "NA"]
JUNCTION_COLUMNS = 9
"""Of STAR's table of splice junctions: a chromosome, then numbers."""
OF_ABUNDANCE = "count with kb count --matrix-to-directories, which writes a file for each sample, and give that folder"


@dataclass(frozen=True, slots=True)
class AxisTables:
    """The tables of both axes, and which axis of the file is which.

    ``is_usa`` says that the file has each gene thrice: all as spliced, then as unspliced, then as ambiguous.
    """

    rows: pl.DataFrame
    genes: pl.DataFrame
    genes_first: bool
    files: tuple[Path, ...]
    is_usa: bool = False


def read_tables(path: Path, header: MtxHeader) -> AxisTables:
    """Find and read the tables beside a matrix, and tell from their lengths which way round it is written.

    Where both ways would fit, it is as the program writes it whose names the files have; else genes by cells, as by
    Cell Ranger.

    Raises
    ------
    SourceFormatError
        A table is missing, or there are several, or they do not fit the matrix, or it has other things than genes.
    """
    if path.name.startswith(TCC):
        raise _no_genes(path, "classes of transcripts", "count without --tcc, or give quant_unfiltered beside it")
    metadata = _find(path, METADATA)
    own = _find(path, BARCODES)
    of_barcodes = own or metadata or _require(path, BARCODES, "barcodes")
    files = [of_barcodes, _require(path, GENES, "genes")]
    barcodes, genes = (_read(file) for file in files)
    if genes.width == JUNCTION_COLUMNS and all(genes[name].str.contains(r"^\d+$").all() for name in genes.columns[1:]):
        raise _no_genes(path, "splice junctions", "give Gene or GeneFull, which STARsolo writes beside SJ")
    sides = (header.n_rows, header.n_columns)
    fitting = [turn for turn in (sides, sides[::-1]) if _fits(genes, turn[0]) and _fits(barcodes, turn[1])]
    if not fitting:
        raise SourceFormatError(
            "the tables beside the matrix do not fit it",
            where=", ".join(str(file) for file in files),
            expected=f"{sides[0]:,} genes and {sides[1]:,} barcodes, or the other way round, by {path.name}",
            got=f"{genes.height:,} lines of genes and {barcodes.height:,} of barcodes",
            do="fetch all three files again, from the same folder",
        )
    is_turned = len(fitting) > 1 and (own is None or path.name.startswith(CELLS_FIRST))
    n_genes, n_cells = fitting[-1] if is_turned else fitting[0]
    genes_first = fitting[0] == sides and not is_turned
    rows = _keyed(barcodes, n_cells, [], files[0])
    if own is None:
        rows = pl.DataFrame(
            [rows[INDEX], *(_described(column) for column in rows.iter_columns() if column.name != INDEX)]
        )
    elif metadata is not None:
        files.append(metadata)
        rows = _joined(rows, _read(metadata), metadata)
    for name, of_guides in guide_lists(path).items():
        files.append(of_guides)
        rows = rows.with_columns(guides_of(rows[INDEX], of_guides).alias(titles([*rows.columns, name])[-1]))
    table = _keyed(genes, n_genes, GENE_COLUMNS, files[1])
    symbols = files[1].with_name(files[1].name.removesuffix(".txt") + SYMBOLS)
    if table.width == 1 and symbols.is_file():
        files.append(symbols)
        table = _named(table, _read(symbols), symbols)
    is_usa = _are_thrice(table[INDEX])
    table = table.head(n_genes // 3) if is_usa else table
    return AxisTables(rows, table, genes_first, tuple(files), is_usa)


def _no_genes(path: Path, counted: str, do: str) -> SourceFormatError:
    return SourceFormatError(
        f"the matrix has counts of {counted}", where=str(path), expected="counts of genes", got=counted, do=do
    )


def _are_thrice(genes: pl.Series) -> bool:
    """Say whether genes are named as by alevin-fry in its USA mode: all as ``G``, then as ``G-U``, then as ``G-A``."""
    n, left = divmod(genes.len(), 3)
    thirds = [genes.slice(at * n, n) for at in range(3)]
    return n > 0 and left == 0 and all(thirds[at].equals(thirds[0] + end) for at, end in ((1, "-U"), (2, "-A")))


def _named(genes: pl.DataFrame, symbols: pl.DataFrame, path: Path) -> pl.DataFrame:
    """Add the symbols that are in a table of their own."""
    if symbols.height != genes.height:
        raise SourceFormatError(
            "the table of symbols does not fit the genes",
            where=str(path),
            expected=f"a symbol for each of {genes.height:,} genes",
            got=f"{symbols.height:,}",
            do="fetch the files again, from the same folder",
        )
    return genes.with_columns(symbols.to_series(0).alias(GENE_COLUMNS[0]))


def _require(path: Path, pattern: str, what: str) -> Path:
    found = _find(path, pattern)
    if found is None:
        beside = sorted(entry.name for entry in path.parent.iterdir() if entry != path)
        raise SourceFormatError(
            f"there is no table of {what} beside the matrix",
            where=str(path.parent),
            expected="barcodes.tsv or .csv" if what == "barcodes" else "features.tsv, genes.tsv or genes.csv",
            got=first_of(beside, 12) or "nothing else in the folder",
            do=OF_ABUNDANCE
            if path.name.startswith("matrix.abundance")
            else "put it beside the matrix; with a prefix, use the same for both",
        )
    return found


def _find(path: Path, pattern: str) -> Path | None:
    """Find the table whose name shares the longest prefix with the matrix, or the only one."""
    ending = ENDING if pattern != METADATA else ENDING.replace("(?!.*metadata)", "")
    named = [(re.fullmatch(pattern + ending, entry.name.lower()), entry) for entry in sorted(path.parent.iterdir())]
    found = [(match["prefix"], entry) for match, entry in named if match and entry.is_file()]
    near = [prefix for prefix, _ in found if begins_with(path.name.lower(), prefix)]
    if near:
        found = [(prefix, entry) for prefix, entry in found if prefix == max(near, key=len)]
    if len({entry.name.removesuffix(".gz") for _, entry in found}) > 1:
        raise SourceFormatError(
            "several tables could belong to the matrix",
            where=str(path.parent),
            expected="one",
            got=", ".join(entry.name for _, entry in found),
            do="keep one of them beside the matrix, or give it and the matrix a common prefix",
        )
    return found[0][1] if found else None


def _read(path: Path) -> pl.DataFrame:
    """Read all lines of a table as text, its header, if any, being the first row."""
    with telling_damage(path, "the table"):
        content = decode(whole_text(path)).encode()
        first = content.split(b"\n", 1)[0]
        separator = "\t" if b"\t" in first or ".csv" not in path.name.lower() else ","
        quote = '"' if separator == "," or b'"' in first else None
        if not content.strip():
            return pl.DataFrame({INDEX: []}, schema={INDEX: pl.String})
        return pl.read_csv(
            content, has_header=False, separator=separator, infer_schema=False, quote_char=quote, glob=False
        )


def _is_headed(table: pl.DataFrame) -> bool:
    """Say whether the first row is a header for certain: its first field is empty, as R leaves it."""
    return table.height > 0 and not table[0, 0]


def _fits(table: pl.DataFrame, n: int) -> bool:
    return table.height == n + 1 or (table.height == n and not _is_headed(table))


def _keyed(table: pl.DataFrame, n: int, names: list[str], path: Path) -> pl.DataFrame:
    """Give a table of ``n`` names its key and its column names, from its header or from ``names``."""
    names = [*names, *(f"column_{at}" for at in range(len(names) + 2, table.width + 1))][: table.width - 1]
    if table.height > n:
        names = [name or "" for name in table.row(0)][1:]
        table = table.slice(1)
        numbers = [pl.int_range(first, n + first, eager=True).cast(pl.String) for first in (0, 1)]
        if names and any(table.to_series(0).equals(number) for number in numbers):
            table, names = table.drop(table.columns[0]), names[1:]
    key = table.to_series(0)
    nameless = (key.is_null() | (key == "")).arg_true()
    if len(nameless):
        raise SourceFormatError(
            "a name is empty",
            where=f"row {nameless[0] + 1:,} of {path}",
            expected="a name on each line",
            do="fetch the file again",
        )
    return table.rename(dict(zip(table.columns, [INDEX, *titles(names)], strict=True)))


def _joined(rows: pl.DataFrame, table: pl.DataFrame, path: Path) -> pl.DataFrame:
    """Add to the barcodes what a table says of them; a cell that is not in the table has nulls."""
    header = table.row(0) if table.height else table.columns
    names = titles([*rows.columns[1:], *(name or "" for name in header[1:])])[rows.width - 1 :]
    table = table.slice(1)
    table = table.rename(dict(zip(table.columns, [INDEX, *names], strict=True)))
    table = table.with_columns(as_published(table[INDEX], rows[INDEX]))
    is_known = rows[INDEX].is_in(table[INDEX].implode())
    repeated = table.filter(pl.col(INDEX).is_duplicated())[INDEX].head(1).to_list()
    if repeated or not is_known.any():
        raise SourceFormatError(
            "a table of cells does not fit the barcodes",
            where=str(path),
            expected=f"the barcodes, such as {rows[INDEX].head(1).to_list()}, in its first column, each once",
            got=f"{repeated[0]!r} twice" if repeated else f"{table[INDEX].head(1).to_list()}",
            do="mend the table, or take it out of the folder",
        )
    columns = [_described(table[name]) for name in names]
    return rows.join(pl.DataFrame([table[INDEX], *columns]), on=INDEX, how="left", maintain_order="left")


def _described(column: pl.Series) -> pl.Series:
    """Read what a column says of the cells: what is missing as null, and numbers as numbers."""
    return typed(column.replace(dict.fromkeys(MISSING)))
