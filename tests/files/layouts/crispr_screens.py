"""Miniatures of published CRISPR screens: the files that the shipped specs name, with the traps that are in them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from ingest.layouts.h5ad import write_h5ad
from ingest.reader import INDEX
from layouts.miniature import (
    GENES,
    NON_TARGETING,
    SYMBOLS,
    Miniature,
    barcodes,
    pooled,
    screen,
    shuffled,
    simulate,
    targets_of,
    together,
)
from layouts.mtx import write_scperturb
from layouts.tokens import ORION, write_tokens, write_vocabulary


def challenge(name: str, *, seed: int = 25) -> Miniature:
    """Cells of the Virtual Cell Challenge 2025, with the numbers of cells in a table beside them."""
    sizes = {NON_TARGETING: 60, "STAT1": 24, "KLF1": 24, "HSPA14": 12}
    genes = SYMBOLS.select(INDEX, gene_id="ensembl_id", gene_name="gene_name")
    cells = screen(
        name,
        "target_gene",
        sizes,
        seed=seed,
        genes=genes,
        columns={"guide_id": "g", "batch": ["Flex_1_01", "Flex_2_01"]},
    )

    def write(folder: Path) -> None:
        cells(folder)
        counts = pl.DataFrame({"target_gene": list(sizes), "n_cells": list(sizes.values())})
        counts.with_columns(median_umi_per_cell=54_000.0).write_csv(folder / "pert_counts_Training.csv")

    return write


def contexts(letters: str = "ABC", *, with_header: bool = False) -> Miniature:
    """Control cells of the Virtual Cell Challenge 2026, and its list of genes; SAMD11 is the first of them."""
    guides = [f"NTC_{number:03d}" for number in range(5)]
    files = [
        screen(
            f"context_{letter}.h5ad", "target_gene", {NON_TARGETING: 40}, seed=seed, bare=True,
            columns={"context": letter, "ntc_id": guides},
        )
        for seed, letter in enumerate(letters)
    ]  # fmt: skip

    def write(folder: Path) -> None:
        together(*files)(folder)
        SYMBOLS.select(gene_name=INDEX).write_csv(folder / "gene_names.csv", include_header=with_header)

    return write


def support(name: str, *, seed: int, unmeasured: int) -> Miniature:
    """Cells of the Arc State support set: AnnData named ``.h5``, dense logarithms, unmeasured genes all zero."""
    sizes = {NON_TARGETING: 60, "STAT1": 24, "KLF1": 24}
    return screen(
        name, "target_gene", sizes, seed=seed, bare=True, layout="dense", logs=True,
        unmeasured=unmeasured, columns={"batch_var": ["1", "2"], "cell_type": "x"},
    )  # fmt: skip


def norman(folder: Path) -> None:
    """Norman 2019 in scPerturb: combinations at ``_``, controls of several guides without a target."""
    sizes = {"control": 60, "SET_KLF1": 20, "KLF1": 20, "SET": 20, "CEBPA": 12}
    genes = SYMBOLS.rename({"ensembl_id": "ensemble_id"})
    guides = ["NegCtrl10_NegCtrl0;NegCtrl10_NegCtrl0", "KLF1_NegCtrl0;KLF1_NegCtrl0"]
    screen(
        "NormanWeissman2019_filtered.h5ad", "perturbation", sizes, seed=19, genes=genes, left=8.0,
        columns={"cell_line": "K562", "guide_id": guides, "gemgroup": [1, 2], "perturbation_type": "CRISPR"},
    )(folder)  # fmt: skip


ADAMSON = {
    "62(mod)_pBA581": 20, "63(mod)_pBA580": 20, "3x_neg_ctrl_pMJ144-1": 20, "CREB1_pDS269": 20, "XBP1_pBA578": 20,
    "PERK_only_pMJ146": 20, "PERK_IRE1_pMJ154": 20, "ATF6_PERK_IRE1_pMJ158": 20, "*": 5, None: 4,
}  # fmt: skip
"""Cells of each guide of Adamson 2016; no label says control."""


def adamson(name: str, *, seed: int) -> Miniature:
    """Adamson 2016 in scPerturb: guides with their plasmids, and spaces in the names of columns."""
    return screen(
        name, "perturbation", ADAMSON, seed=seed, columns={"cell_line": "K562", "read count": 1, "UMI count": 1}
    )


def datlinger(folder: Path) -> None:
    """Datlinger 2017 in scPerturb: two guides a gene, stimulated or not."""
    sizes = {"control": 60, "Tcrlibrary_ZAP70_1": 15, "Tcrlibrary_ZAP70_2": 15, "Tcrlibrary_LCK_1": 15}
    columns = {"cell_line": "Jurkat cells", "perturbation_2": ["stimulated", "unstimulated"]}
    screen("DatlingerBock2017.h5ad", "perturbation", sizes, seed=17, columns=columns)(folder)


def datlinger_folder(folder: Path) -> None:
    """Write the same as R's writeMM leaves it: a folder of mtx, genes by cells."""
    label = shuffled({"control": 60, "ZAP70_1": 15, "ZAP70_2": 15, "LCK_1": 15}, 17)
    rows = pl.DataFrame(
        {
            INDEX: barcodes(len(label), ""),
            "cell_line": "Jurkat cells",
            "perturbation": label,
            "perturbation_2": [["stimulated", "unstimulated"][at % 2] for at in range(len(label))],
        }
    )
    write_scperturb(
        folder / "datlinger2017", simulate([targets_of(text) for text in label], 17), rows, SYMBOLS.select(INDEX)
    )


