"""Miniatures of Tahoe-100M: shards of token lists, and the same cells as one h5ad a plate."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from ingest.layouts.h5ad import write_h5ad
from ingest.reader import INDEX
from layouts.compound_hits import HALF, hits
from layouts.miniature import GENES, SYMBOLS, shuffled, simulate
from layouts.tokens import write_tokens, write_vocabulary

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
