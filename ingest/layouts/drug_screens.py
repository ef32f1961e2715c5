"""Miniatures of published chemical screens: the files that the shipped specs name, with the traps that are in them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

from ingest.layouts.h5ad import write_h5ad
from ingest.layouts.miniature import GENES, SYMBOLS, Miniature, barcodes, screen, shuffled, simulate
from ingest.layouts.mtx import write_10x
from ingest.layouts.tokens import write_tokens, write_vocabulary
from ingest.layouts.triplets import write_triplets
from ingest.reader import INDEX

JQ1, ENMD = "(+)-JQ1", "ENMD-2076 L-(+)-Tartaric acid"
HITS = {
    "Erdafitinib ": "STAT1",
    "Trametinib (DMSO_TF solvate)": "MYC",
    JQ1: "MYC",
    ENMD: "JAK2",
    "Belinostat": "KLF1",
    "0.2 uM panobinostat": "TP53",
    "Dex": "STAT1",
    "Trametinib": "MYC",
}
"""A gene that each compound halves."""
HALF = 0.5

VERSIONED = GENES.with_columns(pl.col(INDEX) + ".7")
MIXED = pl.concat(
    [VERSIONED, pl.DataFrame({INDEX: ["ENSMUSG00000059552.9", "ENSMUSG00000022346.18"], "gene_name": ["Trp53", "Myc"]})]
)
"""The genes of sci-Plex: identifiers with versions, some of the mouse."""


def hits(labels: Sequence[str | None]) -> list[list[str]]:
    """Name the gene that each compound halves."""
    return [[HITS[label]] if label in HITS else [] for label in labels]


TAHOE_WELLS = pl.DataFrame(
    {
        "sample": ["smp_1495", "smp_1496", "smp_1497", "smp_1591", "smp_1592", "smp_1593"],
        "plate": ["plate1"] * 3 + ["plate2"] * 3,
        "drug": ["DMSO_TF", "Erdafitinib ", "Trametinib (DMSO_TF solvate)"] * 2,
        "dose": [0.0, 0.05, 0.05, 0.0, 0.5, 5.0],
    }
).with_columns(drugname_drugconc=pl.format("[('{}', {}, 'uM')]", "drug", "dose"))
SMILES = {"Erdafitinib ": "CC(C)NCCN", "Trametinib (DMSO_TF solvate)": "CC1=C2C(=CC=C1)O"}
CIDS = {"Erdafitinib ": "11462310", "Trametinib (DMSO_TF solvate)": "11707110"}


def tahoe_cells(plate: str | None, seed: int) -> tuple[pl.DataFrame, list[str]]:
    """Draw cells of wells, in two lines."""
    wells = TAHOE_WELLS if plate is None else TAHOE_WELLS.filter(plate=plate)
    well = shuffled(dict.fromkeys(wells["sample"], 20), seed)
    cells = pl.DataFrame({"sample": well}).join(wells, on="sample", how="left", maintain_order="left")
    cells = cells.with_columns(
        pl.Series(INDEX, [f"{number:02d}_001_{seed:03d}-lib_1105" for number in range(len(well))]),
        pl.Series("line", [["CVCL_0023", "CVCL_0480"][number % 2] for number in range(len(well))]),
    )
    return cells, cells["drug"].to_list()


def tahoe(folder: Path) -> None:
    """Tahoe-100M: shards of token lists, some cells with the marker, and a token that no gene has."""
    write_vocabulary(folder / "metadata", GENES)
    wells = TAHOE_WELLS.select("sample", "plate", "drug", "drugname_drugconc")
    wells.write_parquet(folder / "metadata" / "sample_metadata.parquet")
    for shard in range(3):
        cells, drugs = tahoe_cells(None, shard)
        rows = cells.select(
            INDEX,
            "drug",
            "sample",
            pl.col("line").alias("cell_line_id"),
            pl.lit("unclear").alias("moa-fine"),
            pl.col("drug").replace_strict(SMILES, default=None).alias("canonical_smiles"),
            pl.col("drug").replace_strict(CIDS, default="").alias("pubchem_cid"),
            "plate",
        )
        counts = simulate(hits(drugs), shard, left=HALF)
        path = folder / "data" / f"train-0000{shard}-of-03388.parquet"
        write_tokens(path, counts, rows, marked=range(0, len(drugs), 3) if shard else (), stray=62_713)


def tahoe_plates(folder: Path) -> None:
    """Write the same cells as one h5ad a plate, and the table of drugs, whose names have lost their spaces."""
    drugs = pl.DataFrame({"drug": [name.strip() for name in SMILES], "canonical_smiles": list(SMILES.values())})
    cids = [float(cid) for cid in CIDS.values()]
    drugs = drugs.with_columns(pl.Series("pubchem_cid", cids), pl.lit("unclear").alias("moa-fine"))
    drugs.write_parquet(folder / "drug_metadata.parquet")
    for seed, plate in enumerate(("plate1", "plate2")):
        cells, labels = tahoe_cells(plate, seed)
        rows = cells.select(INDEX, "plate", "sample", "drugname_drugconc", "drug", pl.col("line").alias("cell_line"))
        counts = simulate(hits(labels), seed, left=HALF, genes=SYMBOLS).astype(np.float32)
        write_h5ad(folder / f"{plate}_filtered.h5ad.gz", counts, rows, SYMBOLS, compression="gzip")


def sciplex_wells(seed: int) -> tuple[pl.DataFrame, list[str | None]]:
    """Draw nuclei of sci-Plex 3, some in no well, some surer of their well than others."""
    label = shuffled({"Vehicle": 60, JQ1: 40, ENMD: 24, None: 12}, seed)
    n = len(label)
    rows = pl.DataFrame(
        {
            INDEX: [f"A01_E09_RT_BC_{number}_Lig_BC_7" for number in range(n)],
            "n.umi": 500,
            "hash_umis_W": [3 if number % 25 == 0 else 20 for number in range(n)],
            "hash_umis_P": 20,
            "top_to_second_best_ratio_W": 12.5,
            "top_to_second_best_ratio_P": 9.0,
            "plate_oligo": [["plate9", "plate10"][number % 2] for number in range(n)],
            "replicate": [["rep1", "rep2"][number % 2] for number in range(n)],
            "time_point": 24,
            "dose": [0 if name == "Vehicle" else [10, 10_000][number // 2 % 2] for number, name in enumerate(label)],
            "product_name": label,
            "cell_type": [["A549", "K562"][number % 3 == 0] for number in range(n)],
        }
    )
    assigned = pl.col("product_name").is_not_null()
    return rows.with_columns(pl.when(assigned).then(pl.exclude(INDEX))), label


def sciplex3_triplets(folder: Path) -> None:
    """Write sci-Plex 3 as deposited."""
    rows, label = sciplex_wells(3)
    counts = simulate(hits(label), 3, genes=MIXED, left=HALF)
    write_triplets(folder, "GSM4150378_sciPlex3_A549_MCF7_K562_screen_", counts, rows, MIXED)


def sciplex_oligos(name: str, sizes: dict[str | None, int], seed: int) -> Miniature:
    """sci-Plex 2 and 4 as deposited: what a nucleus got is in the name of its oligo."""

    def write(folder: Path) -> None:
        oligo = shuffled(sizes, seed)
        rows = pl.DataFrame({INDEX: barcodes(len(oligo), ""), "top_oligo_W": oligo, "hash_umis_W": 20})
        rows = rows.with_columns(pl.when(pl.col("top_oligo_W").is_not_null()).then(pl.exclude(INDEX)))
        counts = simulate([[] for _ in oligo], seed, genes=MIXED)
        write_triplets(folder, name, counts, rows, MIXED, annotations="bare", with_cells=False)

    return write


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


DOUBLED = pl.concat(
    [
        SYMBOLS,
        pl.DataFrame(
            {
                INDEX: ["STAT1-1", "Trp53"],
                "gene_name": ["STAT1", "Trp53"],
                "ensembl_id": ["ENSG00000115415", "ENSMUSG00000059552"],
            }
        ),
    ]
)
"""The genes of sci-Plex in scPerturb: an identifier twice, and one of the mouse."""

_DOSES = itertools.cycle(("0", "0.1", "10"))


def _dose_of_sciplex2(label: str) -> str | None:
    """Give a cell of sci-Plex 2 the next dose, of which 0 is the vehicle; one whose hash was not read has none."""
    return None if label == "control" else next(_DOSES)


DRUG_SCREENS: dict[str, Miniature] = {
    "tahoe_100m": tahoe,
    "tahoe_100m_plates": tahoe_plates,
    "sciplex2": screen(
        "SrivatsanTrapnell2020_sciplex2.h5ad", "perturbation", {"Dex": 90, "control": 12}, seed=2, genes=DOUBLED,
        columns={"cell_line": "A549", "dose_value": _dose_of_sciplex2},
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
