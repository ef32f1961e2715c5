"""Miniatures of what is no screen of cells: signatures, tables of effects, gene sets, cell lines and bulk samples.

They have the names, columns and traps of the published files; what the numbers are worth, other tests say.
"""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl

from ingest.layouts.h5ad import write_h5ad
from ingest.reader import INDEX
from layouts.collections import L1000_OF_TEMP
from layouts.lincs import LincsSignatures, draw_signatures, write_gse92742, write_lincs_2020, write_lincs_wells
from layouts.miniature import GENES, Miniature, simulate
from layouts.tables import (
    Release,
    write_archs4,
    write_chronos,
    write_depmap,
    write_genes_by_samples,
    write_wide_parquet,
)

ENTREZ = ("7157", "4609", "6772", "3717", "10661", "6418", "1385", "7494", "9451", "2081", "22926", "7535")
"""NCBI Gene ids of the genes from TP53 to ZAP70."""
TARGETS = GENES["gene_name"].slice(2, len(ENTREZ)).to_list()
L1000 = pl.DataFrame({"gene_id": GENES[INDEX].slice(2, len(ENTREZ)), "gene_symbol": TARGETS, "entrez_id": ENTREZ})
MODELS = {
    "ACH-000551": ("K-562", "CVCL_0004"),
    "ACH-000219": ("A-375", "CVCL_0132"),
    "ACH-000681": ("A549", "CVCL_0023"),
}
RUNS = tuple(f"SRR{number}" for number in range(387777, 387789))
SOLVATE = "Trametinib (DMSO_TF solvate)"
N_SIGNATURES = 36


def _lincs_2020(folder: Path) -> None:
    write_lincs_2020(folder, draw_signatures(L1000, n=N_SIGNATURES))


def _lincs_geo(folder: Path, *, prefix: str, suffix: str = "") -> None:
    write_gse92742(folder, draw_signatures(L1000, n=N_SIGNATURES), prefix=prefix, suffix=suffix)


def _lincs_wells(folder: Path, *, level: int) -> None:
    names = ["DMSO"] * 6 + TARGETS[:3]
    lines = [
        (f"{plate}:{chr(65 + well)}01", name, "ctl_vehicle" if name == "DMSO" else "trt_xpr", plate)
        for plate in ("X1", "X2", "X3")
        for well, name in enumerate(names)
    ]
    rows = pl.DataFrame(lines, schema=[INDEX, "name", "pert_type", "plate"], orient="row")
    rows = rows.with_columns(pert_id="name", cell=pl.lit("A375"), time=pl.lit("96 h"))
    genes = draw_signatures(L1000, n=1).genes
    matrix = np.random.default_rng(level).normal(8.0 if level == 3 else 0.0, 1.0, (rows.height, genes.height))
    write_lincs_wells(folder, level, LincsSignatures(matrix.astype(np.float32), rows, genes))


def _depmap(folder: Path, *, name: str, release: Release = "24q4") -> None:
    labels = [f"{symbol} ({entrez})" for symbol, entrez in zip(TARGETS, ENTREZ, strict=True)]
    values = np.random.default_rng(7).normal(-0.3, 0.5, (len(MODELS), len(labels)))
    values[0, 0] = np.nan
    if name.endswith(".hdf5"):
        write_chronos(folder / name, values, list(MODELS), labels)
    else:
        values = np.abs(np.nan_to_num(values)) * 4 if "Expression" in name else values
        write_depmap(folder / name, values, list(MODELS), labels, release)
    described = [(model, line, cellosaurus, "Lung") for model, (line, cellosaurus) in MODELS.items()]
    table = pl.DataFrame(described, schema=["ModelID", "CellLineName", "RRID", "OncotreeLineage"], orient="row")
    table.write_csv(folder / ("Model_24Q2.csv" if name.endswith(".hdf5") else "Model.csv"))


def _archs4(folder: Path) -> None:
    targets = [[], ["MYC"]] * 4
    samples = [f"GSM{number}" for number in range(len(targets))]
    single = [0.9, *[0.1] * 7]
    described = {INDEX: samples, "series_id": ["GSE1,GSE2"] * 8, "singlecellprobability": single}
    genes = GENES.rename({"gene_name": "symbol"})
    write_archs4(folder / "human_gene_v2.5.h5", simulate(targets, 3), pl.DataFrame(described), genes)
    sheet = {"geo_accession": samples, "perturbation": ["control", "MYC"] * 4, "kind": ["control", "shrna"] * 4}
    pl.DataFrame(sheet | {"cell_line": "K562", "batch": "a"}).write_csv(folder / "archs4_samples.tsv", separator="\t")


