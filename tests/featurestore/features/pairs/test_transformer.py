"""What features may know: training labels only, and of a training pair never its own fold's."""

import numpy as np
import pytest

from featurestore.features.kinds import KINDS
from featurestore.features.pairs.builder import read_pairs
from featurestore.features.pairs.lineage import make_blocks
from featurestore.features.pairs.transformer import PairFeatures
from featurestore.features.spec import parse_spec

MORE = "".join(f'[[feature]]\nkind = "{kind}"\ndatasets = ["line_b"]\n' for kind in ("analogue", "co_response"))


@pytest.fixture
def task(pair_store, pair_text):
    return read_pairs(pair_store, parse_spec(pair_text().replace("[split]", f"{MORE}[split]")))


def test_task__has_every_kind_that_looks_at_labels(task):
    looks = {name for name, kind in KINDS.items() if kind.pair_options} - {"signature", "strength", "embedding"}
    assert looks <= {feature.kind for feature in task.spec.feature}


def features_of(task, labels):
    blocks = [named.block for named in make_blocks(task.spec.feature, task.sources)]
    (division,) = task.pairs.divisions
    features = PairFeatures(blocks, task.sources[0].calls.shape)
    return features.hold_out(task.position, labels, division.inner_fold)


def test_hold_out__does_not_look_at_held_out_labels(task):
    (division,) = task.pairs.divisions
    labels = task.pairs.call
    scrambled = np.where(division.is_held_out, np.random.default_rng(0).permutation(labels), labels)
    assert (scrambled != labels).any()
    np.testing.assert_array_equal(features_of(task, scrambled), features_of(task, labels))


def test_hold_out__learns_features_of_a_training_fold_from_the_others(task):
    (division,) = task.pairs.divisions
    is_own = division.inner_fold == 2
    labels = task.pairs.call
    scrambled = np.where(is_own, 1 - labels, labels)
    before, after = features_of(task, labels), features_of(task, scrambled)
    np.testing.assert_array_equal(before[is_own], after[is_own])
    assert (before[division.is_held_out] != after[division.is_held_out]).any(), "the held-out part learns from all"


def test_transform__is_what_each_part_was_given(task):
    (division,) = task.pairs.divisions
    blocks = [named.block for named in make_blocks(task.spec.feature, task.sources)]
    features = PairFeatures(blocks, task.sources[0].calls.shape)
    train = division.inner_fold >= 0
    features.fit(task.position[train], task.pairs.call[train])
    expected = features.transform(task.position[~train])
    np.testing.assert_array_equal(task.build().X[0][~train], expected)
