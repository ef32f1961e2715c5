"""Whichever way a dataset takes into the warehouse, its release passes every check, and a snapshot gives it back."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from featurestore.query.warehouse import Warehouse
from featurestore.upkeep.verify import verify
from ingest.layouts import write_gctx
from ingest.pipeline import ingest_dataset
from ingest.signatures.recompute import recompute
from layouts.tables import write_depmap, write_genes_by_samples, write_wide

GENES = pl.DataFrame({"index": ["TP53", "MYC", "STAT1", "JAK2", "IRF1", "GAPDH"]})
SAMPLES = [f"s{i}" for i in range(8)]
RNG = np.random.default_rng(8)
SPEC = """
[dataset]
id = "{name}"
files = ["{file}"]
values = "{values}"
assay = "{assay}"
{dataset}
[condition]
perturbation = "{perturbation}"
{condition}
context = {{ {context} }}
{more}
"""
BULK = {
    "assay": "bulk_rna_seq",
    "dataset": 'genes_in = "rows"',
    "perturbation": "done",
    "condition": 'kind = "shrna"\ncontrols = ["control"]',
    "context": 'value = "K562"',
}
SHEET = '[rows]\ntable = "sheet.tsv"\nkey = "sample"\n'
SCREEN = {
    "assay": "crispr_screen",
    "dataset": "",
    "condition": 'kind = "crispr_knockout"',
    "context": 'column = "model_id"',
}
WAYS = {
    "counts": BULK | {"file": "counts.csv", "values": "counts", "more": SHEET},
    "coverage": BULK | {"file": "counts.csv", "values": "bp_coverage", "more": f"{SHEET}[coverage]\nread_length = 1\n"},
    "phenotype": SCREEN | {"file": "effect.csv", "values": "gene_effect", "perturbation": "columns", "more": ""},
    "at_rest": SCREEN
    | {
        "file": "effect.csv",
        "values": "log2tpm1",
        "assay": "bulk_rna_seq",
        "perturbation": "model_id",
        "condition": 'kind = "control"',
        "more": "",
    },
    "wells": {
        "file": "wells.gctx",
        "values": "zscore",
        "assay": "l1000",
        "dataset": "",
        "perturbation": "pert",
        "condition": 'kind_column = "type"',
        "context": 'column = "cell"',
        "more": '[genes]\nkind = "symbol"\n',
    },
    "reported": {
        "file": "reported.csv",
        "values": "log2_fold_change",
        "assay": "de_table",
        "dataset": "",
        "perturbation": "target",
        "condition": 'kind = "crispri"',
        "context": 'column = "line"',
        "more": "",
    },
    "listed": {
        "file": "listed.csv",
        "values": "de_call",
        "assay": "de_table",
        "dataset": "",
        "perturbation": "target",
        "condition": 'kind = "crispri"',
        "context": 'column = "line"',
        "more": '[table]\ngene = "gene"\neffect = "call"\n',
    },
}


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ways")
    write_genes_by_samples(folder / "counts.csv", RNG.poisson(40, (8, 6)), SAMPLES, GENES, "plain")
    sheet = pl.DataFrame({"sample": SAMPLES, "done": ["control", "MYC", "control", "JAK2"] * 2})
    sheet.write_csv(folder / "sheet.tsv", separator="\t")
    labels = ["TP53 (7157)", "MYC (4609)", "JAK2 (3717)"]
    write_depmap(folder / "effect.csv", RNG.random((3, 3)), ["ACH-000551", "ACH-000219", "ACH-000001"], labels, "24q4")
    wells = pl.DataFrame(
        {
            "index": [f"w{i}" for i in range(9)],
            "pert": ["DMSO", "MYC", "JAK2"] * 3,
            "type": ["ctl_vehicle", "trt_xpr", "trt_xpr"] * 3,
            "cell": ["A375"] * 9,
        }
    )
    write_gctx(folder / "wells.gctx", RNG.normal(size=(9, 6)).astype(np.float32), wells, GENES)
    described = pl.DataFrame({"index": ["a", "b"], "target": ["MYC", "JAK2"], "line": ["K562", "RPE1"]})
    write_wide(folder / "reported.csv", np.array([[1.0, np.nan, 2, 3, 4, 5]] * 2), described, GENES)
    (folder / "listed.csv").write_text("target,line,gene,call\nMYC,K562,TP53,1\nMYC,K562,STAT1,-1\nJAK2,K562,TP53,0\n")
    for name, way in WAYS.items():
        (folder / f"{name}.toml").write_text(SPEC.format(name=name, **way))
        ingest_dataset(folder / f"{name}.toml", folder / "warehouse")
    return folder / "warehouse"


def test_release__passes_every_check_and_is_what_its_sums_give(warehouse):
    report = verify(warehouse, deep=[recompute])
    assert [(fault.what, fault.got) for fault in report.faults] == []


@pytest.mark.parametrize(
    ("name", "n_conditions", "n_controls", "signatures", "phenotypes", "statistics"),
    [
        ("counts", 2, 1, 12, 0, 18),
        ("coverage", 2, 1, 12, 0, 18),
        ("phenotype", 9, 0, 0, 9, 0),
        ("at_rest", 0, 3, 0, 0, 9),
        ("wells", 2, 1, 12, 0, 0),
        ("reported", 2, 0, 12, 0, 0),
        ("listed", 2, 0, 3, 0, 0),
    ],
)
def test_tables__hold_what_the_way_gives(warehouse, name, n_conditions, n_controls, signatures, phenotypes, statistics):
    with Warehouse(warehouse) as store:
        counted = store.frame("select n_conditions, n_controls from dataset where dataset_id = $1", [name])
        assert counted.row(0) == (n_conditions, n_controls)
        for view, n_rows in (("signature", signatures), ("phenotype", phenotypes), ("statistics", statistics)):
            assert store.frame(f"select count(*) from {view} where dataset_id = $1", [name]).item() == n_rows, view
        assert (
            store.frame("select count(*) from condition where dataset_id = $1", [name]).item()
            == n_conditions + n_controls
        )


def test_ingest__twice_changes_nothing(warehouse):
    folder = warehouse.parent
    for name in WAYS:
        assert ingest_dataset(folder / f"{name}.toml", warehouse).is_new is False
