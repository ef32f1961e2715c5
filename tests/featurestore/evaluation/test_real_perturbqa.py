"""PerturbQA, on the published files: calls in two other lines tell which genes change, and shuffled ones do not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from featurestore.evaluation.pair_evaluation import evaluate_pairs
from featurestore.evaluation.pair_scoring import JUDGED_OF_PAIRS
from featurestore.features.pairs.builder import read_pairs
from featurestore.features.spec import shipped_specs
from featurestore.models.pair_blend import BlendOnPairs
from featurestore.query.warehouse import Warehouse
from ingest.commands.ingest import find_spec
from ingest.pipeline import ingest_dataset

LINES = ("k562", "rpe1", "jurkat")
BEST_PUBLISHED = {"de": 0.62, "dir": 0.69}
"""In K562, by question; the benchmark compares all lines, and shuffles the sources of each."""
OURS = {"de": 0.76, "dir": 0.90}
"""What the blend is above there."""


@pytest.fixture(scope="module")
def store(real_data, tmp_path_factory):
    root = tmp_path_factory.mktemp("perturbqa")
    for line in LINES:
        ingest_dataset(find_spec(Path(f"perturbqa_{line}")), root, real_data / "perturbqa")
    with Warehouse(root) as opened:
        yield opened


def test_shipped_specs__are_the_six_of_the_benchmark():
    assert set(shipped_specs()) == {f"perturbqa_{line}_{task}" for task in BEST_PUBLISHED for line in LINES}


@pytest.mark.parametrize(
    "task",
    [
        "dir",
        pytest.param("de", marks=pytest.mark.skipif(not os.environ.get("FEATURESTORE_STRESS"), reason="half a minute")),
    ],
)
def test_perturbqa__is_above_the_best_published(store, task):
    evaluation = evaluate_pairs(
        read_pairs(store, f"perturbqa_k562_{task}"), {JUDGED_OF_PAIRS: BlendOnPairs()}, shuffles=int(task == "dir")
    )
    assert evaluation.areas[JUDGED_OF_PAIRS] > OURS[task] > BEST_PUBLISHED[task]
    assert evaluation.reliability[JUDGED_OF_PAIRS]["calibration_error"] < 0.05
    if task == "dir":
        assert evaluation.shuffled(JUDGED_OF_PAIRS) < 0.58
