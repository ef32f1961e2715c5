"""Copies of the target's cells are caught under any name; other cells are not."""

import numpy as np
import pytest

from featurestore.errors import LeakageError, SpecError
from featurestore.features.builder import build
from featurestore.features.guard.lookalike import rough_correlation

N = 8


@pytest.fixture
def rng():
    return np.random.default_rng(5)


@pytest.fixture
def make_store(writer, make_condition, rng):
    """Write a target, and a source whose effects and numbers of cells are made from the target's."""

    def make_store(copy, cells=lambda n: n):
        truth = rng.normal(size=(N, 30))
        numbers = rng.integers(50, 500, N)
        inside = [make_condition(f"G{i}", "A", cells=int(numbers[i])) for i in range(N)]
        outside = [make_condition(f"G{i}", "B", cells=cells(int(numbers[i]))) for i in range(N)]
        writer.dataset("target", inside, truth)
        writer.dataset("external", outside, copy(truth))
        return writer.open()

    return make_store


def noisy(rng, scale):
    return lambda truth: truth + scale * rng.normal(size=truth.shape)


def test_lookalike__reprocessed_cells_are_refused(make_store, make_spec, rng):
    with make_store(lambda truth: 1.4 * noisy(rng, 0.05)(truth), lambda n: n - 1) as store:
        with pytest.raises(LeakageError, match="external/CVCL_B looks like the target") as caught:
            build(store, make_spec())
        assert "8 of 8 matched conditions nearly identical: G0/A/crispri and G0/B/crispri;" in caught.value.got
        assert "[[allow]] target = 'target:CVCL_A', source = 'external:CVCL_B'" in caught.value.do


ALLOW = """
[[allow]]
target = "target:CVCL_A"
source = "external:CVCL_B"
reason = "sister cultures"
"""


def test_lookalike__an_allowed_pair_is_built_and_recorded(make_store, make_spec):
    with make_store(lambda truth: truth) as store:
        matrix = build(store, make_spec(split=ALLOW))
        (verdict,) = matrix.manifest["guard"]["lookalikes"]
        assert verdict == {"source": "signature/external/CVCL_B", "n_compared": N, "n_alike": N, "n_allowed": N}
        assert matrix.manifest["guard"]["experiments"]["allowed"][0]["reason"] == "sister cultures"
        with pytest.raises(SpecError, match="no experiment 'external:CVCL_C'"):
            build(store, make_spec(split=ALLOW.replace("CVCL_B", "CVCL_C")))


def test_lookalike__a_good_replicate_of_other_cells_is_welcome(make_store, make_spec, rng):
    with make_store(noisy(rng, 0.5)) as store:
        assert build(store, make_spec()).manifest["guard"]["lookalikes"][0]["n_alike"] == 0


def test_lookalike__other_numbers_of_cells_are_other_cells(make_store, make_spec):
    with make_store(lambda truth: truth, lambda n: 2 * n) as store:
        assert build(store, make_spec()).manifest["guard"]["lookalikes"][0]["n_alike"] == 0


def test_lookalike__unknown_numbers_of_cells_do_not_excuse(make_store, make_spec):
    with make_store(lambda truth: truth, lambda n: None) as store, pytest.raises(LeakageError):
        build(store, make_spec())


def test_lookalike__a_shared_knock_down_is_no_likeness(make_store, make_spec, rng):
    def knocked_down(truth):
        truth[:] *= 0.01
        truth[range(N), range(N)] = -5
        other = 0.01 * rng.normal(size=truth.shape)
        other[range(N), range(N)] = -5
        return other

    with make_store(knocked_down) as store:
        assert build(store, make_spec()).manifest["guard"]["lookalikes"][0]["n_alike"] == 0


def test_lookalike__a_few_copies_among_many_are_an_accident(make_store, make_spec, rng):
    def two_copies(truth):
        return np.vstack([truth[:2], rng.normal(size=(N - 2, 30))])

    with make_store(two_copies) as store:
        assert build(store, make_spec()).manifest["guard"]["lookalikes"][0]["n_alike"] == 2


COMPOUNDS = [f"{chr(65 + i) * 14}-UHFFFAOYSA-N" for i in range(9)]


