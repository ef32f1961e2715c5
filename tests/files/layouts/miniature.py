"""The world of the miniature files: some real genes, and counts in which what was perturbed can be seen.

A gene that is targeted has a tenth of its counts left (or eight times as many), a compound halves its target.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl

from ingest.layouts.h5ad import Layout, write_h5ad
from ingest.reader import INDEX

Miniature: TypeAlias = Callable[[Path], None]
"""Writes the files that the spec of a published dataset names into a folder."""

Counts = npt.NDArray[np.int64]

GENES = pl.DataFrame(
    {
        INDEX: [
            *("ENSG00000187634", "ENSG00000188976", "ENSG00000141510", "ENSG00000136997", "ENSG00000115415"),
            *("ENSG00000096968", "ENSG00000105610", "ENSG00000119335", "ENSG00000118260", "ENSG00000100219"),
            *("ENSG00000172071", "ENSG00000178607", "ENSG00000118217", "ENSG00000115085", "ENSG00000182866"),
            *("ENSG00000184445", "ENSG00000143674", "ENSG00000187522", "ENSG00000284024", "ENSG00000112096"),
            *("ENSG00000111640", "ENSG00000075624", "ENSG00000198695"),
        ],
        "gene_name": [
            *("SAMD11", "NOC2L", "TP53", "MYC", "STAT1", "JAK2", "KLF1", "SET", "CREB1", "XBP1", "EIF2AK3", "ERN1"),
            *("ATF6", "ZAP70", "LCK", "KNTC1", "MAP3K21", "HSPA14", "HSPA14", "SOD2", "GAPDH", "ACTB", "MT-ND6"),
        ],
    }
)
"""Measured genes: HSPA14 is the symbol of two, and the id of SOD2 was retired since."""

SYMBOLS = GENES.with_columns(
    pl.when(pl.col("gene_name").is_duplicated() & (pl.col(INDEX) == "ENSG00000284024"))
    .then(pl.lit("HSPA14_ENSG00000284024"))
    .otherwise("gene_name")
    .alias(INDEX),
    ensembl_id=INDEX,
)
"""The same keyed by symbols made unique, with the identifiers in ``ensembl_id``."""

NON_TARGETING = "non-targeting"
DEPTH = 12.0
LEFT = 0.1


def shuffled(sizes: Mapping[Any, int], seed: int) -> list[Any]:
    """Return labels, each as often as asked for, in an order that only the seed decides."""
    labels = [label for label, n in sizes.items() for _ in range(n)]
    return [labels[at] for at in np.random.default_rng(seed).permutation(len(labels))]


def simulate(
    targets: Sequence[Collection[str]],
    seed: int,
    *,
    left: float = LEFT,
    genes: pl.DataFrame = GENES,
    depth: float = DEPTH,
) -> Counts:
    """Draw counts, shape (rows, genes).

    Parameters
    ----------
    targets
        The symbols of what was perturbed in each row.
    left
        What is left of their expression.
    genes
        The measured genes, with ``gene_name``.
    depth
        Mean count of a gene.
    """
    rng = np.random.default_rng(seed)
    symbols = genes["gene_name"].to_list()
    rates = np.tile(depth * rng.uniform(0.5, 1.5, len(symbols)), (len(targets), 1))
    for row, hit in enumerate(targets):
        rates[row, [symbols.index(symbol) for symbol in hit if symbol in symbols]] *= left
    return rng.poisson(rates)


def pooled(targets: Sequence[str], cells: Sequence[int]) -> Counts:
    """Draw the sums of some populations of cells. Shape (populations, genes)."""
    pools = zip(targets, cells, strict=True)
    return np.stack([simulate([[target]] * n, seed).sum(axis=0) for seed, (target, n) in enumerate(pools)])


def barcodes(n: int, suffix: str = "-1") -> list[str]:
    """Return different names of cells."""
    return [f"AAACCCAAGA{''.join('ACGT'[number // 4**power % 4] for power in range(6))}{suffix}" for number in range(n)]


ALIASES = {"PERK": "EIF2AK3", "IRE1": "ERN1", "KIAA1804": "MAP3K21"}


def targets_of(label: str | None) -> list[str]:
    """Name the genes that a published label, in any of its spellings, stands for."""
    parts = (re.sub(r"^(?:p-)?sg|-\d+$", "", part) for part in re.split(r"[_+| ]", label or ""))
    return [ALIASES.get(part, part) for part in parts]


def screen(
    name: str,
    column: str,
    sizes: Mapping[Any, int],
    *,
    seed: int,
    genes: pl.DataFrame = SYMBOLS,
    layout: Layout = "csr",
    logs: bool = False,
    left: float = LEFT,
    unmeasured: int = 0,
    bare: bool = False,
    counts_in: str = "X",
    columns: Mapping[str, Any] = MappingProxyType({}),
) -> Miniature:
    """Describe an AnnData file of cells with their labels in a column.

    Parameters
    ----------
    name
        The file.
    column, sizes
        The column of labels, and the cells of each.
    genes
        The measured genes.
    logs
        Whether the values are log1p of counts per 10,000.
    left
        What is left of a target's expression.
    unmeasured
        How many of the last genes are columns of zeros.
    bare
        Whether nothing is said of the genes but their key.
    counts_in
        Where the counts are: ``X``, or ``raw/X`` or a layer beside their logarithms in ``X``.
    columns
        Further columns: a value for all cells, a list that is repeated, or a function of the label.
    """

    def write(folder: Path) -> None:
        label = shuffled(sizes, seed)
        counts = simulate([targets_of(text) for text in label], seed, genes=genes, left=left)
        counts[:, counts.shape[1] - unmeasured :] = 0
        values = np.log1p(counts / counts.sum(axis=1, keepdims=True) * 1e4).astype(np.float32) if logs else counts
        rows = pl.DataFrame({INDEX: barcodes(len(label)), column: pl.Series(label, dtype=pl.String)})
        rows = rows.with_columns(
            pl.Series(title, [_cell(value, at, text) for at, text in enumerate(label)])
            for title, value in columns.items()
        )
        table = genes.select(INDEX) if bare else genes
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if counts_in == "raw/X":
            write_h5ad(path, np.log1p(counts), rows, table, layout=layout, raw=(counts, table))
        elif counts_in != "X":
            layers = {counts_in.removeprefix("layers/"): counts.astype(np.float32)}
            write_h5ad(path, np.log1p(counts), rows, table, layout=layout, layers=layers)
        else:
            write_h5ad(path, values.astype(np.float32), rows, table, layout=layout)

    return write


def _cell(value: Any, at: int, label: Any) -> Any:
    """Give what a column says of one cell."""
    if callable(value):
        return value(label)
    return value[at % len(value)] if isinstance(value, list) else value


def together(*miniatures: Miniature) -> Miniature:
    """Describe the files of one dataset."""

    def write(folder: Path) -> None:
        for miniature in miniatures:
            miniature(folder)

    return write
