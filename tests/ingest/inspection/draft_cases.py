"""Files as publishers lay them out, each with what a draft of its spec says and how many conditions that gives."""

from __future__ import annotations

import itertools

import h5py
import numpy as np
import polars as pl

from ingest import reference
from ingest.layouts import replogle_genes, write_gctx, write_h5ad, write_replogle

SYMBOLS = ["TP53", "MYC", "ABL1", "STAT1", "TYK2", "ISG15", "GAPDH", "ACTB", "KLF1", "SET", "CEBPE", "RUNX1T1"]
KNOWN = reference.table("gene").filter(pl.col("gene_symbol").is_in(SYMBOLS) & pl.col("gene_id").str.starts_with("E"))
ENSEMBL = dict(KNOWN.select("gene_symbol", "gene_id").iter_rows())
N = 240
AT = np.arange(N)
COUNTS = np.random.default_rng(5).poisson(4.0, (N, len(SYMBOLS))).astype(np.float32)
LOGS = np.log1p(1e4 * COUNTS / COUNTS.sum(axis=1, keepdims=True)).astype(np.float32)
BY_SYMBOL = pl.DataFrame({"index": SYMBOLS})
BY_ENSEMBL = pl.DataFrame({"index": [ENSEMBL[name] for name in SYMBOLS], "gene_name": SYMBOLS})


def cycle(*labels, each=1):
    return list(itertools.islice(itertools.cycle(np.repeat(labels, each).tolist()), N))


def cells(**columns):
    return pl.DataFrame({"index": [f"CELL{at}-1" for at in AT], **columns}, strict=False)


def h5ad(name, rows, genes=BY_SYMBOL, matrix=COUNTS, **options):
    return lambda folder: write_h5ad(folder / name, matrix, rows, genes, **options)


def arc_support(folder):
    """As in the support set of the Virtual Cell Challenge: dense log1p under .h5, nothing in uns."""
    rows = cells(
        gem_group=cycle(1, 2, each=7),
        gene=cycle("MYC", "STAT1", "non-targeting"),
        target_gene=cycle("MYC", "STAT1", "non-targeting"),
        cell_type=cycle("k562"),
        batch_var=cycle("k562_1", "k562_2", each=7),
    )
    return write_h5ad(folder / "k562.h5", LOGS, rows, BY_SYMBOL, layout="dense")


def replogle_bulk(folder):
    """As raw_bulk of Replogle et al. 2022: the mean UMI of each population, under its own name."""
    targets = cycle("non-targeting", *SYMBOLS[:5])
    ids = [ENSEMBL.get(target, "non-targeting") for target in targets]
    names = [f"{at}_{target}_P1P2_{name}" for at, (target, name) in enumerate(zip(targets, ids, strict=True))]
    n_cells = np.random.default_rng(2).integers(20, 90, N)
    rows = pl.DataFrame(
        {
            "index": names,
            "num_cells_filtered": n_cells.astype(np.float64),
            "num_cells_unfiltered": n_cells + 5,
            "mitopercent": n_cells / 900,
            "core_control": [target == "non-targeting" for target in targets],
        }
    )
    means = np.round(COUNTS * 7) / n_cells[:, None]
    genes = replogle_genes(means, BY_ENSEMBL["index"].to_list(), SYMBOLS)
    return write_replogle(folder / "rpe1_raw_bulk_01.h5ad", means, rows, genes, row_key="gene_transcript")


