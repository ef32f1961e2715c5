"""Cells as lists of gene tokens in Parquet, as Tahoe-100M and X-Atlas/Orion are published, with their vocabulary."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import scipy.sparse

from ingest.layouts.h5ad import Matrix
from ingest.reader import INDEX

VOCABULARY = "gene_metadata.parquet"
FIRST_TOKEN = 3
"""Tokens 0 to 2 are for padding, the marker, and the end of a cell."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """What a publisher calls things, and the marker at the head of a cell: its token and its value."""

    tokens: str
    values: str
    key: str
    token: str
    gene_id: str
    gene_symbol: str
    marker: tuple[int, float] | None = None


TAHOE = Dialect("genes", "expressions", "BARCODE_SUB_LIB_ID", "token_id", "ensembl_id", "gene_symbol", marker=(1, -2.0))
ORION = Dialect("gene_token_id", "gene_expression", "cell_barcode", "gene_token_id", "ensembl_id", "gene_name")


def write_tokens(
    path: Path,
    matrix: Matrix,
    rows: pl.DataFrame,
    *,
    dialect: Dialect = TAHOE,
    marked: Collection[int] = (),
    stray: int | None = None,
) -> Path:
    """Write a file of cells.

    Parameters
    ----------
    matrix
        Counts, shape (cells, genes).
    rows
        The cells, keyed by ``index``.
    marked
        Cells that begin with the dialect's marker.
    stray
        A token that no gene has, given to every second cell with a count of 7.
    """
    counts = scipy.sparse.csr_array(matrix)
    tokens, values = [], []
    for cell in range(counts.shape[0]):
        part = slice(counts.indptr[cell], counts.indptr[cell + 1])
        head = [dialect.marker] if dialect.marker and cell in marked else []
        tail = [(stray, 7.0)] if stray is not None and cell % 2 else []
        pairs = [*head, *zip(counts.indices[part] + FIRST_TOKEN, counts.data[part], strict=True), *tail]
        tokens.append([int(token) for token, _ in pairs])
        values.append([float(value) for _, value in pairs])
    columns = {name: rows[name].to_arrow() for name in rows.columns if name != INDEX}
    lists = {
        dialect.tokens: pa.array(tokens, pa.list_(pa.int64())),
        dialect.values: pa.array(values, pa.list_(pa.float32())),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(lists | {dialect.key: rows[INDEX].to_arrow()} | columns), path)
    return path


def write_vocabulary(folder: Path, genes: pl.DataFrame, *, dialect: Dialect = TAHOE) -> Path:
    """Write which gene each token stands for; ``genes`` is keyed by Ensembl id, its next column being the symbol."""
    folder.mkdir(parents=True, exist_ok=True)
    table = pl.DataFrame(
        {
            dialect.gene_symbol: genes.to_series(1),
            dialect.gene_id: genes[INDEX],
            dialect.token: pl.int_range(FIRST_TOKEN, FIRST_TOKEN + genes.height, eager=True),
        }
    )
    path = folder / VOCABULARY
    table.write_parquet(path)
    return path
