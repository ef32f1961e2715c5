"""The challenge of 2026 whole, against what cell-eval2 said of the same cells: metrics, ends of the scale, score."""

from dataclasses import replace

import numpy as np
import pytest
from challenge import compare, frozen
from challenge_cells import CONTEXTS, CONTROL, PREDICTIONS, content, context
from scipy import sparse

from featurestore.challenge import Cells, score_cells
from featurestore.challenge.ends_2026 import ends, halves, mean_response
from featurestore.challenge.protocol_2026 import side
from featurestore.errors import SourceFormatError, ValuesError


@pytest.fixture(scope="module")
def rows():
    kept = frozen()
    assert kept["cells"] == {name: content(name) for name in CONTEXTS}, "the kept answers are of other cells"
    return compare(kept)


@pytest.mark.parametrize(("kind", "least"), [("baseline", 18), ("replicate", 18), ("guides", 6)])
def test_ends_of_the_scale_and_mapped_targets__equal_their_oracle(rows, kind, least):
    own = [r for r in rows if kind in r.metric]
    assert len(own) == least
    assert {r.metric: r.difference for r in own if not r.difference <= r.tolerance} == {}


@pytest.mark.parametrize("kind", PREDICTIONS)
def test_prediction__of_any_kind_scores_as_its_oracle_says(rows, kind):
    """Five metrics by perturbation, six shares and the score, in three contexts; reach is nowhere defined for some."""
    own = [r for r in rows if f" {kind} " in r.metric]
    assert len(own) == 36
    assert {r.metric: r.difference for r in own if not r.difference <= r.tolerance} == {}


def test_scores__order_predictions_as_they_should():
    theirs = frozen()["contexts"]
    for name in CONTEXTS:
        score = {kind: theirs[name]["predictions"][kind]["score"] for kind in PREDICTIONS}
        assert score.pop("ordinary") > 0.7
        assert max(score.values()) < 0.2


def small():
    rng = np.random.default_rng(0)
    labels = np.array([CONTROL] * 7 + ["G1"] * 4 + ["G2"] * 5)
    return Cells(
        sparse.csr_array(rng.poisson(5.0, (16, 6)).astype(np.float32)), labels, tuple(f"G{i}" for i in range(6))
    )


def test_halves__share_no_cell_and_leave_the_odd_one_out():
    cells = replace(small(), values=sparse.csr_array(np.arange(1.0, 17)[:, None] * np.ones(6)))
    first, second = halves(cells, seed=3)
    for half in (first, second):
        assert [(half.labels == name).sum() for name in (CONTROL, "G1", "G2")] == [3, 2, 2]
    rows = [set(half.values.toarray()[:, 0]) for half in (first, second)]
    assert not rows[0] & rows[1]


def test_mean_response__has_the_mean_profile_without_own_targets_in_as_many_cells():
    cells = small()
    x, labels = cells.values.toarray().astype(float), cells.labels
    mean = {name: x[labels == name].mean(axis=0) for name in (CONTROL, "G1", "G2")}
    profile = (mean["G1"] + mean["G2"]) / 2
    profile[1], profile[2] = mean["G2"][1], mean["G1"][2]
    made = mean_response(cells)
    assert [(made.labels == name).sum() for name in (CONTROL, "G1", "G2")] == [7, 4, 5]
    ratio = profile / mean[CONTROL]
    sources = {tuple(np.round(row * ratio, 4)) for row in x[labels == CONTROL]}
    assert {tuple(row) for row in made.values.toarray()[7:].astype(float).round(4)} <= sources


def test_ends__need_two_cells_of_each_and_two_targets():
    cells = small()
    for kept, got in ((np.arange(16) < 12, "fewer cells of G2"), (np.arange(16) < 11, "one target")):
        few = replace(cells, values=sparse.csr_array(cells.values[kept]), labels=cells.labels[kept])
        with pytest.raises(ValuesError, match=got):
            ends(few, side(few, few))


def test_cells__that_the_challenge_refuses_are_refused():
    cells = small()
    large = replace(cells, values=sparse.csr_array(cells.values * 100_000))
    with pytest.raises(ValuesError, match=r"more counts than the challenge takes(.|\n)*1,000,000"):
        score_cells(large, cells, protocol="2026")
    guides = replace(cells, labels=np.where(cells.labels == CONTROL, CONTROL, np.char.add(cells.labels, "-1")))
    with pytest.raises(SourceFormatError, match=r"called like one of the genes(.|\n)*--targets"):
        score_cells(guides, guides, protocol="2026")
    declared = replace(guides, targets={"G1-1": "", "G2-1": ""})
    assert score_cells(declared, declared, protocol="2026").without_gene == ()


def test_reach__ties_are_by_the_name_of_the_gene():
    """Two genes equal in everything: the order of columns in the file plays no part."""
    measured, predicted = context("A")
    order = np.random.default_rng(1).permutation(len(measured.genes))
    sides = [
        replace(c, values=sparse.csr_array(c.values[:, order]), genes=tuple(np.array(c.genes)[order]))
        for c in (predicted["identical"], measured)
    ]
    found = score_cells(*sides, protocol="2026").per_perturbation["direction_reach"]
    expected = frozen()["contexts"]["A"]["predictions"]["identical"]["values"]["de_wilcoxon_direction_reach_raw"]
    for name, value in zip(measured.perturbations, found, strict=True):
        assert value == pytest.approx(expected[name], nan_ok=True) or (value is None and np.isnan(expected[name]))
