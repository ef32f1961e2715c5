"""PerturbQA, on the published files: calls in two other lines tell which genes change, and shuffled ones do not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from featurestore.evaluate.pair_evaluation import evaluate_pairs
from featurestore.evaluate.pair_scoring import JUDGED_OF_PAIRS
from featurestore.features.pairs.builder import read_pairs
from featurestore.features.spec import shipped_specs
from featurestore.models.pairs import LogisticOnPairs
from featurestore.query.warehouse import Warehouse
from ingest.commands.ingest import find_spec
from ingest.pipeline import ingest_dataset

BEST_PUBLISHED = {
    "de": {"k562": 0.62, "rpe1": 0.59, "jurkat": 0.59},
    "dir": {"k562": 0.69, "rpe1": 0.64, "jurkat": 0.67},
}
MEAN = {"de": 0.69, "dir": 0.83}
SHUFFLED = ("dir", "k562")
"""Where the sources are shuffled too; the benchmark does so everywhere."""


@pytest.fixture(scope="module")
def store(real_data, tmp_path_factory):
    root = tmp_path_factory.mktemp("perturbqa")
    for line in BEST_PUBLISHED["de"]:
        ingest_dataset(find_spec(Path(f"perturbqa_{line}")), root, real_data / "perturbqa")
    with Warehouse(root) as opened:
        yield opened


def test_shipped_specs__are_the_six_of_the_benchmark():
    assert set(shipped_specs()) == {
        f"perturbqa_{line}_{task}" for task, lines in BEST_PUBLISHED.items() for line in lines
    }


@pytest.mark.parametrize("task", BEST_PUBLISHED)
def test_perturbqa__is_above_the_best_published_in_every_line(store, task):
    areas = {}
    for line, best in BEST_PUBLISHED[task].items():
        read, is_shuffled = read_pairs(store, f"perturbqa_{line}_{task}"), (task, line) == SHUFFLED
        evaluation = evaluate_pairs(read, {JUDGED_OF_PAIRS: LogisticOnPairs()}, shuffles=int(is_shuffled))
        areas[line] = evaluation.areas[JUDGED_OF_PAIRS]
        assert areas[line] > best
        if is_shuffled:
            assert evaluation.shuffled(JUDGED_OF_PAIRS) < 0.58
    assert np.mean(list(areas.values())) > MEAN[task]
