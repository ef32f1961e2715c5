"""Files as Replogle et al. 2022 (doi:10.1016/j.cell.2022.05.013) published their cells: one is a row of ``X``.

``X`` is dense float32, contiguous and uncompressed; the tables are encoded as by AnnData 0.7, categories apart from
their codes. Controls are ``non-targeting``. A target that could not be resolved has the text ``nan`` as its
``gene_id``. Measured genes have an Ensembl id as key and a symbol that may repeat.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
import polars as pl

from ingest.layouts.h5ad import TEXT, codes_of
from ingest.reader import INDEX

NON_TARGETING = "non-targeting"
BASES = np.array(list("ACGT"))
BARCODE_LENGTH = 16
MIXER = 0x9E3779B1
"""Odd, so that multiplying by it sends different numbers to different barcodes."""


def replogle_rows(
    counts: npt.NDArray[np.number[Any]],
    gene: Sequence[str],
    gene_id: Sequence[str],
    gem_group: Sequence[int],
    *,
    unresolved: Collection[str] = (),
) -> pl.DataFrame:
    """Make the published table of cells.

    Parameters
    ----------
    counts
        Unique molecules, shape (cells, genes).
    gene, gene_id
        Symbol and Ensembl id of each cell's target, both ``non-targeting`` for a control.
    gem_group
        The channel each cell was in.
    unresolved
        Symbols whose ``gene_id`` is the text ``nan``.
    """
    total = counts.sum(axis=1).astype(np.float64)
    cells = pl.DataFrame(
        {
            INDEX: [f"{barcode}-{group}" for barcode, group in zip(barcodes(len(gene)), gem_group, strict=True)],
            "gem_group": pl.Series(gem_group, dtype=pl.Int64),
            "gene": gene,
            "gene_id": ["nan" if symbol in unresolved else name for symbol, name in zip(gene, gene_id, strict=True)],
            "UMI_count": total,
        }
    )
    is_control = pl.col("gene") == NON_TARGETING
    number = pl.col("gene").rank("dense").cast(pl.String)
    guides = [
        pl.format("{}_{}_{}.23-P1P2", "gene", pl.lit(strand), 10_000 + pl.col("gene").rank("dense")) for strand in "+-"
    ]
    spread = pl.col("UMI_count").std().over("gem_group").fill_null(1.0).replace(0.0, 1.0)
    mean = pl.col("UMI_count").mean()
    cells = cells.with_columns(transcript=pl.when(is_control).then(pl.lit(NON_TARGETING)).otherwise(pl.lit("P1P2")))
    return cells.with_columns(
        gene_transcript=pl.concat_str([number, "gene", "transcript", "gene_id"], separator="_"),
        sgID_AB=pl.concat_str(guides, separator="|"),
        mitopercent=pl.col("UMI_count").rank("ordinal") / (10 * pl.len()),
        z_gemgroup_UMI=(pl.col("UMI_count") - mean.over("gem_group")) / spread,
        core_scale_factor=mean.over("gem_group") / mean,
    ).select(
        INDEX,
        *("gem_group", "gene", "gene_id", "transcript", "gene_transcript", "sgID_AB"),
        pl.col("mitopercent", "UMI_count", "z_gemgroup_UMI", "core_scale_factor").cast(pl.Float32),
        core_adjusted_UMI_count=(pl.col("UMI_count") / pl.col("core_scale_factor")).cast(pl.Float32),
    )


def replogle_genes(counts: npt.NDArray[np.number[Any]], gene_id: Sequence[str], symbol: Sequence[str]) -> pl.DataFrame:
    """Make the published table of measured genes: Ensembl ids, symbols, and their moments over the cells."""
    begin = 10_000 * np.arange(1, len(gene_id) + 1)
    mean, std = counts.mean(axis=0), counts.std(axis=0)
    variation = np.divide(std, mean, out=np.zeros(len(mean)), where=mean > 0)
    return pl.DataFrame(
        {
            INDEX: gene_id,
            "gene_name": symbol,
            "chr": [f"chr{1 + at % 22}" for at in range(len(gene_id))],
            "start": begin,
            "end": begin + 5_000,
            "class": [f"gene_version{1 + at % 9}" for at in range(len(gene_id))],
            "strand": ["+-"[at % 2] for at in range(len(gene_id))],
            "length": np.full(len(gene_id), 5_000),
            "in_matrix": np.ones(len(gene_id), bool),
            "mean": mean.astype(np.float64),
            "std": std.astype(np.float64),
            "cv": variation.astype(np.float64),
            "fano": (variation * std).astype(np.float64),
        }
    )


def write_replogle(
    path: Path,
    counts: npt.NDArray[np.number[Any]],
    rows: pl.DataFrame,
    genes: pl.DataFrame,
    *,
    row_key: str = "cell_barcode",
    gene_key: str = "gene_id",
    with_references: bool = True,
) -> Path:
    """Write a file of this layout; the bulk files are the same with ``row_key="gene_transcript"``.

    Parameters
    ----------
    counts
        Shape (rows, genes); written as float32.
    rows, genes
        The tables, keyed by ``index``.
    row_key, gene_key
        What the keys are called in the file.
    with_references
        Whether a column's codes point at its categories; without, only their names tell that they belong together.
    """
    with h5py.File(path, "w") as file:
        file.create_dataset("X", data=np.asarray(counts, np.float32))
        _write_table(file.create_group("obs"), rows, row_key, with_references=with_references)
        _write_table(file.create_group("var"), genes, gene_key, with_references=with_references)
    return path


def barcodes(n: int) -> list[str]:
    """Make different barcodes of 16 bases."""
    numbers = (np.arange(n, dtype=np.uint64) * MIXER) % 4**BARCODE_LENGTH
    digits = (numbers[:, None] >> np.arange(0, 2 * BARCODE_LENGTH, 2, dtype=np.uint64)) & np.uint64(3)
    return ["".join(bases) for bases in BASES[digits.astype(np.intp)]]


def _write_table(group: h5py.Group, table: pl.DataFrame, key: str, *, with_references: bool) -> None:
    columns = [name for name in table.columns if name != INDEX]
    group.attrs.update({"_index": key, "encoding-type": "dataframe", "encoding-version": "0.1.0"})
    group.attrs.create("column-order", columns, dtype=TEXT)
    group.create_dataset(key, data=table[INDEX].to_list(), dtype=TEXT)
    for name in columns:
        if table[name].dtype != pl.String:
            group.create_dataset(name, data=table[name].to_numpy())
            continue
        codes, categories = codes_of(table[name])
        column = group.create_dataset(name, data=codes)
        stored = group.create_dataset(f"__categories/{name}", data=categories.to_list(), dtype=TEXT)
        stored.attrs["ordered"] = False
        if with_references:
            column.attrs["categories"] = stored.ref
