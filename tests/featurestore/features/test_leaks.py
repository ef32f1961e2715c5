"""Leaks that others miss: the same cells under another name, twins of one experiment, and one perturbation's names."""

import warnings

import anndata
import numpy as np
import polars as pl
import pytest
from scipy import sparse
from sklearn.base import clone

from featurestore.errors import LeakageError
from featurestore.evaluation import evaluate
from featurestore.features.builder import build
from featurestore.features.perturbation_split import PerturbationSplit
from featurestore.features.spec import parse_spec
from featurestore.metrics import centred_pearson, pearson_delta
from featurestore.models import RidgeOnSignatures
from featurestore.query.warehouse import Warehouse
from ingest.demo import SPEC
from ingest.layouts import write_h5ad
from ingest.pipeline import ingest_dataset
from ingest.reader import INDEX
from ingest.synthetic import make_world, write_cells

TEXT = """
[target]
dataset = "replogle_demo_k562"
[[feature]]
kind = "signature"
datasets = ["{}"]
components = 15
[split]
folds = 3
"""

COPY = """\
[dataset]
id = "re_release"
files = ["copy.h5ad"]
values = "counts"
assay = "perturb_seq"
experiment = "{experiment}"
licence = "CC0-1.0"

[condition]
perturbation = "guide_target"
kind = "crispri"
controls = ["neg_ctrl"]
context = {{ value = "K562" }}
"""


def re_encode(source, target):
    """Write the same cells as another group would: symbols for Ensembl ids, other labels, columns and control."""
    with warnings.catch_warnings(action="ignore"):  # the layout of Replogle et al. is an old one
        cells = anndata.read_h5ad(source)
    symbols = cells.var["gene_name"].astype(str)
    labels = cells.obs["gene"].astype(str).replace({"non-targeting": "neg_ctrl"})
    cells.obs = cells.obs.assign(guide_target=labels)[["guide_target"]]
    cells.var = cells.var.assign(ensembl=cells.var.index)[[]].set_axis(symbols)
    cells.obs_names = [f"cell-{i}" for i in range(cells.n_obs)]
    order = np.random.default_rng(0).permutation(cells.n_obs)
    cells[order].copy().write_h5ad(target)


@pytest.mark.parametrize(
    ("experiment", "refusal"),
    [("another_group", "looks like the target under another name"), ("replogle_demo_k562", "looks in the experiment")],
)
def test_guard__refuses_the_same_cells_in_another_encoding(world_files, tmp_path, experiment, refusal):
    re_encode(world_files / "k562_raw_singlecell.h5ad", tmp_path / "copy.h5ad")
    (tmp_path / "copy.toml").write_text(COPY.format(experiment=experiment))
    root = tmp_path / "warehouse"
    ingest_dataset(world_files / "replogle_demo_k562.toml", root)
    ingest_dataset(tmp_path / "copy.toml", root)
    with Warehouse(root) as store, pytest.raises(LeakageError, match=refusal):
        build(store, parse_spec(TEXT.format("re_release")))


def test_guard__refuses_the_genome_wide_twin_of_an_essential_screen(writer, make_condition):
    rng = np.random.default_rng(0)
    essential = [make_condition(f"G{i}", experiment="k562_day6") for i in range(6)]
    genome_wide = [make_condition(f"G{i}", experiment="k562_day6", cells=900) for i in range(20)]
    writer.dataset("k562_essential", essential, rng.normal(size=(6, 30)))
    writer.dataset("k562_gwps", genome_wide, rng.normal(size=(20, 30)))
    text = TEXT.replace("replogle_demo_k562", "k562_essential").format("k562_gwps")
    with writer.open() as store, pytest.raises(LeakageError, match="experiment 'k562_day6'"):
        build(store, parse_spec(text))


SCREEN = """\
[dataset]
id = "target"
files = ["cells.h5ad"]
values = "counts"
assay = "perturb_seq"
experiment = "one"
licence = "CC0-1.0"
[condition]
perturbation = "label"
kind = "{kind}"
controls = ["ctrl"]
context = {{ column = "line" }}
{more}
"""
OWN_CONTEXT = """
[target]
dataset = "target"
[[feature]]
kind = "context"
[split]
folds = 3
seed = {}
"""
METFORMIN, ASPIRIN, CAFFEINE = "CN(C)C(=N)NC(=N)N", "CC(=O)Oc1ccccc1C(=O)O", "CN1C=NC2=C1C(=O)N(C(=O)N2C)C"


