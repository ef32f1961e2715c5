"""The real file of four cell lines: one dataset, one line predicted from the others."""

from pathlib import Path

import numpy as np
import pytest

from featurestore.errors import LeakageError
from featurestore.features.builder import build
from featurestore.features.spec import parse_spec
from featurestore.query.warehouse import Warehouse
from ingest.commands.ingest import find_spec
from ingest.pipeline import ingest_dataset

SPEC = """
[target]
dataset = "norman_mcfaline_four_lines"
where = "context_label = 'U87MG'"

[[feature]]
kind = "signature"
datasets = ["norman_mcfaline_four_lines"]
where = "{}"
components = 5

[split]
folds = 3
"""


@pytest.fixture(scope="module")
def store(real_data, tmp_path_factory):
    root = tmp_path_factory.mktemp("real")
    ingest_dataset(find_spec(Path("norman_mcfaline_four_lines")), root, real_data / "perturb_seq")
    with Warehouse(root) as warehouse:
        yield warehouse


def test_build__predicts_one_line_from_the_three_others(store):
    matrix = build(store, parse_spec(SPEC.format("context_label <> 'U87MG'")))
    assert matrix.rows["context_label"].unique().to_list() == ["U87MG"]
    assert matrix.columns["context_id"].n_unique() == 3
    assert matrix.X.shape == (9, 15)
    assert matrix.covered.all()
    rules = matrix.rows.select([name for name in matrix.rows.columns if name.startswith("rule/")])
    assert {rules[name][0] for name in rules.columns} == {"same kind", "other kind"}, "K562 was activated, not silenced"
    assert np.isfinite(matrix.elsewhere).all()
    assert all(verdict["n_alike"] == 0 for verdict in matrix.manifest["guard"]["lookalikes"])


def test_build__refuses_to_look_in_the_line_itself(store):
    with pytest.raises(LeakageError, match="9 of 9 conditions"):
        build(store, parse_spec(SPEC.format("n_cells > 0")))