def _recount3(folder: Path) -> None:
    length = 36
    versioned = GENES.select(pl.col(INDEX) + ".12")
    counts = simulate([[]] * len(RUNS), 4) * length
    write_genes_by_samples(folder / "sra.gene_sums.SRP009615.G026.gz", counts, RUNS, versioned, "recount3")
    quality = pl.DataFrame({"rail_id": range(len(RUNS)), "external_id": RUNS, "star.average_mapped_length": length})
    with (folder / "sra.recount_qc.SRP009615.MD.gz").open("wb") as file:
        quality.write_csv(file, separator="\t", compression="gzip")


def _recount2(folder: Path) -> None:
    counts = simulate([[]] * len(RUNS), 4) * 36
    versioned = GENES.select(pl.col(INDEX) + ".12")
    write_genes_by_samples(folder / "SRP009615_gene_counts.csv.gz", counts, RUNS, versioned, "r")
    read = {INDEX: RUNS, "run": RUNS, "auc": counts.sum(axis=1), "mapped_read_count": counts.sum(axis=1) // 36}
    pl.DataFrame(read).write_csv(folder / "SRP009615_coldata.csv")


def _perturbqa(folder: Path, *, line: str) -> None:
    calls = "pert,gene,label,split\nJAK2,TP53,0,train\nJAK2,MYC,1,train\nJAK2,STAT1,1,train\nKLF1,MYC,0,test\n"
    (folder / f"{line}-de.csv").write_text(calls)
    (folder / f"{line}-dir.csv").write_text("pert,gene,label,split\nJAK2,MYC,1,train\nJAK2,STAT1,0,train\n")


def _tahoe(folder: Path) -> None:
    shards = folder / "metadata" / "pseudobulk_differential_expression"
    shards.mkdir(parents=True)
    genes = TARGETS[:5]
    drugs = (("Erdafitinib ", "plate1", 0.05), (SOLVATE, "plate1", 5.0), (SOLVATE, "plate2", 5.0))
    tested = pl.col("log2FoldChange").is_not_null()
    lines = pl.DataFrame(
        {
            "gene_name": genes * len(drugs),
            "baseMean": [10.0, 0.0, 12.0, 8.0, 9.0] * len(drugs),
            "log2FoldChange": [1.0, None, -2.0, 0.5, 0.0] * len(drugs),  # what was not tested has none
            **{name: [drug[at] for drug in drugs for _ in genes] for at, name in enumerate(("drug", "plate", "dose"))},
        }
    ).select(
        "gene_name", "baseMean", "log2FoldChange",
        lfcSE=pl.when(tested).then(0.25), stat=pl.col("log2FoldChange") / 0.25, pvalue=pl.when(tested).then(0.001),
        padj=pl.when(tested).then(0.01), plate="plate", n_cells_trt=pl.lit(812), n_cells_ctrl=pl.lit(2000),
        Cell_ID_Cellosaur=pl.lit("CVCL_0023"), Cell_ID_DepMap=pl.lit("ACH-000681"), Cell_Name_Vevo=pl.lit("A549"),
        drug="drug", concentration="dose", concentration_unit=pl.lit("uM"),
    )  # fmt: skip
    for number, part in enumerate((lines.head(8), lines.tail(-8))):
        part.write_parquet(shards / f"train-{number:05d}-of-01026.parquet")
    known = {"drug": ["Erdafitinib", SOLVATE], "moa-fine": ["FGFR inhibitor", "MEK inhibitor"]}
    known |= {"canonical_smiles": [" CCO ", "CCN"]}
    numbers = pl.Series("pubchem_cid", [67462786.0, 11707110.0])
    pl.DataFrame(known).with_columns(numbers).write_parquet(folder / "metadata" / "drug_metadata.parquet")


def _op3(folder: Path) -> None:
    described = {
        "cell_type": ["NK cells", "T cells CD4+", "NK cells"],
        "sm_name": ["Clotrimazole", "Clotrimazole", "Belinostat"],
        "sm_lincs_id": ["LSM-5341", "LSM-5341", "LSM-3828"],
        "SMILES": ["CCO", "CCO", "CCN"],
        "control": [False, False, True],
    }
    genes = pl.DataFrame({INDEX: TARGETS})
    values = np.random.default_rng(1).normal(size=(3, genes.height))
    write_wide_parquet(folder / "de_train.parquet", values, pl.DataFrame(described), genes)


def _pie_tested(folder: Path, *, line: str) -> None:
    (folder / "de").mkdir()
    tested = {
        "target": ["MYC"] * 3 + ["JAK2"] * 3, "feature": TARGETS[:3] * 2, "target_mean": 1.0, "ref_mean": 1.0,
        "target_ncells": 80, "ref_ncells": 900, "log2_fold_change": [0.5, -1.0, 0.0] * 2,
        "p_value": [0.01, 0.001, 1.0] * 2, "Ueffect": 0.5, "p_adj": [0.02, 0.003, 1.0] * 2,
    }  # fmt: skip
    pl.DataFrame(tested).write_parquet(folder / "de" / f"{line}.parquet")


def _pie_labels(folder: Path, *, context: str, perturbation: str) -> None:
    labels = {"context": context, "pert": perturbation, "gene_symbol": TARGETS[:3], "fold_change": [2.0, 0.5, 1.0]}
    (folder / "labels").mkdir()
    pl.DataFrame(labels | {"fdr": [0.01, 0.02, 1.0]}).write_parquet(folder / "labels" / "train.parquet")


def _zhu(folder: Path) -> None:
    rng = np.random.default_rng(6)
    shape = (3, GENES.height)
    layers = {name: rng.normal(size=shape) for name in ("log_fc", "zscore", "baseMean")}
    layers |= {"lfcSE": rng.uniform(0.1, 1, shape), "p_value": rng.random(shape), "adj_p_value": rng.random(shape)}
    layers["log_fc"][1, 2] = np.inf
    obs = {
        INDEX: ["a", "b", "c"],
        "target_contrast": ["ENSG00000136997", "ENSG00000096968", "ENSG00000141510"],
        "target_contrast_gene_name": ["MYC", "JAK2", "TP53"],
        "culture_condition": ["Rest", "Stim8hr", "Rest"],
        "n_cells_target": [120, 80, 300],
    }
    genes = pl.DataFrame({INDEX: GENES[INDEX], "gene_name": GENES["gene_name"]})
    path = folder / "GWCD4i.DE_stats.h5ad"
    write_h5ad(path, layers["log_fc"], pl.DataFrame(obs), genes, layout="dense", layers=layers)


def _creeds(folder: Path) -> None:
    record = {"organism": "human", "cell_type": "MCF7", "ctrl_ids": ["GSM1", "GSM2"], "down_genes": []}
    records = [
        record | {"id": "gene:1", "pert_type": "knockdown", "hs_gene_symbol": "TP53",
                  "up_genes": [["MYC", 0.3], ["JAK2", 0.1]], "down_genes": [["STAT1", -0.4]]},
        record | {"id": "gene:2", "pert_type": "mutation", "hs_gene_symbol": "MYC", "up_genes": ["JAK2"]},
        record | {"id": "gene:3", "organism": "mouse", "pert_type": "knockout", "hs_gene_symbol": "MYC",
                  "up_genes": ["Jak2"]},
    ]  # fmt: skip
    (folder / "single_gene_perturbations-v1.0.json").write_text(json.dumps(records))


PUBLISHED_RESULTS: dict[str, Miniature] = {
    **{f"lincs2020_{kind}": _lincs_2020 for kind in ("trt_cp", "trt_sh", "trt_xpr", "trt_oe", "trt_misc", "ctl")},
    **{f"lincs2020_level{level}_trt_xpr": partial(_lincs_wells, level=level) for level in (3, 4)},
    "lincs_gse92742": partial(_lincs_geo, prefix="GSE92742_Broad_LINCS"),
    "lincs_gse70138": partial(_lincs_geo, prefix="GSE70138_Broad_LINCS", suffix="_2017-03-06"),
    "depmap_24q4": partial(_depmap, name="CRISPRGeneEffect.csv"),
    "depmap_24q4_expression": partial(_depmap, name="OmicsExpressionProteinCodingGenesTPMLogp1.csv"),
    "depmap_26q1": partial(_depmap, name="CRISPRGeneEffect.csv", release="25q3"),
    "depmap_26q1_expression": partial(
        _depmap, name="OmicsExpressionTPMLogp1HumanProteinCodingGenes.csv", release="25q3"
    ),
    "depmap_chronos_44_lines": partial(_depmap, name="gene_effect.hdf5"),
    "archs4_human": _archs4,
    "recount2_srp009615": _recount2,
    "recount3_srp009615": _recount3,
    **{f"perturbqa_{line}": partial(_perturbqa, line=line) for line in ("k562", "rpe1", "jurkat")},
    "tahoe_100m_de": _tahoe,
    "op3_2023_pbmc_de": _op3,
    "zhu_2026_cd4_t_de": _zhu,
    "creeds_single_gene": _creeds,
    **L1000_OF_TEMP,
    **{f"pie_{line}": partial(_pie_tested, line=line) for line in ("k562", "rpe1", "hepg2", "jurkat")},
    "pie_arc_vcc_25": partial(_pie_labels, context="H1", perturbation="MYC"),
    **{
        f"pie_orion_{line.lower()}": partial(_pie_labels, context=line, perturbation="MYC")
        for line in ("HCT116", "HEK293T")
    },
    "pie_jiang": partial(_pie_labels, context="A549", perturbation="MYC"),
    "pie_tahoe_100m": partial(_pie_labels, context="A549", perturbation="Belinostat"),
}
"""By the name of the spec: writes the files that it names into a folder."""
