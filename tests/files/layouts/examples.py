"""The smallest file of every layout: two dozen cells, wells or signatures by a handful of genes.

Each is written into an empty folder, and is what a publisher's file is in all but size: names, types and encodings,
controls and missing labels. They are what the reader contract, ``inspect`` and its drafts are tested on.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
import polars as pl

from ingest.layouts.gctx import write_gctx
from ingest.layouts.h5ad import Compression, Layout, write_h5ad
from ingest.layouts.replogle import replogle_genes, replogle_rows, write_replogle
from ingest.reader import INDEX
from layouts.counting import write_alevin_fry, write_kb, write_rhapsody, write_split_pipe, write_starsolo
from layouts.gct import write_gct
from layouts.h5mu import write_h5mu
from layouts.loom import write_loom
from layouts.mtx import write_10x, write_scperturb
from layouts.quantified import Counter, Quantifier, write_counted, write_quantified
from layouts.r_objects import write_r
from layouts.tables import write_archs4, write_chronos, write_depmap, write_wide, write_wide_parquet
from layouts.tenx import write_10x_h5
from layouts.tokens import ORION, write_tokens, write_vocabulary
from layouts.triplets import write_triplets
from layouts.zarr import write_zarr, zipped

Example: TypeAlias = Callable[[Path], Path]
"""Writes its files into an empty folder and returns the path to open."""

GENES = pl.DataFrame(
    {
        INDEX: [
            *("ENSG00000141510", "ENSG00000136997", "ENSG00000097007", "ENSG00000115415"),
            *("ENSG00000105397", "ENSG00000187608", "ENSG00000111640", "ENSG00000075624"),
        ],
        "gene_name": ["TP53", "MYC", "ABL1", "STAT1", "TYK2", "ISG15", "GAPDH", "ACTB"],
    }
)
ENTREZ = ["7157", "4609", "25", "6772", "7297", "9636", "2597", "60"]
DEPMAP_GENES = [f"{name} ({entrez})" for name, entrez in zip(GENES["gene_name"], ENTREZ, strict=True)]
N = 24
AT = np.arange(N)
MODELS = [f"ACH-{number:06d}" for number in AT]
TARGETS = ["non-targeting", "MYC", "STAT1", "TYK2"]
COUNTS = np.random.default_rng(3).poisson(3.0, (N, GENES.height))
COUNTS[2], COUNTS[:, 5] = 0, 0
EFFECTS = np.random.default_rng(4).normal(size=(N, GENES.height)).astype(np.float32)

CELLS = pl.DataFrame(
    {
        INDEX: [f"CELL{number}-1" for number in AT],
        "perturbation": [[*TARGETS, "nan", None][number % 6] for number in AT],
        "cell_line": "K562",
        "gem_group": AT // 12,
        "percent_mito": [None if number % 7 == 0 else number / 8 for number in AT],
        "perturbation_type": "CRISPRi",
    }
)
SPEC = """\
[dataset]
id = "twin"
files = ["{}"]
values = "counts"
assay = "perturb_seq"
[condition]
perturbation = "perturbation"
kind = "crispri"
controls = ["non-targeting"]
unassigned = ["nan"]
context = {{ column = "cell_line" }}
batch = "gem_group"
"""
"""Of the counts of those cells, in a file that is named."""
SIGNATURES = pl.DataFrame(
    {
        INDEX: [f"CPC00{number}_A549_24H:BRD-K{number:08d}:10" for number in AT],
        "cell_id": [["A549", "HT29"][number % 2] for number in AT],
        "distil_cc_q75": [None if number == 0 else number / N for number in AT],
        "pert_id": [f"BRD-K{number // 2:08d}" for number in AT],
        "pert_idose": "10 \u00b5M",
        "pert_iname": [f"compound {number // 2}" for number in AT],
        "pert_itime": "24 h",
        "pert_type": "trt_cp",
    }
)
DRUGS = ["DMSO_TF", "Erdafitinib ", "Trametinib (DMSO_TF solvate)"]
TAHOE_CELLS = pl.DataFrame(
    {
        INDEX: [f"01_001_{number:03d}-lib_1105" for number in AT],
        "drug": [DRUGS[number % 3] for number in AT],
        "sample": [f"smp_{1495 + number % 3}" for number in AT],
        "cell_line_id": [["CVCL_0023", "CVCL_0480"][number // 12] for number in AT],
        "moa-fine": "unclear",
        "canonical_smiles": [[None, "CC(C)NCCN", "CC1=C"][number % 3] for number in AT],
        "pubchem_cid": [["", "11462310", "11707110"][number % 3] for number in AT],
        "plate": [f"plate{1 + number % 2}" for number in AT],
    }
)
ORION_CELLS = pl.DataFrame(
    {
        INDEX: [f"AAACCAAAGACATG{number:02d}-HCT116_Batch1" for number in AT],
        "sample": "HCT116_Batch1",
        "gene_target": [["Non-Targeting", "MYC", "STAT1"][number % 3] for number in AT],
        "pass_guide_filter": (AT % 8 != 0).astype(int),
    }
)
WELLS = pl.DataFrame(
    {
        INDEX: [f"A01_E09_RT_BC_{number}_Lig_BC_7" for number in AT],
        "cell_type": ["A549"] * 20 + [None] * 4,
        "product_name": [["Vehicle", "(+)-JQ1", "ENMD-2076 L-(+)-Tartaric acid"][number % 3] for number in AT[:20]]
        + [None] * 4,
        "dose": [[0, 10, 10_000][number % 3] for number in AT[:20]] + [None] * 4,
        "time_point": [24] * 20 + [None] * 4,
    }
)
PROBES = pl.DataFrame(
    {
        INDEX: [f"2000{number}_at" for number in range(GENES.height)],
        "pr_gene_id": ENTREZ,
        "pr_gene_symbol": GENES["gene_name"],
    }
)


def h5ad(layout: Layout, compression: Compression = None) -> Example:
    """Write AnnData of one storage layout."""
    chunk = 4 if compression else None
    return lambda folder: write_h5ad(
        folder / "cells.h5ad", COUNTS, CELLS, GENES, layout=layout, compression=compression, chunk_length=chunk
    )


def h5mu(folder: Path) -> Path:
    """Write RNA and guides of the same cells as MuData, the labels with the guides."""
    guides = pl.DataFrame({INDEX: ["MYCg1", "STAT1g1", "NTg1"]})
    counted = np.random.default_rng(5).poisson(2.0, (N, guides.height))
    rna = (COUNTS, CELLS.select(INDEX, "gem_group"), GENES)
    return write_h5mu(
        folder / "cells.h5mu", {"rna": rna, "gdo": (counted, CELLS, guides)}, compression="gzip", chunk_length=16
    )


def zarr(version: Literal[2, 3], sharded: tuple[int, int] | None = None, *, packed: bool = False) -> Example:
    """Write AnnData as Zarr, in a folder or packed."""

    def write(folder: Path) -> Path:
        path = write_zarr(folder / "cells.zarr", COUNTS, CELLS, GENES, version=version, sharded=sharded)
        return zipped(path) if packed else path

    return write


def loom(folder: Path) -> Path:
    """Write genes by cells as loompy."""
    return write_loom(folder / "cells.loom", COUNTS, CELLS, GENES, gene_key="Accession")


def replogle(folder: Path) -> Path:
    """Write cells as Replogle et al. 2022."""
    ids = dict(zip(GENES["gene_name"], GENES[INDEX], strict=True)) | {"non-targeting": "non-targeting"}
    targets = [TARGETS[number % len(TARGETS)] for number in AT]
    batches = CELLS["gem_group"].to_list()
    rows = replogle_rows(COUNTS, targets, [ids[target] for target in targets], batches, unresolved={"TYK2"})
    genes = replogle_genes(COUNTS, GENES[INDEX].to_list(), GENES["gene_name"].to_list())
    return write_replogle(folder / "K562_essential_raw_singlecell_01.h5ad", COUNTS, rows, genes)


def tenx(*, compressed: bool) -> Example:
    """Write a 10x folder, of version 3 or 2."""
    return lambda folder: write_10x(folder, COUNTS, CELLS, GENES, compressed=compressed)


def tenx_h5(folder: Path) -> Path:
    """Write the HDF5 file of Cell Ranger."""
    return write_10x_h5(folder / "filtered_feature_bc_matrix.h5", COUNTS, CELLS, GENES)


def scperturb(folder: Path) -> Path:
    """Write a folder as R's writeMM leaves it, with scPerturb's columns."""
    return write_scperturb(folder, COUNTS, CELLS, GENES.select(INDEX))


def gctx(*, with_metadata: bool = True, chunk_rows: int | None = None) -> Example:
    """Write signatures as LINCS."""
    return lambda folder: write_gctx(
        folder / "level5_modzs.gctx", EFFECTS, SIGNATURES, PROBES, with_metadata=with_metadata, chunk_rows=chunk_rows
    )


def gct(folder: Path) -> Path:
    """Write signatures as text."""
    return write_gct(folder / "level5_modzs.gct", EFFECTS, SIGNATURES, PROBES)


def tahoe(folder: Path) -> Path:
    """Write cells as Tahoe-100M: some begin with the marker, some have a token that no gene has."""
    write_vocabulary(folder, GENES)
    name = "train-00000-of-03388.parquet"
    return write_tokens(folder / name, COUNTS, TAHOE_CELLS, marked=AT[::3].tolist(), stray=62_713)


def orion(folder: Path) -> Path:
    """Write cells as X-Atlas/Orion."""
    write_vocabulary(folder, GENES, dialect=ORION)
    return write_tokens(folder / "HCT116_Batch1.parquet", COUNTS, ORION_CELLS, dialect=ORION)


def sciplex(annotations: Literal["headed", "bare"], *, with_cells: bool) -> Example:
    """Write wells as sci-Plex: some cells are in no well."""
    return lambda folder: write_triplets(
        folder, "GSM4150378_", COUNTS, WELLS, GENES, annotations=annotations, with_cells=with_cells
    )


def wide(name: str) -> Example:
    """Write a table of samples by genes, with what is known of a sample before its genes."""
    described = CELLS.select(INDEX, "perturbation", "cell_line")
    return lambda folder: write_wide(folder / name, COUNTS, described, GENES)


def quantified(program: Quantifier) -> Example:
    """Write the counts of one bulk sample."""
    return lambda folder: write_quantified(folder, COUNTS[:1] * 9.5, ["sample_7"], GENES[INDEX].to_list(), program)[0]


def counted(program: Counter) -> Example:
    """Write a folder of samples, a file each, as a program that counts reads."""

    def write(folder: Path) -> Path:
        write_counted(
            folder / "counts", COUNTS[:3], ["s1", "s2", "s3"], GENES[INDEX].to_list(), program, "{sample}.txt"
        )
        return folder / "counts"

    return write


def workbook(folder: Path) -> Path:
    """Write a sheet of samples by genes below a title."""
    import openpyxl

    book = openpyxl.Workbook()
    book.active.append(["Supplementary Table 1. Counts"])
    book.active.append([INDEX, "perturbation", "cell_line", *GENES[INDEX]])
    for row, counts in zip(CELLS.select(INDEX, "perturbation", "cell_line").rows(), COUNTS.tolist(), strict=True):
        book.active.append([*row, *counts])
    book.save(folder / "supplement.xlsx")
    return folder / "supplement.xlsx"


def op3(folder: Path) -> Path:
    """Write a table of effects as OP3."""
    described = CELLS.select("cell_line", sm_name="perturbation", control=pl.col("gem_group") == 0)
    return write_wide_parquet(
        folder / "de_train.parquet", EFFECTS, described, GENES.select(pl.col("gene_name").alias(INDEX))
    )


def depmap(folder: Path) -> Path:
    """Write gene effect as DepMap since 25Q3."""
    return write_depmap(folder / "CRISPRGeneEffect.csv", EFFECTS, MODELS, DEPMAP_GENES, "25q3")


def archs4(version: int) -> Example:
    """Write counts as ARCHS4."""
    samples = CELLS.select(
        INDEX, "cell_line", series_id=pl.lit("GSE100,GSE101"), singlecellprobability=pl.col("gem_group") / 4
    )
    genes = GENES.rename({"gene_name": "symbol"})
    return lambda folder: write_archs4(folder / "human_gene.h5", COUNTS, samples, genes, version=version)


def chronos(folder: Path) -> Path:
    """Write gene effect as Chronos."""
    return write_chronos(folder / "gene_effect.hdf5", EFFECTS, MODELS, DEPMAP_GENES)


EXAMPLES: dict[str, dict[str, Example]] = {
    "h5ad": {
        "csr": h5ad("csr"),
        "csr, gzip": h5ad("csr", "gzip"),
        "csc": h5ad("csc"),
        "dense": h5ad("dense"),
        "dense, lzf": h5ad("dense", "lzf"),
        "Replogle 2022": replogle,
    },
    "h5mu": {"RNA and guides": h5mu},
    "zarr": {
        "version 2": zarr(2),
        "version 3, sharded": zarr(3, (16, 64)),
        "version 3, zip": zarr(3, packed=True),
    },
    "loom": {"loompy 3": loom},
    "10x_h5": {"Cell Ranger 3": tenx_h5},
    "mtx": {
        "10x version 3": tenx(compressed=True),
        "10x version 2": tenx(compressed=False),
        "scPerturb": scperturb,
        "kb-python": lambda folder: write_kb(folder, COUNTS, CELLS, GENES),
        "STARsolo": lambda folder: write_starsolo(folder, COUNTS, CELLS, GENES),
        "alevin-fry": lambda folder: write_alevin_fry(folder, COUNTS, CELLS, GENES),
        "split-pipe": lambda folder: write_split_pipe(folder, COUNTS, CELLS, GENES),
        "BD Rhapsody": lambda folder: write_rhapsody(folder, COUNTS, CELLS, GENES),
    },
    "gctx": {
        "LINCS": gctx(),
        "LINCS, compressed": gctx(chunk_rows=5),
    },
    "gct": {"1.3": gct},
    "tokens": {"Tahoe-100M": tahoe, "X-Atlas/Orion": orion},
    "triplets": {
        "sci-Plex 3": sciplex("headed", with_cells=True),
        "sci-Plex 2 and 4": sciplex("bare", with_cells=False),
    },
    "quantified": {
        "salmon": quantified("salmon"),
        "kallisto": quantified("kallisto"),
        "RSEM": quantified("RSEM"),
        "RSEM, genes": quantified("RSEM, genes"),
        "featureCounts": counted("featureCounts"),
        "HTSeq": counted("HTSeq"),
    },
    "table": {"CSV": wide("samples.csv"), "TSV, gzip": wide("samples.tsv.gz")},
    "r": {"dgCMatrix": lambda folder: write_r(folder / "counts.rds")},
    "xlsx": {"a title row": workbook},
    "parquet_table": {"OP3": op3},
    "depmap": {"25Q3": depmap},
    "chronos": {"HDF5": chronos},
    "archs4": {"version 1": archs4(1), "version 2": archs4(2)},
}
"""By format, as it is registered, and layout."""