def gears(name: str, *, seed: int) -> Miniature:
    """Describe a file of GEARS: the control on either side of ``+``, and symbols that were replaced since."""
    sizes = {"ctrl": 60, "STAT1+ctrl": 12, "ctrl+STAT1": 12, "KIAA1804+ctrl": 20, "SET+KLF1": 20}
    genes = GENES.filter(pl.col("gene_name").is_unique())
    return screen(
        f"{name}/perturb_processed.h5ad", "condition", sizes, seed=seed, genes=genes, logs=True,
        columns={"cell_type": "K562"},
    )  # fmt: skip


def orion(line: str) -> Miniature:
    """Two batches of X-Atlas/Orion: token lists, controls with capitals, cells that the guide filter fails."""

    def write(folder: Path) -> None:
        write_vocabulary(folder, GENES, dialect=ORION)
        for batch in (1, 2):
            label = shuffled({"Non-Targeting": 40, "STAT1": 20, "JAK2": 20, "KLF1": 8}, batch)
            rows = pl.DataFrame(
                {
                    INDEX: barcodes(len(label), f"-{line}_Batch{batch}"),
                    "sample": f"{line}_Batch{batch}",
                    "gene_target": label,
                    "pass_guide_filter": [int(target != "KLF1") for target in label],
                }
            )
            counts = simulate([[target] for target in label], batch)
            write_tokens(folder / f"{line}_Batch{batch}.parquet", counts, rows, dialect=ORION)

    return write


def jiang(folder: Path) -> None:
    """Jiang 2025: the stimulus is in the name of the file, the counts are in ``raw/X``."""
    columns = {"cell_type": ["A549", "MCF7"], "Batch_info": ["Rep1", "Rep1", "Rep2"]}
    for seed, stimulus in enumerate(("IFNB", "TGFB")):
        name = f"Seurat_object_{stimulus}_Perturb_seq.h5ad"
        screen(name, "gene", {"NT": 40, "STAT1": 20, "JAK2": 20}, seed=seed, counts_in="raw/X", columns=columns)(folder)


def zhu(folder: Path) -> None:
    """Zhu 2026: sums of guide, donor and culture; controls are told by the kind of their guide."""
    sizes = {"NTC-1": 12, "NTC-2": 12, "STAT1": 16, "JAK2": 16, "multi-guide": 4}
    label = shuffled(sizes, 26)
    at = range(len(label))
    cells = [20 + 7 * (number % 5) for number in at]
    rows = pl.DataFrame(
        {
            INDEX: [f"{target}|{number}" for number, target in zip(at, label, strict=True)],
            "donor_id": [f"CE000{1 + number % 4}" for number in at],
            "culture_condition": [["Rest", "Stim8hr"][number // 4 % 2] for number in at],
            "guide_id": [f"{target}-guide{number % 2}" for number, target in zip(at, label, strict=True)],
            "perturbed_gene_name": label,
            "guide_type": ["non-targeting" if target.startswith("NTC") else "targeting" for target in label],
            "n_cells": cells,
            "keep_for_DE": [number % 10 != 0 for number in at],
        }
    )
    write_h5ad(folder / "GWCD4i.pseudobulk_merged.h5ad", pooled(label, cells).astype(np.float32), rows, GENES)


CRISPR_SCREENS: dict[str, Miniature] = {
    "vcc_2025_h1_training": challenge("adata_Training.h5ad"),
    "vcc_2025_h1_validation": challenge("adata_Validation.h5ad", seed=26),
    "vcc_2025_h1_test": challenge("adata_Test.h5ad", seed=27),
    "vcc_2026_controls": contexts(),
    "vcc_2026_controls_final": contexts("DEF"),
    "arc_support_h1": support("competition_train.h5", seed=25, unmeasured=0),
    "arc_support_k562": support("k562.h5", seed=1, unmeasured=5),
    "arc_support_k562_gwps": support("k562_gwps.h5", seed=2, unmeasured=6),
    "arc_support_rpe1": support("rpe1.h5", seed=3, unmeasured=4),
    "arc_support_hepg2": support("hepg2.h5", seed=4, unmeasured=3),
    "arc_support_jurkat": support("jurkat.h5", seed=5, unmeasured=2),
    "norman_2019_k562": norman,
    "adamson_2016_pilot": adamson("AdamsonWeissman2016_GSM2406675_10X001.h5ad", seed=16),
    "adamson_2016_epistasis": adamson("AdamsonWeissman2016_GSM2406677_10X005.h5ad", seed=17),
    "adamson_2016_upr": adamson("AdamsonWeissman2016_GSM2406681_10X010.h5ad", seed=18),
    "datlinger_2017_jurkat": datlinger,
    "datlinger_2017_jurkat_subset": datlinger_folder,
    **{
        f"gears_{name}": gears(name, seed=number)
        for number, name in enumerate(
            ("norman", "adamson", "dixit", "replogle_k562_essential", "replogle_rpe1_essential")
        )
    },
    "xatlas_orion_hct116": orion("HCT116"),
    "xatlas_orion_hek293t": orion("HEK293T"),
    "jiang_2025_pathways": jiang,
    "zhu_2026_cd4_t": zhu,
    "nourreddine_2026_kolf2": screen(
        "KOLF_Pan_Genome_QC_Filtered.h5ad",
        "gene_target",
        {"NTC": 60, "KNTC1": 20, "STAT1": 20},
        seed=6,
        genes=SYMBOLS.rename({"ensembl_id": "gene_ids"}),
        layout="csc",
        counts_in="layers/counts",
        columns={"channel": ["ALPHA-Chip-1-Channel-1", "BETA-Chip-1-Channel-2"], "batch": ["ALPHA", "BETA"]},
    ),
}
"""By the name of the shipped spec."""
