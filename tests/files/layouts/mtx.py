"""Matrix Market triplets: a 10x folder, and a folder as scPerturb and R's ``writeMM`` leave it."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
import polars as pl
import scipy.sparse

from ingest.reader import INDEX

if TYPE_CHECKING:
    from ingest.layouts.h5ad import Matrix

Order: TypeAlias = Literal["cell", "gene", "shuffled"]


def write_10x(
    folder: Path, matrix: Matrix, rows: pl.DataFrame, genes: pl.DataFrame, *, compressed: bool = True
) -> Path:
    """Write a folder as Cell Ranger does, and return the path of the matrix.

    ``matrix`` has shape (cells, genes) and is written genes by cells. ``genes`` is keyed by Ensembl id; its next column
    is the symbol, its third, where there is one, the feature type. Compressed (version 3), the table is called
    features; otherwise (version 2) genes, with no feature type.
    """
    folder.mkdir(parents=True, exist_ok=True)
    suffix = ".gz" if compressed else ""
    has_types = not compressed or genes.width > 2
    features = genes if has_types else genes.with_columns(feature_type=pl.lit("Gene Expression"))
    _write_lines(folder / f"barcodes.tsv{suffix}", rows.select(INDEX))
    _write_lines(folder / f"{'features' if compressed else 'genes'}.tsv{suffix}", features)
    return write_mtx(folder / f"matrix.mtx{suffix}", matrix)


def write_scperturb(folder: Path, matrix: Matrix, rows: pl.DataFrame, genes: pl.DataFrame) -> Path:
    """Write a folder as R does, and return the path of the matrix.

    Barcodes and genes are tables of row numbers and names, and what is known of the cells is in a table of its own.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, keys in (("barcodes", rows[INDEX]), ("genes", genes[INDEX])):
        _write_as_r(folder / f"{name}.csv", pl.DataFrame({"": map(str, range(1, len(keys) + 1)), "x": keys}))
    _write_as_r(folder / "seurat_metadata.csv", rows.rename({INDEX: ""}))
    return write_mtx(folder / "matrix.mtx", matrix)


def write_mtx(
    path: Path,
    matrix: Matrix,
    *,
    genes_first: bool = True,
    order: Order = "cell",
    seed: int = 0,
    comment: str = "%",
    size_width: int = 0,
) -> Path:
    """Write the matrix alone, gzip-compressed where the name ends in ``.gz``.

    Parameters
    ----------
    matrix
        Shape (cells, genes); integers are written as such, anything else as real numbers.
    genes_first
        Whether the file is genes by cells, as by Cell Ranger, or cells by genes.
    order
        Of the entries: sorted by cell, by gene, or shuffled.
    seed
        Of the shuffle.
    comment
        The second line, as a program writes it.
    size_width
        To how many characters the line of the size is padded with spaces: bustools overwrites it at the end.
    """
    entries = scipy.sparse.coo_array(
        scipy.sparse.csc_array(matrix) if order == "gene" else scipy.sparse.csr_array(matrix)
    )
    cells, genes = (axis + 1 for axis in entries.coords)
    table = pl.DataFrame({"gene": genes, "cell": cells, "value": entries.data})
    if order == "shuffled":
        table = table.sample(fraction=1.0, shuffle=True, seed=seed)
    if not genes_first:
        table = table.select("cell", "gene", "value")
    n_cells, n_genes = entries.shape
    size = (n_genes, n_cells) if genes_first else (n_cells, n_genes)
    field = "integer" if np.issubdtype(entries.dtype, np.integer) else "real"
    if field == "real":
        table = table.with_columns(pl.col("value").cast(pl.String).str.strip_suffix(".0"))
    sizes = f"{size[0]} {size[1]} {entries.nnz}".ljust(size_width)
    head = f"%%MatrixMarket matrix coordinate {field} general\n{comment}\n{sizes}\n"
    _write(path, head.encode() + table.write_csv(include_header=False, separator=" ").encode())
    return path


def _write_as_r(path: Path, table: pl.DataFrame) -> None:
    """Write a table as ``write.csv`` does: text in quotes, TRUE and FALSE, NA for missing."""
    quoted = table.with_columns(
        pl.format('"{}"', pl.col(pl.String)), pl.col(pl.Boolean).cast(pl.String).str.to_uppercase()
    ).rename({name: f'"{name}"' for name in table.columns})
    quoted.write_csv(path, null_value="NA", quote_style="never")


def _write_lines(path: Path, table: pl.DataFrame) -> None:
    _write(path, table.write_csv(include_header=False, separator="\t", quote_style="never").encode())


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(gzip.compress(content, mtime=0) if path.suffix == ".gz" else content)
