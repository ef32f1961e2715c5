"""Agreement of two datasets, worked out again with plain NumPy."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner

from featurestore.commands.compare import compare
from featurestore.errors import QueryError
from featurestore.store import Store

GENES = 30


def quality(n, responds, r=0.5, test="counts", replicates=None):
    return pl.DataFrame(
        {
            "condition_index": range(n),
            "is_responder": responds,
            "replicate_correlation": [r] * n,
            "test": [test] * n,
            "n_replicates": [replicates] * n,
        },
        schema_overrides={"n_replicates": pl.Int64},
    )


@pytest.fixture
def two_screens(writer, make_condition, gene_ids):
    """G0 to G4 in both, G4 no responder in b; b lacks five genes and has G0 twice."""
    rng = np.random.default_rng(3)
    a, noise = rng.normal(size=(5, GENES)), rng.normal(size=(6, GENES - 5))
    b = np.concatenate([a[:, 5:], a[:1, 5:]]) + noise
    inside = [make_condition(f"G{i}", "A") for i in range(5)]
    outside = [*(make_condition(f"G{i}", "B") for i in range(5)), make_condition("G0", "C")]
    writer.dataset("a", inside, a, quality=quality(5, [True] * 5))
    b_quality = quality(6, [True, True, True, True, False, True], 0.6, "replicates", 3)
    writer.dataset("b", outside, b, genes=gene_ids[5:], quality=b_quality)
    with writer.open() as store:
        yield store, a, b


def test_compare__is_pearson_of_shared_responders_and_genes(two_screens):
    store, a, b = two_screens
    found = store.compare("a", "b")
    assert found.n_responders == (5, 4)
    rows = found.rows.sort("perturbation")
    assert rows["perturbation"].to_list() == ["G0", "G1", "G2", "G3"]
    assert rows["n_conditions_other"].to_list() == [2, 1, 1, 1]
    mean_b = np.vstack([(b[0] + b[5]) / 2, b[1:4]]).astype(np.float32).astype(float)
    here, there = a[:4, 5:].astype(np.float32).astype(float), mean_b  # no own target is among the last 25 genes
    centred = [side - side.mean(axis=0) for side in (here, there)]
    for name, (one, other) in {"r": (here, there), "centred_r": centred}.items():
        every = np.array([[np.corrcoef(x, y)[0, 1] for y in other] for x in one])
        np.testing.assert_allclose(rows[name], np.diagonal(every), atol=2e-6)
        chance = (every.sum(axis=1) - np.diagonal(every)) / 3
        np.testing.assert_allclose(rows["chance_r" if name == "r" else "centred_chance_r"], chance, atol=2e-6)
        if name == "centred_r":
            np.testing.assert_allclose(rows["rank"], (every < np.diagonal(every)[:, None]).sum(axis=1) / 3)
            np.testing.assert_allclose(np.sort(found.chance), np.sort(every[~np.eye(4, dtype=bool)]), atol=2e-6)
    once = 3 * 0.6 / (1 + 2 * 0.6)
    halves = 2 * 0.5 / 1.5
    assert rows["ceiling"][1] == pytest.approx(np.sqrt(halves * once))
    assert rows["ceiling"][0] == pytest.approx(np.sqrt(halves * 2 * once / (1 + once)))
    assert rows["n_genes"].to_list() == [25] * 4


def test_compare__has_a_ceiling_of_wells_where_their_number_is_known(writer, make_condition):
    rng = np.random.default_rng(8)
    conditions = [make_condition(f"G{i}", "A") for i in range(4)]
    wells = quality(4, [True] * 4, 0.4, "reported").with_columns(n_cells=pl.Series([3, 3, 1, None]))
    facts = {"dataset_id": ["wells"], "release_id": ["r1"], "assay": ["l1000"], "licence": ["CC0-1.0"]}
    writer.dataset("wells", conditions, rng.normal(size=(4, GENES)), quality=wells, dataset=pl.DataFrame(facts))
    writer.dataset("cells", conditions, rng.normal(size=(4, GENES)), quality=quality(4, [True] * 4, 0.5))
    with writer.open() as store:
        found = store.compare("wells", "cells")
        told = CliRunner().invoke(compare, ["wells", "cells"], obj=store.path).stdout
    of_three, halves = 3 * 0.4 / (1 + 2 * 0.4), 2 * 0.5 / 1.5
    expected = [pytest.approx(np.sqrt(of_three * halves))] * 2 + [None] * 2
    assert found.rows.sort("perturbation")["ceiling"].to_list() == expected
    assert found.is_of_wells
    assert f"noise ceiling {np.sqrt(of_three * halves):.2f} or less: wells of L1000" in told


def test_compare__leaves_own_targets_out(writer, make_condition, gene_ids):
    rng = np.random.default_rng(5)
    effects = [rng.normal(size=(1, GENES)) for _ in range(2)]
    for one in effects:
        one[0, 7] = -50.0
    for name, values in zip("ab", effects, strict=True):
        writer.dataset(name, [make_condition("G7", name.upper())], values, quality=quality(1, [True], None))
    with writer.open() as store:
        found = store.compare("a", "b")
    expected = np.corrcoef(*(np.delete(one[0], 7) for one in effects))[0, 1]
    assert found.rows["r"].item() == pytest.approx(expected, abs=2e-6)
    assert found.rows.select("centred_r", "chance_r", "rank", "ceiling").row(0) == (None,) * 4
    assert found.rows["n_genes"].item() == GENES - 1


def test_compare__says_why_there_is_nothing_to_compare(writer, make_condition):
    values = np.ones((1, GENES))
    for name, label in (("a", "G1"), ("b", "G2")):
        writer.dataset(name, [make_condition(label, "A")], values, quality=quality(1, [True]))
    with writer.open() as store:
        with pytest.raises(QueryError, match="responds in both a and b") as caught:
            store.compare("a", "b")
        assert "1 in a and 1 in b" in caught.value.got
        with pytest.raises(QueryError, match="agrees with itself"):
            store.compare("a", "a")


def test_command__says_it_in_words_and_draws_it(world, tmp_path):
    picture, table = tmp_path / "agreement.png", tmp_path / "agreement.csv"
    words = ["replogle_demo_k562", "replogle_demo_rpe1"]
    ran = CliRunner().invoke(compare, [*words, "--picture", str(picture), "--top", "2"], obj=world)
    assert ran.exit_code == 0, ran.exception
    with Store(world) as store:
        found = store.compare(*words)
    assert f"{found.rows.height:,} perturbations respond in both" in ran.stdout
    assert f"Median r {found.summary['r']:.2f};" in ran.stdout
    assert "expect opposite effects" not in ran.stdout
    assert picture.read_bytes().startswith(b"\x89PNG")
    CliRunner().invoke(compare, [*words, "--format", "csv", "-o", str(table)], obj=world)
    assert pl.read_csv(table).height == found.rows.height


def test_compare__says_where_it_is_not_known_what_responds(writer, make_condition):
    conditions = [make_condition(f"G{i}", "A") for i in range(2)]
    effects = np.ones((2, GENES))
    writer.dataset("listed", conditions, effects, quality=quality(2, [None, None]))
    writer.dataset("still", conditions, effects, quality=quality(2, [False, False]))
    with writer.open() as store, pytest.raises(QueryError, match="No perturbation responds in both") as caught:
        store.compare("listed", "still")
    assert caught.value.got.endswith("whether they respond is not known of 2 conditions of listed")


def test_compare__centres_no_gene_that_too_few_perturbations_have(writer, make_condition):
    rng = np.random.default_rng(11)
    a, b = rng.normal(size=(2, 4, GENES))
    b[1:, 10:20] = np.nan  # of ten genes b has one perturbation only, whose mean is itself
    conditions = [make_condition(f"G{i}", "A") for i in range(4)]
    writer.dataset("a", conditions, a, quality=quality(4, [True] * 4))
    writer.dataset("b", conditions, b, quality=quality(4, [True] * 4))
    with writer.open() as store:
        rows = store.compare("a", "b").rows.sort("perturbation")
    whole = np.r_[4:10, 20:GENES]  # own targets are the first four
    x, y = (each[:, whole].astype(np.float32).astype(float) for each in (a, b))
    expected = [np.corrcoef(one, other)[0, 1] for one, other in zip(x - x.mean(0), y - y.mean(0), strict=True)]
    for i in range(4):
        others = [k for k in range(4) if k != i]
        more = np.array(others)  # three of the four have the own targets of the rest
        one, other = (np.where(np.eye(4, dtype=bool), np.nan, each[:, :4]) for each in (a, b))
        one, other = one - np.nanmean(one, axis=0), other - np.nanmean(other, axis=0)
        here = np.concatenate([(x - x.mean(0))[i], one[i, more]])
        there = np.concatenate([(y - y.mean(0))[i], other[i, more]])
        expected[i] = np.corrcoef(here, there)[0, 1]
    np.testing.assert_allclose(rows["centred_r"], expected, atol=2e-6)


def test_compare__averages_no_knock_down_with_an_activation(writer, make_condition):
    rng = np.random.default_rng(12)
    a, b = rng.normal(size=(2, 2, GENES))
    down = [make_condition(f"G{i}", "A") for i in range(2)]
    writer.dataset("a", down, a, quality=quality(2, [True] * 2))
    mixed = [*down, *(make_condition(f"G{i}", "A", kind="crispra") for i in range(2))]
    writer.dataset("b", mixed, np.concatenate([b, -9 * a]), quality=quality(4, [True] * 4))
    writer.dataset("up", mixed[2:], -9 * a, quality=quality(2, [True] * 2))
    with writer.open() as store:
        rows = store.compare("a", "b").rows.sort("perturbation_id")
        opposite = store.compare("a", "up").rows
        both = store.compare("b", "up").rows
    kept = [[k for k in range(GENES) if k != i] for i in range(2)]
    np.testing.assert_allclose(rows["r"], [np.corrcoef(a[i, k], b[i, k])[0, 1] for i, k in enumerate(kept)], atol=2e-6)
    assert rows["perturbation_id"].to_list() == [down[i]["perturbation_id"] for i in range(2)]
    assert rows["n_conditions_other"].to_list() == [1, 1]
    np.testing.assert_allclose(opposite["r"], -1.0, atol=2e-6)
    np.testing.assert_allclose(both["r"], 1.0, atol=2e-6)