@pytest.mark.parametrize(
    ("kind", "more", "labels", "smiles", "together"),
    [
        ("crispri", "", ["PERK", "TP53", "MYC"], None, ["EIF2AK3", "TP53", "MYC"]),
        ("crispri", 'separator = "+"', ["TP53+MYC", "GATA1", "SPI1"], None, ["MYC+TP53", "GATA1", "SPI1"]),
        (
            "compound",
            '[compound]\nsmiles = "smiles"',
            ["metformin", "aspirin", "caffeine"],
            [METFORMIN, f"{METFORMIN}.Cl", ASPIRIN, CAFFEINE],
            ["Glucophage XR", "aspirin", "caffeine"],
        ),
        (
            "compound",
            "",
            ["metformin", "aspirin", "caffeine"],
            None,
            ["metformin hydrochloride", "aspirin", "caffeine"],
        ),
    ],
    ids=["alias", "order", "salt by structure", "salt by name"],
)
def test_groups__of_ingested_names_of_one_perturbation_never_straddle(tmp_path, kind, more, labels, smiles, together):
    """One name of the perturbation in one line, the other in the other line: two rows, always in one fold."""
    if smiles is not None:
        pytest.importorskip("rdkit")
    label = np.repeat([["ctrl", *labels], ["ctrl", *together]], 6, axis=1).ravel()
    columns = {"label": label, "line": np.repeat(["K562", "RPE1"], len(label) // 2)}
    if smiles is not None:
        free, salt, *others = smiles
        columns["smiles"] = np.repeat([["", free, *others], ["", salt, *others]], 6, axis=1).ravel()
    rows = pl.DataFrame({INDEX: [str(i) for i in range(len(label))]} | columns)
    counts = np.random.default_rng(0).poisson(3.0, (len(label), 5)).astype(np.float32)
    genes = ["ENSG00000141510", "ENSG00000146648", "ENSG00000136997", "ENSG00000133703", "ENSG00000157764"]
    write_h5ad(tmp_path / "cells.h5ad", sparse.csr_array(counts), rows, pl.DataFrame({INDEX: genes}))
    (tmp_path / "target.toml").write_text(SCREEN.format(kind=kind, more=more))
    ingest_dataset(tmp_path / "target.toml", tmp_path / "warehouse")
    with Warehouse(tmp_path / "warehouse") as store:
        for seed in range(5):
            found = build(store, parse_spec(OWN_CONTEXT.format(seed)), cache=False).rows
            folds = dict(found.select(pl.col("perturbation_label") + "/" + pl.col("context_label"), "fold").iter_rows())
            assert len(folds) == 6
            assert folds[f"{labels[0]}/K562"] == folds[f"{together[0]}/RPE1"]
            assert len(set(folds.values())) == 3


def test_groups__of_combinations_of_ingested_compounds_hold_their_parts(tmp_path):
    tied = ["metformin", "aspirin", "caffeine", "metformin+aspirin", "aspirin+caffeine"]
    labels = [*tied, "(+)-JQ1", "ibuprofen"]
    label = np.repeat(["ctrl", *labels], 6)
    rows = pl.DataFrame({INDEX: [str(i) for i in range(len(label))], "label": label, "line": ["K562"] * len(label)})
    counts = np.random.default_rng(0).poisson(3.0, (len(label), 5)).astype(np.float32)
    genes = ["ENSG00000141510", "ENSG00000146648", "ENSG00000136997", "ENSG00000133703", "ENSG00000157764"]
    write_h5ad(tmp_path / "cells.h5ad", sparse.csr_array(counts), rows, pl.DataFrame({INDEX: genes}))
    (tmp_path / "target.toml").write_text(SCREEN.format(kind="compound", more='separator = "+"'))
    ingest_dataset(tmp_path / "target.toml", tmp_path / "warehouse")
    with Warehouse(tmp_path / "warehouse") as store:
        matrix = build(store, parse_spec(OWN_CONTEXT.format(0)))
        known = PerturbationSplit(store=store)._groups([*labels, "TP53+aspirin", "TP53", "novel+(+)-JQ1", "novel"])
    groups = dict(matrix.rows.select("perturbation_label", "group").iter_rows())
    one = "name:aspirin"
    assert groups == dict.fromkeys(tied, one) | {"(+)-JQ1": "name:(+)-jq1", "ibuprofen": "name:ibuprofen"}
    verdict = {"group_by": "perturbation_id", "n_groups": 3, "n_targets": 5, "n_shared": 0}
    assert matrix.manifest["guard"]["split"] == verdict
    assert [known.to_list().index(group) for group in known] == [0, 0, 0, 0, 0, 5, 6, 0, 0, 5, 5]


def test_groups__of_one_compound_in_several_forms_never_straddle(writer, make_condition):
    drug, other = "SKJELETONABCDE-{}SA-N", "OTHERSKELETONX-UHFFFAOYSA-N"
    forms = [drug.format("UHFFFAOY"), drug.format("AAAAAAAA")]
    conditions = [make_condition(form, kind="compound", genes=[], compound=form) for form in (*forms, other)]
    conditions += [make_condition(f"G{i}") for i in range(5, 12)]
    writer.dataset("target", conditions, np.random.default_rng(0).normal(size=(len(conditions), 30)))
    writer.dataset("near", [make_condition(f"G{i}", "B") for i in range(12)], np.ones((12, 30)))
    text = TEXT.replace("replogle_demo_k562", "target").replace("components = 15\n", "").format("near")
    with writer.open() as store:
        for seed in range(5):
            rows = build(store, parse_spec(f"{text}seed = {seed}\n")).rows
            fold = dict(rows.select("perturbation_label", "fold").iter_rows())
            assert fold[forms[0]] == fold[forms[1]]


@pytest.fixture(scope="module")
def leaky(tmp_path_factory):
    """A simulated screen, a related one, and the truth about the first."""
    folder = tmp_path_factory.mktemp("leaky")
    truth = make_world({"K562": 0.9, "RPE1": 0.8}, n_targets=60, n_genes=150, seed=3)
    for seed, line in enumerate(("K562", "RPE1")):
        name = line.lower()
        write_cells(truth, line, folder / f"{name}_raw_singlecell.h5ad", cells=30, controls=300, seed=seed)
        (folder / f"replogle_demo_{name}.toml").write_text(SPEC.format(name=name, line=line))
        ingest_dataset(folder / f"replogle_demo_{name}.toml", folder / "warehouse")
    return folder / "warehouse", truth


LEAK = TEXT.replace("components = 15", "components = 40")
ALLOW = """
[[allow]]
target = "replogle_demo_k562"
source = "replogle_demo_k562"
reason = "to see what a leak is worth"
"""


def test_leak__reaches_the_noise_free_oracle_when_the_guard_is_overruled_and_is_refused_when_it_is_on(leaky):
    root, truth = leaky
    with Warehouse(root) as store:
        with pytest.raises(LeakageError, match="looks in the experiment"):
            build(store, parse_spec(LEAK.format("replogle_demo_k562")))
        (name,) = store.frame("select distinct experiment_id from condition where dataset_id = 'replogle_demo_k562'")[
            "experiment_id"
        ]
        allow = ALLOW.replace('"replogle_demo_k562"', f'"{name}"')
        leaking = build(store, parse_spec(LEAK.format("replogle_demo_k562") + allow))
        honest = build(store, parse_spec(TEXT.format("replogle_demo_rpe1")))
    assert leaking.manifest["guard"]["experiments"]["allowed"][0]["reason"] == "to see what a leak is worth"
    scores = {}
    for label, matrix in (("leak", leaking), ("honest", honest)):
        ridge = {"ridge": RidgeOnSignatures(matrix.columns["block"].to_numpy(), alphas=(0.01, 0.1, 1.0, 10.0, 100.0))}
        scores[label] = evaluate(matrix, {k: clone(v) for k, v in ridge.items()}).score("ridge", "centred_pearson")
    oracle = oracle_score(truth, honest)
    assert scores["leak"] >= oracle - 0.02, (scores, oracle)
    assert scores["honest"] < oracle - 0.02, (scores, oracle)


def oracle_score(truth, matrix):
    """Score the effects that were simulated, without any noise, as delta log1p(CP10k) against what was measured."""
    ids = truth.genes["gene_id"].to_list()
    columns = [ids.index(gene) for gene in matrix.genes["gene_id"]]
    rows = [ids.index(targets[0]) for targets in matrix.rows["target_gene_ids"]]
    rate = truth.profile * np.exp(truth.effects["K562"])
    perturbed = np.log1p(1e4 * rate / rate.sum(axis=1, keepdims=True))
    change = (perturbed - np.log1p(1e4 * truth.profile))[np.ix_(rows, columns)]
    np.put_along_axis(change, np.array([columns.index(row) for row in rows])[:, None], np.nan, axis=1)
    assert np.nanmean(pearson_delta(change, matrix.Y)) > 0.5
    return float(np.nanmean(centred_pearson(change, matrix.Y, np.nanmean(matrix.Y, axis=0))))
