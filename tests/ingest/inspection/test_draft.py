"""Drafts of specs: what a file says is ingested without an edit, what it does not say is asked for by name."""

from __future__ import annotations

import itertools
import tomllib

import h5py
import numpy as np
import polars as pl
import pytest

from featurestore.errors import SpecError
from featurestore.query.warehouse import Warehouse
from ingest import reference
from ingest.inspection.columns import summarise
from ingest.inspection.draft import draft_spec
from ingest.inspection.inspect import inspect_file
from ingest.layouts import replogle_genes, write_10x_h5, write_gctx, write_h5ad, write_replogle
from ingest.layouts.examples import CELLS as OF_CELLS
from ingest.layouts.examples import COUNTS as OF_EXAMPLE
from ingest.layouts.examples import EXAMPLES, GENES
from ingest.pipeline import ingest_dataset
from ingest.spec import parse_spec

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
    """As counts are shared: genes in lines, and a table of samples."""
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
    "bulk samples by genes in lines, a sample table beside it": (
        bulk_folder,
        {"genes_in": "lines", "table": "coldata.csv", "key": "run", "assay": "bulk_rna_seq", "values": "counts"},
        2,
    ),
    "recount, coverage": (
        recount_folder,
        {"genes_in": "lines", "values": "bp_coverage", "table": "samples.csv"},
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


def drafted(path):
    found = inspect_file(path)
    return found, draft_spec(found, path.parent)


def conditions(path, text, root):
    """Ingest a draft as it is, and count the conditions that are no controls."""
    spec = path.parent / "draft.toml"
    spec.write_text(text, encoding="utf-8")
    ingested = ingest_dataset(spec, root)
    with Warehouse(root) as store:
        table = store.frame("select is_control, count(*) as n from condition group by all")
        rejected = store.frame("select coalesce(sum(n_cells), 0) as n from rejected")["n"][0]
    assert ingested.is_new
    return dict(table.iter_rows()).get(False, 0), rejected


@pytest.mark.parametrize(("write", "says", "n_conditions"), CASES.values(), ids=CASES)
def test_draft__of_a_published_layout_ingests_without_an_edit(write, says, n_conditions, tmp_path):
    path = write(tmp_path)
    _, draft = drafted(path)
    assert draft.missing == (), draft.text
    content = tomllib.loads(draft.text)
    sections = (content.get(name, {}) for name in ("rows", "genes", "compound", "dataset", "condition"))
    flat = {key: value for section in sections for key, value in section.items()}
    assert {key: flat.get(key) for key in says} == says, draft.text
    assert conditions(path, draft.text, tmp_path / "warehouse")[0] == n_conditions


@pytest.mark.parametrize(("donors", "is_said"), [(("D1", "D2"), True), (("D1",), False)])
def test_draft__proposes_donors_as_replicates(donors, is_said, tmp_path):
    rows = cells(gene=cycle("non-targeting", "MYC"), cell_type=cycle("THP-1"), donor_id=cycle(*donors, each=2))
    _, draft = drafted(write_h5ad(tmp_path / "screen.h5ad", COUNTS, rows, BY_SYMBOL))
    assert ('# also there, not used: replicate = "donor_id" (2 of them; ' in draft.text) == is_said
    assert "replicate" not in tomllib.loads(draft.text)["condition"]


NO_SYMBOLS = [("mtx", "alevin-fry")]
NO_IDS = [("mtx", "BD Rhapsody")]
ONLY_BARCODES = [
    *(("mtx", "10x version 3"), ("mtx", "10x version 2"), ("10x_h5", "Cell Ranger 3")),
    *(("mtx", "kb-python"), ("mtx", "STARsolo"), *NO_SYMBOLS, *NO_IDS),
]
NO_LABELS = ["archs4", "quantified", "r"]
"""Formats in which no column says what was done to a row."""
SAID = [(n, layout) for n, layouts in EXAMPLES.items() for layout in layouts if (n, layout) not in ONLY_BARCODES]
SAID = [(name, layout) for name, layout in SAID if name not in NO_LABELS]


@pytest.mark.parametrize(("name", "layout"), SAID)
def test_draft__of_every_example_that_says_enough_ingests(name, layout, tmp_path):
    path = EXAMPLES[name][layout](tmp_path)
    _, draft = drafted(path)
    assert draft.missing == (), draft.text
    assert conditions(path, draft.text, tmp_path / "warehouse")[0] > 0


@pytest.mark.parametrize(("name", "layout"), ONLY_BARCODES)
def test_draft__asks_for_what_a_file_does_not_say(name, layout, tmp_path):
    (tmp_path / "sample_7").mkdir()
    path = EXAMPLES[name][layout](tmp_path / "sample_7")
    _, draft = drafted(path)
    assert draft.missing == ("condition.perturbation", "condition.kind", "condition.controls", "condition.context")
    content = tomllib.loads(draft.text)
    assert content["dataset"] == {
        "id": "sample_7", "files": [path.name], "values": "counts", "assay": "perturb_seq",
    }  # fmt: skip
    genes = {"id": "index", "kind": "symbol" if (name, layout) in NO_IDS else "ensembl"}
    assert content["genes"] == genes | ({} if (name, layout) in NO_SYMBOLS + NO_IDS else {"symbol": "gene_name"})
    with pytest.raises(SpecError, match=r"condition.perturbation: is missing"):
        parse_spec(content)


@pytest.mark.parametrize(("name", "missing"), [("adata_Training.h5ad", ()), ("screen.h5ad", ("condition.context",))])
def test_draft__asks_for_the_cells_where_neither_columns_nor_name_nor_catalogue_tell(name, missing, tmp_path):
    rows = cells(
        target_gene=cycle("non-targeting", "MYC"), guide_id=cycle("a", "b"), batch=cycle("Flex_1", "Flex_2", each=9)
    )
    _, draft = drafted(write_h5ad(tmp_path / name, COUNTS, rows, BY_SYMBOL))
    assert draft.missing == missing
    assert ('value = "H1"' in draft.text) == (not missing)


def test_draft__is_a_spec_once_what_it_asks_for_is_filled_in(tmp_path):
    path = EXAMPLES["h5ad"]["csr"](tmp_path)
    rows = cells(perturbation=cycle("guide A", "MYC", "STAT1"))
    path = write_h5ad(tmp_path / "screen.h5ad", COUNTS, rows, BY_SYMBOL)
    _, draft = drafted(path)
    assert draft.missing == ("condition.controls", "condition.context")
    text = draft.text.replace('# FILL IN: controls = ["non-targeting"]', 'controls = ["guide A"]')
    text = text.replace('# FILL IN: context = { value = "K562" }', 'context = { value = "K562" }')
    assert conditions(path, text, tmp_path / "warehouse")[0] == 2


def test_draft__asks_a_human_about_labels_that_look_like_controls(tmp_path):
    rows = cells(perturbation=cycle("NegCtrl0_1", "MYC", "KNTC1"), cell_line=cycle("K562"))
    _, draft = drafted(write_h5ad(tmp_path / "cells.h5ad", COUNTS, rows, BY_SYMBOL))
    assert draft.missing == ("condition.controls",)
    assert "may be: 'NegCtrl0_1' (80 rows)" in draft.text.replace("\n#  ", "")
    assert 'FILL IN: controls = ["NegCtrl0_1"]' in draft.text


def test_draft__marks_the_guess_that_nothing_supports(tmp_path):
    rows = cells(perturbation=cycle("non-targeting", "MYC", "STAT1"), cell_line=cycle("K562"))
    _, draft = drafted(write_h5ad(tmp_path / "cells.h5ad", COUNTS, rows, BY_SYMBOL))
    assert draft.doubtful == ("condition.kind",)
    assert 'kind = "crispr_knockout"  # CHECK' in draft.text


def test_draft__of_a_catalogued_file_has_its_citation_and_experiment(tmp_path):
    path = EXAMPLES["h5ad"]["Replogle 2022"](tmp_path)
    found, draft = drafted(path)
    dataset = tomllib.loads(draft.text)["dataset"]
    assert found.entry.id == dataset["id"] == "replogle_2022_k562_essential"
    assert dataset["licence"] == "CC-BY-4.0"
    assert dataset["citation"].endswith("doi:10.1016/j.cell.2022.05.013")
    assert dataset["experiment"].startswith("replogle_2022_k562")


def test_draft__names_files_relative_to_the_spec(tmp_path):
    path = EXAMPLES["h5ad"]["csr"](tmp_path)
    (tmp_path / "specs").mkdir()
    draft = draft_spec(inspect_file(path), tmp_path / "specs")
    assert tomllib.loads(draft.text)["dataset"]["files"] == ["../cells.h5ad"]


def test_draft__quotes_labels_as_toml(tmp_path):
    nasty = 'a "quoted" \\ label\twith \u00b5'
    rows = cells(perturbation=cycle("control", nasty, "MYC"), cell_line=cycle('K "5" \\'))
    path = write_h5ad(tmp_path / "cells.h5ad", COUNTS, rows, BY_SYMBOL)
    _, draft = drafted(path)
    assert tomllib.loads(draft.text)["condition"]["context"] == {"value": 'K "5" \\'}


def test_draft__of_mouse_genes_says_so(tmp_path):
    genes = pl.DataFrame({"index": ["Trp53", "Myc", "Abl1", "Stat1", "Tyk2", "Isg15", "Gapdh", "Actb"]})
    rows = cells(perturbation=cycle("control", "Myc"), cell_line=cycle("3T3"))
    path = write_h5ad(tmp_path / "cells.h5ad", COUNTS[:, :8], rows, genes)
    _, draft = drafted(path)
    assert tomllib.loads(draft.text)["dataset"]["organism"] == "mouse"


def test_draft__adds_repeated_symbols_and_says_so(tmp_path):
    genes = pl.DataFrame({"index": [*SYMBOLS[:-1], SYMBOLS[0]]})
    rows = cells(perturbation=cycle("control", "MYC"), cell_line=cycle("K562"))
    path = write_h5ad(tmp_path / "cells.h5ad", COUNTS, rows, genes)
    _, draft = drafted(path)
    assert tomllib.loads(draft.text)["genes"]["duplicates"] == "collapse"
    assert conditions(path, draft.text, tmp_path / "warehouse") == (1, 0)


@pytest.mark.parametrize(
    ("folder", "name", "n_conditions", "n_controls"),
    [
        ("perturb_seq", "papalexi2021_thp1_raw.h5ad", 25, 1),
        ("perturb_seq", "norman2019_mcfaline2023_lognorm.h5ad", 60, 4),
        ("perturb_seq/datlinger2017", "matrix.mtx", 40, 2),
        ("drug_seq", "zhao2021_gbm_panobinostat_raw.h5ad", 1, 1),
        ("lincs", "modzs_n272x978.gctx", 272, 0),
        ("lincs", "modzs_n272x978.gct", 272, 0),
        ("lincs", "level4_plate_n377x978.gctx", 351, 1),
        ("depmap", "gene_effect.hdf5", 38_852, 0),
    ],
)
def test_draft__of_real_files_ingests_without_an_edit(folder, name, n_conditions, n_controls, real_data, tmp_path):
    path = real_data / folder / name
    draft = draft_spec(inspect_file(path), path.parent)
    assert draft.missing == (), draft.text
    spec = tmp_path / "draft.toml"
    spec.write_text(draft.text, encoding="utf-8")
    ingest_dataset(spec, tmp_path / "warehouse", path.parent)
    with Warehouse(tmp_path / "warehouse") as store:
        counted = dict(store.frame("select is_control, count(*) from condition group by all").iter_rows())
    assert (counted.get(False, 0), counted.get(True, 0)) == (n_conditions, n_controls)


@pytest.mark.parametrize("column", ["perturbation", "guide"])
@pytest.mark.parametrize(
    ("labels", "controls", "strip"),
    [
        (["sgTP53-1", "sgTP53-2", "sgMYC-1", "sgNTC-1"], ["NTC"], r"^sg[-_]?|-\d+$"),
        (
            ["sgRNA_TP53_1", "sgRNA_MYC_2", "sgRNA_NT_1", "sgRNA_NT_2"],
            ["NT"],
            r"^sgRNA[-_]?|_\d+$",
        ),
        (["gRNA-TP53", "gRNA-MYC", "gRNA-Control", "sgNT-3"], ["Control", "sgNT-3"], "^gRNA[-_]?"),
    ],
)
def test_draft__takes_labels_of_guides_for_their_genes(tmp_path, column, labels, controls, strip):
    path = h5ad("guides.h5ad", cells(cell_line=cycle("K562"), **{column: cycle(*labels)}))(tmp_path)
    draft = draft_spec(inspect_file(path), tmp_path)
    condition = tomllib.loads(draft.text)["condition"]
    assert (condition["perturbation"], condition["controls"], condition["strip"]) == (column, controls, strip)
    assert draft.missing == ()
    (tmp_path / "draft.toml").write_text(draft.text)
    ingest_dataset(tmp_path / "draft.toml", tmp_path / "warehouse")
    with Warehouse(tmp_path / "warehouse") as store:
        found = store.frame("select target_symbols, is_control, n_cells from condition order by target_symbols")
    each = {symbol: N // 4 * sum(symbol in label for label in labels) for symbol in ("MYC", "TP53")}
    n_controls = N // 4 * sum("NT" in label or "Control" in label for label in labels)
    assert found.rows() == [([], True, n_controls), (["MYC"], False, each["MYC"]), (["TP53"], False, each["TP53"])]


@pytest.mark.parametrize("label", ["sgNT5E", "sgNT5", "sgNTN1-1", "sgCTRL1B", "SGK1", "sgSCRIB-2", "sgNEGR1"])
def test_column__takes_no_guide_of_a_gene_for_a_control(label):
    assert summarise(pl.Series("guide", [label, "sgNTC-1"])).controls == {"sgNTC-1": 1}


def test_draft__of_a_folder_joins_a_table_whose_barcodes_have_no_number_of_a_library(tmp_path):
    folder = tmp_path / "screen_K562"
    (folder / "outs").mkdir(parents=True)
    barcodes = [f"ACGTACGTACGTA{a}{b}{c}" for a in "ACGT" for b in "ACGT" for c in "AC"][: OF_CELLS.height]
    cells = pl.DataFrame({"index": [f"{barcode}-1" for barcode in barcodes]})
    write_10x_h5(folder / "outs" / "filtered_feature_bc_matrix.h5", OF_EXAMPLE, cells, GENES)
    calls = OF_CELLS.select("cell_line", "perturbation_type", barcode=pl.Series(barcodes), gene_target="perturbation")
    calls.write_csv(folder / "outs" / "assigned.csv")
    draft = draft_spec(inspect_file(folder), tmp_path)
    content = tomllib.loads(draft.text)
    assert content["dataset"]["files"] == ["screen_K562/outs/filtered_feature_bc_matrix.h5"]
    assert content["rows"] == {"table": "screen_K562/outs/assigned.csv", "key": "barcode"}
    text = draft.text.replace("screen_K562/outs/filtered_feature_bc_matrix.h5", "screen_K562")
    assert conditions(folder, text, tmp_path / "warehouse") == (3, 8)