def split_lincs(folder):
    """As LINCS on GEO: identifiers in the file, everything else in tables beside it."""
    ids = [f"CPC00{at}_A549_24H:BRD-K{at:08d}:10" for at in AT]
    entrez = ["7157", "4609", "25", "6772", "7297", "9636", "2597", "60", "10661", "6418", "1053", "862"]
    rows, genes = pl.DataFrame({"index": ids}), pl.DataFrame({"index": entrez})
    effects = np.random.default_rng(1).normal(size=COUNTS.shape).astype(np.float32)
    pl.DataFrame(
        {
            "sig_id": ids[::-1],
            "pert_id": [f"BRD-K{at % 9:08d}" for at in AT],
            "pert_iname": [f"compound {at % 9}" for at in AT],
            "pert_type": "trt_cp",
            "cell_id": cycle("A549", "HT29"),
            "pert_idose": "10 um",
            "pert_itime": "24 h",
        }
    ).write_csv(folder / "GSE1_sig_info.txt", separator="\t")
    info = pl.DataFrame({"pr_gene_id": entrez, "pr_gene_symbol": SYMBOLS})
    info.write_csv(folder / "GSE1_gene_info.txt", separator="\t")
    return write_gctx(folder / "GSE1_Level5_COMPZ.gctx", effects, rows, genes)


def depmap_folder(folder):
    """As DepMap since 25Q3: a wide CSV of two rows for one line, and the table of lines."""
    models = ["ACH-000001", "ACH-000002", "ACH-000003", "ACH-000003"]
    header = [
        "",
        "SequencingID",
        "ModelID",
        "IsDefaultEntryForModel",
        *(f"{name} ({at + 1})" for at, name in enumerate(SYMBOLS)),
    ]
    lines = [header]
    for at, model in enumerate(models):
        effects = [f"{value:.3f}" for value in np.random.default_rng(at).normal(-0.4, 0.5, len(SYMBOLS))]
        lines.append([str(at), f"CDS-{at}", model, "No" if at == 3 else "Yes", *effects])
    (folder / "CRISPRGeneEffect_26Q1.csv").write_text("".join(",".join(line) + "\n" for line in lines))
    table = "ModelID,CellLineName,RRID\nACH-000001,NIH:OVCAR-3,CVCL_0465\nACH-000002,HL-60,CVCL_0002\n"
    (folder / "Model.csv").write_text(table + "ACH-000003,CACO2,CVCL_0025\n")
    return folder / "CRISPRGeneEffect_26Q1.csv"


def counts_of_lines(folder, scale=1):
    samples = [f"SRR{387777 + at}" for at in range(9)]
    values = 60_000 * scale * COUNTS[:9].T.astype(int) + 1
    lines = [["", *samples]] + [
        [ENSEMBL[name] + ".3", *map(str, row)] for name, row in zip(SYMBOLS, values, strict=True)
    ]
    (folder / "counts.csv").write_text("".join(",".join(line) + "\n" for line in lines))
    return samples, values


def described(samples):
    return {
        "run": samples,
        "condition": (["control", "MYC", "STAT1"] * 3),
        "cell_line": ["K562"] * 9,
        "batch": [f"b{at // 3}" for at in range(9)],
    }


def bulk_folder(folder):
    """As counts are shared: genes in rows, and a table of samples."""
    samples, _ = counts_of_lines(folder)
    pl.DataFrame(described(samples)).write_csv(folder / "coldata.csv")
    return folder / "counts.csv"


def recount_folder(folder):
    """As recount: sums of coverage, and a sample table that has all coverage and the reads behind it."""
    samples, values = counts_of_lines(folder, 36)
    table = pl.DataFrame(described(samples)).with_columns(auc=values.sum(axis=0) * 1.1)
    table.with_columns(mapped_read_count=(pl.col("auc") / 36).cast(pl.Int64)).write_csv(folder / "samples.csv")
    return folder / "counts.csv"


def annotated_log1p(folder):
    """As written by scanpy: log1p in X, which uns says, and counts in a layer."""
    rows = cells(condition=cycle("ctrl", "MYC+ctrl", "ctrl+STAT1", "MYC+STAT1"), cell_type=cycle("A549"))
    path = write_h5ad(folder / "perturb_processed.h5ad", LOGS, rows, BY_SYMBOL)
    with h5py.File(path, "a") as file:
        file.create_group("uns/log1p")
    return path


