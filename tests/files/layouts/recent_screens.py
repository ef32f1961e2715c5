"""Miniatures of CRISPR screens published since 2025 by their authors: VIPerturb-seq, Southard 2025, Liu 2026."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import polars as pl

from layouts.miniature import GENES, SYMBOLS, Miniature, screen


def viperturb(folder: Path) -> None:
    """VIPerturb-seq, as exported from Seurat: symbols only, a guide and a well for each cell."""
    columns = {
        "orig.ident": "VIP", "nCount_RNA": 15_100, "nFeature_RNA": 5_300, "nCount_GDO": 40, "guide": ["g0", "g1", "g2"],
        "sample": ["well1", "well2"], "nFeature_GDO": 3,
    }  # fmt: skip
    sizes = {"NO-TARGET": 60, "STAT1": 24, "JAK2": 24, "WRB": 12}
    screen("genome_wide_filtered.h5ad", "gene", sizes, seed=60, bare=True, columns=columns)(folder)


def southard(folder: Path, *, name: str, batch: str) -> None:
    """Southard 2025: CRISPRa, targets cut off their guides at the first ``_``, which leaves ``non`` of the controls."""
    columns = {batch: ["10A", "12B"], "guide_identity": "MYC_GGG", "control": False, "keep": True}
    sizes = {"non": 60, "STAT1": 24, "MYC": 20}
    screen(f"{name}.h5ad", "guide_target", sizes, seed=66, genes=GENES, left=8.0, columns=columns)(folder)


def liu(folder: Path) -> None:
    """Liu 2026: logarithms in ``X``, counts in a layer, one of four batches in each lane."""
    columns = {"Lane": ["Lane1-1", "Lane1-2"], "Batch": ["batch1", "batch2"], "sgRNA": "CCGG", "phase": "G1"}
    genes = SYMBOLS.with_columns(gene_symbol=pl.col("gene_name"))
    screen(
        "GSE345058_SC_raw_normalized_counts.h5ad", "Perturbation", {"Nontargeting": 60, "STAT1": 24, "JAK2": 20},
        seed=67, genes=genes, counts_in="layers/raw_counts", columns=columns,
    )(folder)  # fmt: skip


RECENT_SCREENS: dict[str, Miniature] = {
    "viperturb_2026_k562": viperturb,
    "southard_2025_rpe1": partial(southard, name="RPE1_CRISPRa_final_population", batch="dataset"),
    "southard_2025_hs27": partial(southard, name="fibroblast_CRISPRa_final_pop", batch="gem_group"),
    "liu_2026_a549": liu,
}
"""By the name of the shipped spec."""
