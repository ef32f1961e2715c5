"""Miniatures of published chemical screens: the files that the shipped specs name, with the traps that are in them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from ingest.layouts.h5ad import write_h5ad
from ingest.reader import INDEX
from layouts.compound_hits import HALF, JQ1, hits
from layouts.miniature import GENES, SYMBOLS, Miniature, barcodes, screen, shuffled, simulate
from layouts.mtx import write_10x
from layouts.sciplex import DOUBLED, VERSIONED, dose_of_sciplex2, sciplex3_triplets, sciplex_oligos
from layouts.tahoe import tahoe, tahoe_plates


def op3(folder: Path) -> None:
    """OP3: counts in a layer, logarithms in ``X``."""
    label = shuffled({"Dimethyl Sulfoxide": 60, "Belinostat": 30, "Dabrafenib": 30}, 23)
    n = len(label)
    rows = pl.DataFrame(
        {
            INDEX: barcodes(n),
            "dose_uM": [14 if name == "Dimethyl Sulfoxide" else 1 for name in label],
            "timepoint_hr": 24.0,
            "plate_name": [["plate_0", "plate_1"][number % 2] for number in range(n)],
            "cell_type": [["T cells CD4+", "NK cells"][number % 3 == 0] for number in range(n)],
            "donor_id": [f"donor_{number % 3}" for number in range(n)],
            "sm_name": label,
        }
    )
    counts = simulate(hits(label), 23, left=HALF, genes=SYMBOLS)
    write_h5ad(folder / "sc_counts.h5ad", np.log1p(counts), rows, SYMBOLS, layers={"counts": counts})


def drugseq(folder: Path) -> None:
    """DRUG-seq: genes by wells, a table a plate; measured doses, wells of DMSO (RC) and of water (EMPTY)."""
    wells = barcodes(24, "")
    sheets = []
    for seed, plate in enumerate(("VH02001612", "VH02001613")):
        kind = shuffled({"RC": 8, "SA": 14, "EMPTY": 2}, seed)
        named = {"RC": "DMSO", "EMPTY": "Water"}
        drug = [named.get(name, ["Belinostat", "Trametinib"][at % 2]) for at, name in enumerate(kind)]
        measured = [[0.01004, 0.10029, 0.00998, 0.09979][at // 2 % 4] for at in range(len(kind))]
        sheets.append(
            pl.DataFrame(
                {
                    "plate_barcode": plate,
                    "readout.comment": kind,
                    "well_index": wells,
                    "cell.line.name": "U2OS",
                    "treatment_dose": measured,
                    "treatment_dose_unit": "uM",
                    "timepoint": 24,
                    "compound": drug,
                }
            )
        )
        counts = pl.DataFrame(simulate(hits(drug), seed, left=HALF, depth=200.0).T, schema=wells)
        counts.insert_column(0, GENES[INDEX].alias("")).write_csv(folder / f"{plate}.csv", quote_style="non_numeric")
    pl.concat(sheets).write_csv(folder / "meta.csv", quote_style="non_numeric")


def macseq(folder: Path) -> None:
    """MAC-seq: the same barcodes on two plates, whose wells are in a table each; DMSO too has a concentration."""
    wells = [f"{row}{column:02d}" for row in "ABCD" for column in range(1, 7)]
    keys = barcodes(len(wells), "")
    for seed, plate in enumerate(("PMMSq033", "PMMSq034")):
        drugs = shuffled({"DMSO": 8, "Trametinib": 8, "Dabrafenib": 8}, seed)
        sheet = pl.DataFrame(
            {
                "Plate_ID": plate,
                "Well_ID": wells,
                "Cell_type": "KL476",
                "Time": "24",
                "Unit": "h",
                "Treatment_1": drugs,
                "Concentration_1": [1.0 if drug == "DMSO" else [0.1, 10.0][at % 2] for at, drug in enumerate(drugs)],
                "Unit_1": "uM",
                "Sample_type": ["Vehicle_control" if drug == "DMSO" else "Treatment" for drug in drugs],
                "Barcode": keys,
                "smiles": ["C[S](C)=O" if drug == "DMSO" else None for drug in drugs],
            }
        )
        sheet.write_csv(folder / f"{plate}_metadata.csv", quote_style="non_numeric")
        counts = simulate(hits(drugs), seed, left=HALF, depth=200.0)
        write_10x(folder / plate / "raw_matrix", counts, pl.DataFrame({INDEX: keys[::-1]}), GENES)


def zhao(folder: Path) -> None:
    """Zhao 2021: dose and compound in one text, identifiers with versions, controls of every patient."""
    sizes = {"vehicle (DMSO)": 60, "0.2 uM panobinostat": 60}
    label = shuffled(sizes, 21)
    rows = pl.DataFrame(
        {
            INDEX: barcodes(len(label), "_PW030-701"),
            "patient_id": [f"PW03{2 * (number % 3)}" for number in range(len(label))],
            "treatment": label,
        }
    )
    counts = simulate(hits(label), 21, left=HALF)
    write_h5ad(folder / "zhao2021_gbm_panobinostat_raw.h5ad", counts.astype(np.float32), rows, VERSIONED)


DRUG_SCREENS: dict[str, Miniature] = {
    "tahoe_100m": tahoe,
    "tahoe_100m_plates": tahoe_plates,
    "sciplex2": screen(
        "SrivatsanTrapnell2020_sciplex2.h5ad", "perturbation", {"Dex": 90, "control": 12}, seed=2, genes=DOUBLED,
        columns={"cell_line": "A549", "dose_value": dose_of_sciplex2},
    ),
    "sciplex3": screen(
        "SrivatsanTrapnell2020_sciplex3.h5ad", "perturbation", {"control": 60, JQ1: 40, None: 12}, seed=3,
        genes=DOUBLED, columns={
            "cell_line": "A549", "dose_value": [10.0, 10_000.0], "dose_unit": "nM", "time": [24, 24, 72],
            "plate": ["plate9", "plate10"],
        },
    ),
    "sciplex4": screen(
        "SrivatsanTrapnell2020_sciplex4.h5ad", "perturbation", {"control": 60, "Trametinib": 30}, seed=4,
        genes=DOUBLED, columns={
            "cell_line": "A549", "dose_value": [0.1, 10.0], "perturbation_2": ["control", "Belinostat", None],
            "dose_value_2": ["0", "1", "0"],
        },
    ),
    "sciplex2_triplets": sciplex_oligos(
        "GSM4150377_sciPlex2_A549_Transcription_Modulators_", {"Dex_0_A1": 40, "Dex_10_B2": 24, None: 9}, 2
    ),
    "sciplex3_triplets": sciplex3_triplets,
    "sciplex4_triplets": sciplex_oligos(
        "GSM4150379_sciPlex4_A549_MCF7_screen_",
        {
            "0_DMSO_0_DMSO_A549_p1_A1": 40,
            "100_Trametinib_0_DMSO_A549_p1_A2": 24,
            "100_Trametinib_50_Belinostat_A549_p1_A3": 24,
            "50_Belinostat_100_Trametinib_A549_p1_A4": 12,
        },
        4,
    ),
    "op3_2023_pbmc": op3,
    "drugseq_2022_pilot": drugseq,
    "macseq_pmmsq033": macseq,
    "zhao_2021_glioblastoma": zhao,
    "parse_10m_pbmc_cytokines": screen(
        "Parse_10M_PBMC_cytokines.h5ad", "cytokine", {"PBS": 60, "4-1BBL": 24, "IFN-gamma": 24}, seed=10,
        columns={"donor": ["Donor1", "Donor10"], "cell_type": ["CD4 Naive", "NK"], "treatment": "cytokine"},
    ),
}  # fmt: skip
"""By the name of the shipped spec."""