CASES = {
    "Virtual Cell Challenge 2026": (
        h5ad(
            "context_A.h5ad",
            cells(
                target_gene=cycle("non-targeting", "MYC", "STAT1"),
                context=cycle("context_A"),
                batch=cycle("Flex_1", "Flex_2", each=11),
            ),
        ),
        {"perturbation": "target_gene", "controls": ["non-targeting"], "batch": "batch"},
        2,
    ),
    "Arc support set": (
        arc_support,
        {"perturbation": "target_gene", "batch": "gem_group", "context": {"value": "k562"}, "values": "log1p"},
        2,
    ),
    "GEARS": (
        annotated_log1p,
        {"perturbation": "condition", "controls": ["ctrl"], "separator": "+", "values": "log1p"},
        3,
    ),
    "Norman 2019, scPerturb": (
        h5ad(
            "NormanWeissman2019_filtered.h5ad",
            cells(
                guide_id=cycle("a", "b", "c", "d"),
                cell_line=cycle("K562"),
                gemgroup=cycle(1, 2, 3, each=8),
                perturbation_type=cycle("CRISPR"),
                perturbation=cycle("control", "SET_KLF1", "KLF1", "CEBPE_RUNX1T1"),
                nperts=cycle(0, 2, 1, 2),
            ),
            BY_SYMBOL.with_columns(ensemble_id=BY_ENSEMBL["index"]),
        ),
        {"separator": "_", "batch": "gemgroup", "kind": "crispra", "symbol": "index"},
        3,
    ),
    "Adamson 2016, scPerturb": (
        h5ad(
            "AdamsonWeissman2016_GSM2406681_10X010.h5ad",
            cells(
                perturbation=cycle("62(mod)_pBA581", "STAT1_pDS269", "MYC_pBA578", "*", None, "TP53_pMJ154"),
                cell_line=cycle("K562"),
            ),
        ),
        {"controls": ["62(mod)_pBA581"], "unassigned": ["*"], "strip": "_(pM|pD|pB|only).*$"},
        3,
    ),
    "sci-Plex 3, scPerturb": (
        h5ad(
            "SrivatsanTrapnell2020_sciplex3.h5ad",
            cells(
                perturbation=cycle("control", "Trametinib", "(+)-JQ1", "Panobinostat", None),
                cell_line=cycle("A549", "K562", each=5),
                dose_value=cycle(0.0, 10.0, 100.0, 1000.0, None),
                dose_unit=cycle("nM"),
                time=cycle(24.0, 72.0, each=10),
                plate=cycle("plate1", "plate2", each=20),
                perturbation_type=cycle("drug"),
            ),
            BY_SYMBOL.with_columns(ensembl_id=BY_ENSEMBL["index"]),
        ),
        {"dose": {"column": "dose_value", "unit": "nM"}, "kind_column": "perturbation_type", "batch": "plate"},
        12,
    ),
    "OP3, counts in a layer": (
        h5ad(
            "sc_counts.h5ad",
            cells(
                sm_name=cycle("Dimethyl Sulfoxide", "Belinostat", "Dabrafenib"),
                SMILES=cycle("CS(C)=O", "c1ccccc1", "CCO"),
                dose_uM=cycle(14, 1, 1),
                timepoint_hr=cycle(24.0),
                cell_type=cycle("NK cells", "T cells CD4+", each=3),
                plate_name=cycle("plate_0", "plate_1", each=6),
            ),
            matrix=LOGS,
            layers={"counts": COUNTS},
        ),
        {
            "matrix": "layers/counts",
            "values": "counts",
            "kind": "compound",
            "dose": {"column": "dose_uM", "unit": "uM"},
            "time": {"column": "timepoint_hr", "unit": "h"},
            "smiles": "SMILES",
        },
        4,
    ),
    "Tahoe plate": (
        h5ad(
            "plate3_filt.h5ad",
            cells(
                drug=cycle("DMSO_TF", "Erdafitinib ", "Trametinib (DMSO_TF solvate)"),
                drugname_drugconc=cycle(
                    "[('DMSO_TF', 0.0, 'uM')]",
                    "[('Erdafitinib ', 0.05, 'uM')]",
                    "[('Trametinib (DMSO_TF solvate)', 5.0, 'uM')]",
                ),
                cell_line=cycle("CVCL_0023", "CVCL_0320", each=3),
                plate=cycle("plate3"),
            ),
        ),
        {
            "perturbation": "drug",
            "controls": ["DMSO_TF"],
            "dose": {"column": "drugname_drugconc"},
            "context": {"column": "cell_line"},
        },
        4,
    ),
    "X-Atlas/Orion": (
        h5ad(
            "HCT116_Batch1.h5ad",
            cells(
                sample=cycle("HCT116_Batch1", "HCT116_Batch2", each=9),
                gene_target=cycle("Non-Targeting", "MYC", "STAT1"),
                guide_target=cycle("Non-Targeting_1", "MYC_P1P2-1|MYC_P1P2-2", "STAT1_P1P2-1"),
                pass_guide_filter=cycle(1, 1, 1, 0),
            ),
        ),
        {"controls": ["Non-Targeting"], "kind": "crispri", "context": {"value": "HCT116"}, "batch": "sample"},
        2,
    ),
    "KNTC1 is a gene": (
        h5ad("KOLF2_atlas.h5ad", cells(gene_target=cycle("NTC", "KNTC1", "MYC"), cell_type=cycle("iPSC"))),
        {"controls": ["NTC"], "context": {"value": "iPSC"}},
        2,
    ),
    "cytokines": (
        h5ad(
            "Parse_10M.h5ad",
            cells(
                cytokine=cycle("PBS", "IFN-gamma", "4-1BBL"),
                cell_type=cycle("CD4 Naive", "NK", each=3),
                donor=cycle("Donor1", "Donor2", each=6),
            ),
        ),
        {"kind": "ligand", "controls": ["PBS"], "batch": "donor"},
        4,
    ),
    "stimulus in a column of its own": (
        h5ad(
            "crop.h5ad",
            cells(
                perturbation=cycle("control", "STAT1_1", "STAT1_2", "MYC_1", "TYK2_1"),
                perturbation_2=cycle("stimulated", "unstimulated", each=5),
                cell_line=cycle("Jurkat cells"),
            ),
        ),
        {"context": {"template": "Jurkat, {perturbation_2}"}, "strip": r"_\d+$"},
        6,
    ),
    "Replogle 2022, raw_bulk": (
        replogle_bulk,
        {
            "perturbation": "target",
            "values": "mean_counts",
            "cells": ["num_cells_filtered", "num_cells_unfiltered"],
            "context": {"value": "RPE1"},
            "kind": "crispri",
        },
        5,
    ),
    "wells whose type tells the controls": (
        h5ad(
            "VH02001612.h5ad",
            cells(
                compound=cycle("CB-43-EP73", "Dilazep", "Belinostat"),
                well_type=cycle("RC", "SA", "SA"),
                treatment_dose=cycle(0.0, 0.01004, 1.00144),
                treatment_dose_unit=cycle("uM"),
                cell_line_name=cycle("U2OS"),
                batch=cycle(1, 2, 3, each=9),
            ),
        ),
        {
            "control_where": "well_type = 'RC'",
            "kind": "compound",
            "dose": {"column": "treatment_dose", "unit": "uM"},
            "context": {"value": "U2OS"},
        },
        2,
    ),
    "DepMap with its table of lines": (
        depmap_folder,
        {"perturbation": "columns", "values": "gene_effect", "context_table": "Model.csv", "where": "is_default"},
        3 * len(SYMBOLS),
    ),
    "bulk samples by genes in rows, a sample table beside it": (
        bulk_folder,
        {"genes_in": "rows", "table": "coldata.csv", "key": "run", "assay": "bulk_rna_seq", "values": "counts"},
        2,
    ),
    "recount, coverage": (
        recount_folder,
        {"genes_in": "rows", "values": "bp_coverage", "table": "samples.csv"},
        2,
    ),
    "LINCS with tables beside it": (
        split_lincs,
        {
            "table": "GSE1_gene_info.txt",
            "perturbation": "pert_iname",
            "values": "moderated_z",
            "assay": "l1000",
        },
        N,
    ),
}
