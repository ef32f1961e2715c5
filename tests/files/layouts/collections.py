"""Miniatures of collections of compound screens: TEMP's uniform pseudobulks and wells, and CIGS's workbooks."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl

from ingest.layouts.h5ad import write_h5ad
from ingest.reader import INDEX
from layouts.miniature import GENES, Miniature, shuffled, simulate

NOT_KNOWN = -666
HITS = {"Trametinib": "STAT1", "Belinostat": "JAK2"}
"""What each compound halves."""
SAMPLES = 12


def _counts(drugs: Sequence[str], seed: int) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    return simulate([[HITS[drug]] if drug in HITS else [] for drug in drugs], seed, left=0.5, depth=200.0)


def temp(folder: Path, *, file: str, seed: int, control: str, cells: bool = False, intensities: bool = False) -> None:
    """One set of TEMP: a row for each well and line, ``-666`` where a number is not known, two plates.

    Of one control well the dose, the time and the identifier are not known either.
    """
    drugs = shuffled({control: SAMPLES, "Trametinib": 6, "Belinostat": 6}, seed)
    is_control = [drug == control for drug in drugs]
    at = range(len(drugs))
    rows = pl.DataFrame(
        {
            INDEX: [f"plate{1 + n % 2}_well{n}_{drug}_CVCL_0023" for n, drug in zip(at, drugs, strict=True)],
            "plate": [f"plate{1 + n % 2}" for n in at],
            "well": [f"well{n}" for n in at],
            "cell_type": "CVCL_0023",
            "perturbagen": drugs,
            "pert_type": "compound",
            "is_control": is_control,
            "pert_dose_uM": [float(NOT_KNOWN) if known else 10.0 for known in is_control],
            "pert_time_h": 24.0,
            "dataset": "temp",
            "pubchem_cid": [str(NOT_KNOWN) if drug != "Trametinib" else "11707110" for drug in drugs],
            "psbulk_cells": [20 + n if cells else NOT_KNOWN for n in at],
            "psbulk_counts": [1000 + n for n in at],
        }
    )
    counts = _counts(drugs, seed)
    genes = GENES.select(INDEX, symbol="gene_name")
    path = folder / file
    path.parent.mkdir(parents=True, exist_ok=True)
    if intensities:
        write_h5ad(path, np.log2(counts + 1.0), rows, genes, layout="dense")
    else:
        write_h5ad(path, counts, rows, genes)


def cigs(folder: Path) -> None:
    """CIGS: a workbook of counts for each line, below a note on its use; the wells are described in CSV beside it."""
    import openpyxl

    symbols = GENES.unique("gene_name", keep="first", maintain_order=True)["gene_name"].to_list()
    keep = [GENES["gene_name"].to_list().index(symbol) for symbol in symbols]
    for seed, line in enumerate(("HEK293T", "MDA_MB_231")):
        drugs = shuffled({"DMSO": SAMPLES, "Trametinib": 6, "Belinostat": 6, "Blank": 2}, seed)
        names = [f"{line}_{number}" for number in range(len(drugs))]
        book = openpyxl.Workbook()
        book.active.append(["Note: All these datasets are for non-commercial research use only"])
        book.active.append(["Sample_id", *symbols])
        for name, counts in zip(names, _counts(drugs, seed)[:, keep].tolist(), strict=True):
            book.active.append([name, *counts])
        book.save(folder / f"MCE_Bioactive_Compounds_{line}_10\u03bcM_Counts.xlsx")
        missing = [drug not in HITS for drug in drugs]
        sheet = {
            "Sample_id": names,
            "treatment": drugs,
            "sample_plate": [f"MCE{1 + number % 2}_{line}_24H_X1" for number in range(len(drugs))],
            "cell_id": f"cell_{line}",
            "pert_idose": [str(NOT_KNOWN) if none else "10.0 uM" for none in missing],
            "pert_itime": [str(NOT_KNOWN) if none else "24 h" for none in missing],
        }
        pl.DataFrame(sheet).write_csv(folder / f"MCE_Bioactive_Compounds_{line}_10\u03bcM_MetaData.csv")


PARTS = {
    "temp_tahoe": ("tahoe/tahoe_processed.h5ad", "DMSO_TF", True),
    "temp_sciplex3": ("sciplex/srivatsan20_sciplex3_processed.h5ad", "vehicle", True),
    "temp_op3": ("op3/op3_standardized_processed.h5ad", "Dimethyl Sulfoxide", True),
    "temp_moabox": ("novartis_batch_2500/novartis_standardized_processed.h5ad", "DMSO", False),
    "vcpi_0001": ("vcpi_0001/vcpi_0001_standardized_processed.h5ad", "DMSO", False),
    "vcpi_0002": ("vcpi_0002/vcpi_0002_standardized_processed.h5ad", "DMSO", False),
}
"""File, control and whether the cells of a row are known, of each set of counts."""

COLLECTIONS: dict[str, Miniature] = {
    **{
        name: partial(temp, file=file, seed=seed, control=control, cells=cells)
        for seed, (name, (file, control, cells)) in enumerate(PARTS.items(), start=70)
    },
    "cigs_mce": cigs,
}
"""By the name of the shipped spec: sets of counts."""

L1000_OF_TEMP: dict[str, Miniature] = {
    f"temp_l1000_phase{phase}": partial(
        temp,
        file=f"l1000_phase{phase}/l1000_phase{phase}_level3_deg_ready_landmark_processed.h5ad",
        seed=80 + phase,
        control="DMSO",
        intensities=True,
    )
    for phase in (1, 2)
}
"""By the name of the shipped spec: the sets of intensities."""
