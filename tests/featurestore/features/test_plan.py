"""What a plan says of sources before a matrix is built."""

import json

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner
from matplotlib.image import imread

from featurestore.commands.plan import describe_plan
from featurestore.commands.plan import plan as command
from featurestore.features.plan import plan
from featurestore.features.spec import parse_spec

SEARCH = """
[target]
dataset = "target"
[[feature]]
kind = "signature"
where = "assay = 'perturb_seq'"
[split]
folds = 3
"""


@pytest.fixture
def store(writer, make_condition):
    """A target, a good and a bad source of it, and its copy under another name."""
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(12, 30))
    writer.dataset("target", [make_condition(f"G{i}", cells=50 + 40 * i) for i in range(12)], truth)
    near = truth[2:] + 0.8 * rng.normal(size=(10, 30))
    writer.dataset("near", [make_condition(f"G{i}", "B", cells=300) for i in range(2, 12)], near)
    writer.dataset("far", [make_condition(f"G{i}", "C") for i in range(1, 12)], rng.normal(size=(11, 30)))
    writer.dataset("copy", [make_condition(f"G{i}", "D", cells=50 + 40 * i) for i in range(12)], truth)
    with writer.open() as warehouse:
        yield warehouse


def test_plan__ranks_sources_and_says_what_the_guard_would_withhold(store):
    made = plan(store, parse_spec(SEARCH))
    names = [name.split("/")[1] for name in made.sources["source"]]
    assert names[:2] == ["near", "far"]
    withheld = dict(zip(names, made.sources["withheld"], strict=True))
    assert withheld["near"] is None
    assert withheld["target"] == "shares experiment target:CVCL_A"
    assert "looks like the target" in withheld["copy"]
    near, far = made.sources["agreement"][:2]
    assert near > 0.6
    assert abs(far) < 0.3
    assert made.facts["uncovered"] == [store.frame("select min(perturbation_id) as p from condition")["p"][0]]
    assert made.facts["n_data_points"] == 12 + 10 + 11
    assert made.cells[0, 5] == 300
    assert made.sources["n_genes_shared"].to_list() == [30] * 4


def test_plan__names_the_source_whose_tests_do_not_hold(writer, make_condition):
    truth = np.random.default_rng(0).normal(size=(12, 30))
    writer.dataset("target", [make_condition(f"G{i}") for i in range(12)], truth)
    wrong = pl.DataFrame(
        {
            "kind": ["dealt"],
            "n_cells": [16],
            "n_null": [20],
            "n_tests": [600],
            "share_p_05": [0.4],
            "share_p_001": [0.38],
            "mean_significant": [12.0],
            "is_calibrated": [False],
        }
    )
    outside = [make_condition(f"G{i}", "B") for i in range(12)]
    writer.dataset("near", outside, truth + 0.5 * truth[::-1], calibration=wrong)
    with writer.open() as store:
        made = plan(store, parse_spec(SEARCH))
    (sentence,) = made.facts["doubts"]
    assert sentence.startswith("near: tests do not hold at 16 cells (40 % of p < 0.05, 38 % of p < 0.001, 12 genes")
    assert f"Doubt: {sentence}." in describe_plan(made)


def test_plan__cells_that_are_not_known_are_not_0(writer, make_condition, tmp_path):
    truth = np.random.default_rng(0).normal(size=(12, 30))
    writer.dataset("target", [make_condition(f"G{i}", cells=50) for i in range(12)], truth)
    writer.dataset("none", [make_condition(f"G{i}", "B", cells=None) for i in range(12)], truth[::-1].copy())
    some = [make_condition(f"G{i}", "C", cells=None if i == 3 else 20) for i in range(12)]
    writer.dataset("some", some, np.roll(truth, 1, axis=0))
    with writer.open() as warehouse:
        made = plan(warehouse, parse_spec(SEARCH))
        (tmp_path / "features.toml").write_text(SEARCH)
        words = [str(tmp_path / "features.toml")]
        table = CliRunner().invoke(command, words, obj=warehouse.path, catch_exceptions=False).stdout
    cells = dict(zip(made.sources["dataset_id"], made.sources["n_cells"], strict=True))
    assert (cells["none"], cells["some"], cells["target"]) == (None, None, 600)
    (line,) = (line for line in table.splitlines() if line.strip().startswith("signature/none"))
    assert line.split()[1:3] == ["12", "-"]


def test_plan__agreement_looks_at_training_rows_only(store):
    """Each fold's rows are left out once, so the mean differs from that over all rows."""
    made = plan(store, parse_spec(SEARCH))
    assert made.sources["agreement_sd"][0] > 0


def test_plan_command__prints_a_table_or_json_and_draws_a_picture(store, tmp_path):
    (tmp_path / "features.toml").write_text(SEARCH)
    words = [str(tmp_path / "features.toml"), "-o", str(tmp_path / "out")]
    table = CliRunner().invoke(command, words, obj=store.path, catch_exceptions=False).stdout
    assert "Withheld: signature/target/CVCL_A: shares experiment target:CVCL_A." in table
    assert "No source covers 1 row (" in table
    told = CliRunner().invoke(command, [*words, "--format", "json"], obj=store.path, catch_exceptions=False).stdout
    assert json.loads(told)["sources"][0]["dataset_id"] == "near"
    assert json.loads((tmp_path / "out" / "plan.json").read_text()) == json.loads(told)
    assert imread(tmp_path / "out" / "coverage.png").shape[1] == 1350


def test_plan__lists_blocks_that_no_source_is_behind(store, tmp_path):
    (tmp_path / "vectors.csv").write_text("gene,a,b\nS003,1,2\nS007,3,4\n")
    more = '[[feature]]\nkind = "embedding"\nfile = "vectors.csv"\n[split]'
    (tmp_path / "features.toml").write_text(SEARCH.replace("[split]", more))
    made = plan(store, tmp_path / "features.toml")
    assert made.facts["own_blocks"] == [
        {"block": "embedding", "kind": "embedding", "n_features": 2, "n_rows_covered": 2}
    ]
    shown = CliRunner().invoke(command, [str(tmp_path / "features.toml")], obj=store.path, catch_exceptions=False)
    assert "Also embedding (embedding): 2 features, 2 rows covered." in shown.stdout


def test_plan__how_a_gene_responds_covers_no_row_that_nobody_perturbed(store):
    text = '[target]\ndataset = "target"\n[[feature]]\nkind = "response"\ndatasets = ["near"]\n'
    made = plan(store, parse_spec(text))
    assert made.sources["n_rows_covered"].to_list() == [12]
    assert made.facts["n_rows_uncovered"] == made.facts["n_rows"] == 12


def test_plan__withholds_what_the_licence_gate_would_refuse(store):
    made = plan(store, parse_spec(SEARCH + '[licence]\nforbid = ["licence of near"]\n'))
    withheld = dict(made.sources.select("dataset_id", "withheld").iter_rows())
    assert withheld["near"] == "its licence is not allowed: near: licence of near"
    assert withheld["far"] is None
    assert made.facts["n_data_points"] == 12 + 11
    assert made.facts["n_rows_uncovered"] == 1


def test_plan__counts_the_conditions_that_two_features_look_in_once(store):
    twice = '[[feature]]\nkind = "response"\ndatasets = ["near"]\n[split]'
    made = plan(store, parse_spec(SEARCH.replace("[split]", twice)))
    assert made.facts["n_data_points"] == 12 + 10 + 11
