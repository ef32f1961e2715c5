"""Miniatures of the files of Replogle et al. 2022 and Nadig et al. 2025, cells and bulk, with their traps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from ingest.layouts.replogle import replogle_genes, replogle_rows, write_replogle
from ingest.reader import INDEX
from layouts.miniature import GENES, NON_TARGETING, Counts, Miniature, pooled, shuffled, simulate

GUIDES = {NON_TARGETING: 60, "STAT1": 24, "JAK2": 24, "AC118549.1": 12, "MTRNR2L1": 3}
"""Cells of each target: AC118549.1 is a name of the past, MTRNR2L1 has too few cells to tell anything."""


def replogle(name: str, *, seed: int, optional: bool = True) -> Miniature:
    """Describe cells as Replogle 2022; Nadig 2025 publishes nine of the columns of cells."""

    def write(folder: Path) -> None:
        target = shuffled(GUIDES, seed)
        counts = simulate([[symbol] for symbol in target], seed)
        ids = dict(zip(GENES["gene_name"], GENES[INDEX], strict=True)) | {NON_TARGETING: NON_TARGETING}
        batch = [1 + at % 3 for at in range(len(target))]
        gene_id = [ids.get(symbol, "ENSG00000000001") for symbol in target]
        rows = replogle_rows(counts, target, gene_id, batch, unresolved={"MTRNR2L1"})
        rows = rows if optional else rows.drop("core_scale_factor", "core_adjusted_UMI_count")
        genes = replogle_genes(counts, GENES[INDEX].to_list(), GENES["gene_name"].to_list())
        write_replogle(folder / name, counts, rows, genes)

    return write


POPULATIONS = {
    "10023_STAT1_P1_ENSG00000115415": ("STAT1", 210, 220),
    "10024_STAT1_P2_ENSG00000115415": ("STAT1", 90, 95),
    "4360_JAK2_P1P2_ENSG00000096968": ("JAK2", None, 33),
    "771_MTRNR2L1_P1P2_nan": ("MTRNR2L1", 12, 14),
    "0_non-targeting_non-targeting_non-targeting": (NON_TARGETING, 500, 510),
    "1_non-targeting_non-targeting_non-targeting": (NON_TARGETING, 410, 430),
    "2_non-targeting_non-targeting_non-targeting": (NON_TARGETING, 390, 400),
}
"""Populations of the bulk files: target, and cells after and before filtering."""


def populations() -> tuple[Counts, pl.DataFrame]:
    """Draw the sums of the populations, shape (populations, genes), and make their table."""
    cells = [filtered or unfiltered for _, filtered, unfiltered in POPULATIONS.values()]
    sums = pooled([target for target, *_ in POPULATIONS.values()], cells)
    rows = pl.DataFrame(
        {
            INDEX: list(POPULATIONS),
            "num_cells_filtered": [filtered for _, filtered, _ in POPULATIONS.values()],
            "num_cells_unfiltered": [unfiltered for *_, unfiltered in POPULATIONS.values()],
            "core_control": [target == NON_TARGETING for target, *_ in POPULATIONS.values()],
            "energy_test_p_value": [0.01 * number for number in range(len(POPULATIONS))],
        },
        schema_overrides={"num_cells_filtered": pl.Float64},
    )
    return sums, rows


def raw_bulk(name: str) -> Miniature:
    """Describe populations by the mean UMI of a cell, which times the cells is whole."""

    def write(folder: Path) -> None:
        sums, rows = populations()
        cells = rows.select(pl.coalesce(pl.col("num_cells_filtered"), "num_cells_unfiltered")).to_series().to_numpy()
        genes = replogle_genes(sums, GENES[INDEX].to_list(), GENES["gene_name"].to_list())
        write_replogle(folder / name, sums / cells[:, None], rows, genes, row_key="gene_transcript")

    return write


def normalised_bulk(name: str) -> Miniature:
    """Describe populations by z-scores, some of which are infinite or not a number."""

    def write(folder: Path) -> None:
        sums, rows = populations()
        scores = np.random.default_rng(8).normal(size=sums.shape)
        scores[0, 0], scores[1, 1], scores[2, 2] = np.inf, -np.inf, np.nan
        genes = replogle_genes(sums, GENES[INDEX].to_list(), GENES["gene_name"].to_list())
        write_replogle(folder / name, scores, rows, genes, row_key="gene_transcript")

    return write


REPLOGLE_SCREENS: dict[str, Miniature] = {
    "replogle_2022_k562_essential": replogle("K562_essential_raw_singlecell_01.h5ad", seed=1),
    "replogle_2022_k562_gwps": replogle("K562_gwps_raw_singlecell_01.h5ad", seed=2),
    "replogle_2022_rpe1": replogle("rpe1_raw_singlecell_01.h5ad", seed=3),
    "replogle_2022_k562_essential_bulk": raw_bulk("K562_essential_raw_bulk_01.h5ad"),
    "replogle_2022_k562_gwps_bulk": raw_bulk("K562_gwps_raw_bulk_01.h5ad"),
    "replogle_2022_rpe1_bulk": raw_bulk("rpe1_raw_bulk_01.h5ad"),
    "replogle_2022_k562_essential_normalised_bulk": normalised_bulk("K562_essential_normalized_bulk_01.h5ad"),
    "replogle_2022_k562_gwps_normalised_bulk": normalised_bulk("K562_gwps_normalized_bulk_01.h5ad"),
    "replogle_2022_rpe1_normalised_bulk": normalised_bulk("rpe1_normalized_bulk_01.h5ad"),
    "nadig_2025_hepg2": replogle("GSE264667_hepg2_raw_singlecell_01.h5ad", seed=4, optional=False),
    "nadig_2025_jurkat": replogle("GSE264667_jurkat_raw_singlecell_01.h5ad", seed=5, optional=False),
}
"""By the name of the shipped spec."""