@pytest.fixture
def dosed(make_condition):
    """Nine compounds at doses, whose numbers of cells are unknown."""
    return lambda doses, context="A": [
        make_condition(name, context, kind="compound", genes=[], compound=name, cells=None)
        | {"condition_id": f"{name}/{context}/{dose}", "dose_um": float(dose)}
        for name in COMPOUNDS
        for dose in doses
    ]


@pytest.mark.parametrize(
    ("ours", "theirs", "n_alike"),
    [(10, 10, 90), (11, 11, 99), (12, 12, 108), (12, 1, 9), (1, 12, 9)],
    ids=["10 doses", "11 doses", "12 doses", "of 12 doses one is there", "of 12 doses one is here"],
)
def test_lookalike__a_copy_at_many_doses_is_refused(writer, make_spec, dosed, rng, ours, theirs, n_alike):
    truth = rng.normal(size=(9, 12, 30))
    writer.dataset("target", dosed(range(1, ours + 1)), truth[:, :ours].reshape(-1, 30))
    writer.dataset("external", dosed(range(1, theirs + 1)), truth[:, :theirs].reshape(-1, 30))
    with writer.open() as store, pytest.raises(LeakageError) as caught:
        build(store, make_spec('reduce = "nearest_dose"'))
    assert caught.value.got.startswith(f"{n_alike} of {n_alike} matched conditions nearly identical")


@pytest.mark.parametrize("n_contexts", [10, 11, 12])
def test_lookalike__a_copy_in_many_contexts_is_refused(writer, make_condition, make_spec, rng, n_contexts):
    conditions = [make_condition(f"G{i}", chr(65 + c)) for c in range(n_contexts) for i in range(9)]
    effects = rng.normal(size=(len(conditions), 30))
    writer.dataset("target", conditions, effects)
    writer.dataset("external", conditions, effects)
    with writer.open() as store, pytest.raises(LeakageError, match="9 of 9 matched conditions nearly identical"):
        build(store, make_spec())


def test_lookalike__other_doses_in_another_laboratory_are_welcome(writer, make_spec, dosed, rng):
    """Every dose does nearly the same, and correlates at 0.96 with every dose elsewhere, by chance above 0.98."""
    truth = np.repeat(rng.normal(size=(9, 30)), 12, axis=0)
    writer.dataset("target", dosed(range(1, 13)), noisy(rng, 0.2)(truth))
    writer.dataset("external", dosed(range(13, 25), "B"), noisy(rng, 0.2)(truth))
    with writer.open() as store:
        (verdict,) = build(store, make_spec()).manifest["guard"]["lookalikes"]
    assert verdict == {"source": "signature/external/CVCL_B", "n_compared": 1296, "n_alike": 0, "n_allowed": 0}


def test_lookalike__one_dose_like_all_doses_of_its_compound_counts_once(writer, make_spec, dosed, rng):
    """The target's doses of one compound do all the same, which one dose of nine times twelve elsewhere happens to."""
    here, there = rng.normal(size=(2, 9, 12, 30))
    here[0], there[0, 0] = here[0, 0], here[0, 0]
    writer.dataset("target", dosed(range(1, 13)), here.reshape(-1, 30))
    writer.dataset("external", dosed(range(1, 13), "B"), there.reshape(-1, 30))
    with writer.open() as store:
        (verdict,) = build(store, make_spec()).manifest["guard"]["lookalikes"]
    assert (verdict["n_compared"], verdict["n_alike"]) == (1296, 12)


def test_rough_correlation__is_near_the_whole_one_and_1_where_single_precision_hides_it():
    rng = np.random.default_rng(0)
    here, there = rng.normal(size=(2, 4, 500)).astype(np.float32)
    there[1] += 3 * here[1]
    here[2, :50] = np.nan
    there[3] += 1e4
    n_genes, r = rough_correlation(here, there)
    assert n_genes.tolist() == [500, 500, 450, 500]
    expected = [np.corrcoef(here[i][k:], there[i][k:])[0, 1] for i, k in ((0, 0), (1, 0), (2, 50))]
    np.testing.assert_allclose(r, [*expected, 1.0], atol=1e-3)
