"""Published results: what their columns are, told by content, and drafts that ingest."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest

from featurestore.query.warehouse import Warehouse
from ingest.inspection.draft import draft_spec
from ingest.inspection.inspect import inspect_file
from ingest.pipeline import ingest_dataset

GENES = ["MYC", "TP53", "STAT1", "JAK2", "IRF1", "GAPDH"]
TARGETS = ["BRD4", "EGFR", "KRAS", "CDK6"]


def lines(effect, **more):
    pairs = [(target, gene) for target in TARGETS for gene in GENES]
    table = pl.DataFrame(pairs, schema=["pert", "gene"], orient="row")
    return table.with_columns(pl.Series(effect, np.linspace(-2, 2, len(pairs))), **more)


def calls(folder):
    path = folder / "k562-de.csv"
    lines("label").with_columns((pl.col("label") > 0).cast(pl.Int64)).write_csv(path)
    return path


def deseq2(folder):
    path = folder / "results.parquet"
    table = lines("log2FoldChange", lfcSE=pl.lit(0.5), pvalue=pl.lit(0.1), padj=pl.lit(0.2))
    table = table.with_columns(stat=pl.col("log2FoldChange") / 0.5)
    drugs = dict(zip(TARGETS, ["vorinostat", "trametinib", "dasatinib", "imatinib"], strict=True))
    table = table.with_columns(drug=pl.col("pert").replace(drugs), cell_line=pl.lit("A549"), smiles=pl.lit("CCO"))
    table.drop("pert").write_parquet(path)
    return path


def scanpy(folder):
    path = folder / "A549_ranked.tsv"
    lines("logfoldchanges", pvals_adj=pl.lit(0.01)).rename({"gene": "names", "pert": "condition"}).write_csv(
        path, separator="\t"
    )
    return path


CASES = {
    "calls": (calls, {"gene": "gene", "effect": "label"}, "de_call", "pert"),
    "DESeq2, Parquet": (
        deseq2,
        {"gene": "gene", "effect": "log2FoldChange", "standard_error": "lfcSE", "z": "stat"}
        | {"p_value": "pvalue", "q_value": "padj"},
        "log2_fold_change",
        "drug",
    ),
    "scanpy, tabs": (
        scanpy,
        {"gene": "names", "effect": "logfoldchanges", "q_value": "pvals_adj"},
        "log2_fold_change",
        "condition",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_inspect__tells_the_columns_of_a_long_table(tmp_path, case):
    write, table, kind, perturbation = CASES[case]
    found = inspect_file(write(tmp_path))
    assert found.table == table
    assert found.values.kind == kind
    assert found.best("perturbation").column == perturbation
    assert (found.n_rows, found.n_genes) == (len(TARGETS), len(GENES))


def one_line_a_gene(targets, *dropped):
    """A table in which no gene comes twice, with the columns that README describes."""
    table = pl.DataFrame({"target": [targets[at % len(targets)] for at in range(len(GENES))], "gene_name": GENES})
    effects = np.linspace(-2, 2, len(GENES))
    table = table.with_columns(baseMean=pl.lit(12.5), log2FoldChange=pl.Series(effects), padj=pl.lit(0.01))
    return table.with_columns(line=pl.lit("K562")).drop(dropped)


@pytest.mark.parametrize("targets", [["BRD4"], ["BRD4", "EGFR"]])
@pytest.mark.parametrize("dropped", [(), ("padj",), ("baseMean", "line", "padj")])
def test_inspect__tells_a_long_table_of_few_lines(tmp_path, targets, dropped):
    one_line_a_gene(targets, *dropped).write_csv(tmp_path / "deseq2_K562.csv")
    found = inspect_file(tmp_path / "deseq2_K562.csv")
    table = {"gene": "gene_name", "effect": "log2FoldChange"} | ({} if "padj" in dropped else {"q_value": "padj"})
    assert (found.table, found.best("perturbation").column) == (table, "target")
    assert (found.n_rows, found.n_genes) == (len(targets), len(GENES))
    draft = draft_spec(found, tmp_path)
    assert draft.missing == ()
    (tmp_path / "draft.toml").write_text(draft.text)
    ingest_dataset(tmp_path / "draft.toml", tmp_path / "warehouse")
    with Warehouse(tmp_path / "warehouse") as store:
        found = store.frame("select count(*) as n, count(distinct condition_id) as conditions from signature")
    assert found.row(0) == (len(GENES), len(targets))


def test_inspect__takes_no_second_name_of_the_gene_for_what_was_perturbed(tmp_path):
    ids = {"MYC": "ENSG00000136997", "TP53": "ENSG00000141510", "STAT1": "ENSG00000115415"}
    table = one_line_a_gene(["BRD4"], "target").filter(pl.col("gene_name").is_in(list(ids)))
    table.with_columns(gene_id=pl.col("gene_name").replace(ids)).write_csv(tmp_path / "BRD4.csv")
    found = inspect_file(tmp_path / "BRD4.csv")
    assert found.table == {"gene": "gene_name", "effect": "log2FoldChange", "q_value": "padj"}
    assert (found.best("perturbation").column, found.best("perturbation").value) == (None, "BRD4")  # the file's name


@pytest.mark.parametrize("samples", [["label", "s2"], ["effect", "s2"], ["log2fc", "pvalues_none"]])
@pytest.mark.parametrize("described", [{}, {"biotype": "protein_coding"}])
def test_inspect__takes_a_matrix_of_genes_in_rows_for_no_result(tmp_path, samples, described):
    table = pl.DataFrame({"gene": GENES}).with_columns(pl.lit(text).alias(name) for name, text in described.items())
    table.with_columns(pl.Series(name, range(len(GENES))) for name in samples).write_csv(tmp_path / "counts.csv")
    assert inspect_file(tmp_path / "counts.csv").table is None


@pytest.mark.parametrize("case", CASES)
def test_draft__of_a_long_table_ingests_every_line(tmp_path, case):
    write, table, kind, _ = CASES[case]
    draft = draft_spec(inspect_file(write(tmp_path)), tmp_path)
    if "condition.context" in draft.missing:
        draft = draft_spec(inspect_file(write(tmp_path).rename(tmp_path / "K562.csv")), tmp_path)
    assert draft.missing == ()
    (tmp_path / "draft.toml").write_text(draft.text)
    ingest_dataset(tmp_path / "draft.toml", tmp_path / "warehouse")
    with Warehouse(tmp_path / "warehouse") as store:
        found = store.frame("select count(*) as n, count(q_value) as q, any_value(effect_kind) as kind from signature")
        assert store.frame("select assay from dataset").item() == "de_table"
    n = len(TARGETS) * len(GENES)
    assert found.row(0) == (n, n if "q_value" in table else 0, kind)


def test_inspect__tells_gene_sets_by_their_content(tmp_path):
    (tmp_path / "sets.txt").write_text("BRD4-up\tx\tMYC\tTP53\nBRD4-dn\tx\tSTAT1\nEGFR-up\tx\tMYC\tJAK2\tTP53\n")
    found = inspect_file(tmp_path / "sets.txt")
    assert found.table == {"gene": "gene", "effect": "direction", "format": "gmt"}
    signature = {"id": "gene:1", "hs_gene_symbol": "BRD4", "cell_type": "K562", "organism": "human", "pert_type": "kd"}
    sides = {"up_genes": [["MYC", 1], ["TP53", 2]], "down_genes": [["STAT1", -1]]}
    other = {"id": "gene:2", "up_genes": [["MYC", 1], ["STAT1", 1]], "down_genes": [["TP53", -1]]}
    (tmp_path / "single.json").write_text(json.dumps([signature | sides, signature | other]))
    found = inspect_file(tmp_path / "single.json")
    assert found.table == {"gene": "gene", "effect": "direction", "format": "creeds"}


def test_inspect__takes_no_matrix_for_a_long_table(tmp_path):
    table = pl.DataFrame({"gene": GENES, "label": [1, 2, 3, 4, 5, 6], "s2": [2, 3, 4, 5, 6, 7]})
    table.write_csv(tmp_path / "counts.csv")
    assert inspect_file(tmp_path / "counts.csv").table is None
