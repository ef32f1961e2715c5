"""A sample of sci-Plex as deposited: triplets without a header, gene and cell annotations, and pData, all gzip."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl
import scipy.sparse

from ingest.layouts.h5ad import Matrix
from ingest.reader import INDEX


def write_triplets(
    folder: Path,
    prefix: str,
    matrix: Matrix,
    rows: pl.DataFrame,
    genes: pl.DataFrame,
    *,
    annotations: Literal["headed", "bare"] = "headed",
    with_cells: bool = True,
) -> Path:
    """Write a sample, and return the path of its matrix.

    Parameters
    ----------
    prefix
        What the names of its files begin with, such as ``GSM4150378_sciPlex3_A549_MCF7_K562_screen_``.
    matrix
        Counts, shape (cells, genes).
    rows, genes
        The tables, keyed by ``index``; the second column of ``genes`` is the symbol. A row in which all but the key is
        null is in the matrix, but not in pData where the cells have a table of their own.
    annotations
        Separated by spaces with a header, as of sci-Plex 3, or by tabs without, as of 2 and 4.
    with_cells
        Whether there are cell annotations beside pData.
    """
    entries = scipy.sparse.coo_array(scipy.sparse.csr_array(matrix))
    cells, positions = (axis + 1 for axis in entries.coords)
    triplets = pl.DataFrame({"gene": positions, "cell": cells, "count": entries.data.astype(np.int64)})
    described = rows.rename({INDEX: "cell"}).with_columns(sample=pl.lit(prefix))
    if with_cells:
        _write(folder / f"{prefix}cell.annotations.txt.gz", described.select("cell", "sample"), "\t")
        described = described.filter(~pl.all_horizontal(pl.exclude("cell", "sample").is_null()))
    _write_r(folder / f"{prefix}pData.txt.gz", described)
    named = genes.select(pl.col(INDEX).alias("id"), genes.to_series(1).alias("gene_short_name"))
    if annotations == "headed":
        _write_r(folder / f"{prefix}gene.annotations.txt.gz", named)
    else:
        _write(folder / f"{prefix}gene.annotations.txt.gz", named, "\t")
    return _write(folder / f"{prefix}UMI.count.matrix.gz", triplets, "\t")


def _write(path: Path, table: pl.DataFrame, separator: str) -> Path:
    text = table.write_csv(include_header=False, separator=separator, quote_style="never")
    path.write_bytes(gzip.compress(text.encode(), mtime=0))
    return path


def _write_r(path: Path, table: pl.DataFrame) -> None:
    """Write a table with quoted text, its header one title short, as R names its rows."""
    header = " ".join(f'"{name}"' for name in table.columns)
    numbered = table.select(pl.int_range(1, table.height + 1).cast(pl.String), pl.all())
    body = numbered.write_csv(include_header=False, separator=" ", quote_style="non_numeric", null_value="NA")
    path.write_bytes(gzip.compress(f"{header}\n{body}".encode(), mtime=0))
