"""Miniatures of CRISPR screens as scPerturb publishes them, all after one pattern, with what is wrong in each.

Columns and labels are those of the files of Zenodo record 13350497.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

import polars as pl

from ingest.layouts.h5ad import Layout
from layouts.miniature import SYMBOLS, Miniature, screen

MISSPELT = SYMBOLS.rename({"ensembl_id": "ensemble_id"})
"""The genes of Norman 2019 and Tian 2019."""


def n_perturbed(label: str | None) -> int:
    """Count what scPerturb counts as ``nperts``."""
    return 0 if label in {None, "control", "<NA>"} else 1 + str(label).count("_")


def scperturb(
    name: str,
    sizes: Mapping[Any, int],
    seed: int,
    *,
    genes: pl.DataFrame = SYMBOLS,
    layout: Layout = "csc",
    bare: bool = False,
    left: float = 0.1,
    columns: Mapping[str, Any] = MappingProxyType({}),
) -> Miniature:
    """Describe a file of scPerturb: labels in ``perturbation``, counts in ``X``, beside what all its files have."""
    shared = {"nperts": n_perturbed, "organism": "human", "perturbation_type": "CRISPR", "tissue_type": "cell_line"}
    return screen(
        f"{name}.h5ad", "perturbation", sizes, seed=seed, genes=genes, layout=layout, bare=bare, left=left,
        columns=shared | dict(columns),
    )  # fmt: skip


SINGLE = {"control": 60, "STAT1": 24, "JAK2": 20}
PAIRED = SINGLE | {"STAT1_JAK2": 12}
DIXIT = {"control": 60, "p-sgSTAT1-2": 14, "p-sgSTAT1-5": 10, "nan": 9}
MIX_SEQ = {"sgLACZ": 40, "sgOR2J2": 20, "sgSTAT1-1": 40, "Trametinib": 8, "control": 8}


def copy(name: str, seed: int, line: str) -> Miniature:
    """Cells of Replogle 2022 or Nadig 2025: dense, their controls renamed, one perturbation without an id."""
    columns = {"batch": [1, 2, 3], "cell_line": line, "gene_transcript": "x", "guide_id": "a|b"}
    return scperturb(name, SINGLE | {"MTRNR2L1": 6}, seed, layout="dense", columns=columns)


tian = partial(scperturb, columns={"batch": [1, 2], "celltype": "iPSC-induced neuron"})

SCPERTURB: dict[str, Miniature] = {
    "tian_2019_ipsc": scperturb(
        "TianKampmann2019_iPSC", PAIRED, 51, genes=MISSPELT, columns={"batch": [1, 2], "celltype": "iPSC"}
    ),
    "tian_2019_neuron": tian("TianKampmann2019_day7neuron", PAIRED, 52, genes=MISSPELT),
    "tian_2021_crispri": tian("TianKampmann2021_CRISPRi", SINGLE, 53),
    "tian_2021_crispra": tian("TianKampmann2021_CRISPRa", SINGLE, 54, left=8.0),
    "xu_2023_hek293": scperturb("XuCao2023", SINGLE, 55, bare=True, columns={"cell_line": "HEK293"}),
    "sunshine_2023_calu3": scperturb(
        "SunshineHein2023", PAIRED | {"<NA>": 15}, 56,
        columns={"cell_line": "Calu-3", "gem_group": [1, 2], "perturbation_type": "CRISPR-cas9"},
    ),
    "shifrut_2018_t_cells": scperturb(
        "ShifrutMarson2018", SINGLE | {"<NA>": 30}, 57, layout="csr", bare=True,
        columns={
            "celltype": "T cells", "patient": ["D1", "D2"], "perturbation_2": ["control", "control", "stim", "stim"],
            "sample": ["D1_nostim", "D2_nostim", "D1_stim", "D2_stim"],
        },
    ),
    "datlinger_2021_jurkat": scperturb(
        "DatlingerBock2021", {"control": 60, "ZAP70_1": 15, "ZAP70_2": 15, "LCK_2": 15}, 58, layout="csr",
        columns={"cell_line": "Jurkat cells", "perturbation_2": ["stimulated", "unstimulated"], "nperts": [1, 2]},
    ),
    "mcfarland_2020_crispr": scperturb(
        "McFarlandTsherniak2020", MIX_SEQ, 59,
        columns={
            "cell_line": "NCIH460", "cell_quality": ["normal"] * 9 + ["doublet"], "time": "72, 96",
            "perturbation_type": lambda label: "CRISPR" if label.startswith("sg") else "drug",
        },
    ),
    **{
        f"dixit_2016_{name.lower()}": scperturb(
            f"DixitRegev2016_K562_TFs_{name}", DIXIT, seed, columns={"cell_line": "K562", "nperts": 1}
        )
        for seed, name in enumerate(("7_days", "13_days"), start=16)
    },
    "dixit_2016_high_moi": scperturb(
        "DixitRegev2016_K562_TFs_High_MOI", DIXIT | {"p-sgSTAT1-2_p-sgJAK2-1": 11}, 18,
        columns={"cell_line": "K562", "nperts": lambda label: 2 if "_" in label else 1},
    ),
    "frangieh_2021_melanoma": scperturb(
        "FrangiehIzar2021_RNA", {"control": 60, "STAT1": 40}, 21,
        columns={
            "celltype": "melanocytes", "perturbation_2": ["Control", "IFN\u03b3", "Co-culture"],
            "sgRNA": ["STAT1_1"] * 9 + ["nan"],
        },
    ),
    "replogle_2022_k562_essential_scperturb": copy("ReplogleWeissman2022_K562_essential", 61, "K562"),
    "replogle_2022_k562_gwps_scperturb": copy("ReplogleWeissman2022_K562_gwps", 62, "K562"),
    "replogle_2022_rpe1_scperturb": copy("ReplogleWeissman2022_rpe1", 63, "RPE1"),
    "nadig_2025_hepg2_scperturb": copy("NadigOConner2024_hepg2", 64, "Hep-G2"),
    "nadig_2025_jurkat_scperturb": copy("NadigOConner2024_jurkat", 65, "Jurkat"),
}  # fmt: skip
"""By the name of the shipped spec."""
