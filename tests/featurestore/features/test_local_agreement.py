"""Whom to trust where: the agreement of sources around each row, by plain NumPy, and what it must not read."""

import numpy as np
import polars as pl
import pytest
from scipy.stats import t
from sklearn.metrics.pairwise import cosine_similarity

from featurestore.commands.plan import describe_plan
from featurestore.features import local_agreement
from featurestore.features.fold_agreement import row_agreement
from featurestore.features.local_agreement import NearRows, local_sentences
from featurestore.features.plan import plan
from featurestore.features.spec import parse_spec

N, G = 120, 60
FOLDS = np.arange(N) % 3
NOTHING, EVERY = np.zeros((N, G), dtype=bool), np.arange(G)
ROWS = pl.DataFrame({"perturbation_label": [f"P{i}" for i in range(N)], "fold": FOLDS}).with_columns(
    condition_id=pl.col("perturbation_label"), context_label=pl.lit("A")
)


def world(seed=0, *, by_region=True):
    """Two kinds of perturbations; 'one' is right about the first, 'two' about the second, or both about half of all."""
    rng = np.random.default_rng(seed)
    kind = rng.integers(2, size=N)
    detail = rng.normal(size=(N, G))
    right = kind if by_region else rng.integers(2, size=N)
    here, *found = (
        2 * rng.normal(size=(2, G))[kind] + np.where(knows[:, None], detail, rng.normal(size=(N, G)))
        for knows in (np.ones(N, dtype=bool), right == 0, right == 1)
    )
    return kind, here, found


def near(here, found):
    rows = NearRows(ROWS, here, NOTHING)
    agreement = {
        name: rows.agreement(name, each, EVERY, is_usable=True)
        for name, each in zip(("one", "two"), found, strict=True)
    }
    return agreement, *rows.around()


def test_local_agreement__is_the_mean_over_the_training_rows_most_alike_in_the_sources():
    _, here, found = world()
    found[1][5] = np.nan
    agreement, told, table = near(here, found)
    alike = np.zeros((2, N, N))
    for at, each in enumerate(found):
        has = np.isfinite(each).all(axis=1)
        alike[at] = np.where(
            has[:, None] & has, cosine_similarity(np.nan_to_num(each - each[has].mean(axis=0))), np.nan
        )
    mean = np.nanmean(alike, axis=0)
    for name, each in zip(("one", "two"), found, strict=True):
        r = np.full((N, 3), np.nan)
        has = np.isfinite(each).all(axis=1)
        r[has] = row_agreement(each[has], here[has], FOLDS[has], np.arange(3))
        own = {row["condition_id"]: row for row in table.filter(source=name).iter_rows(named=True)}
        for row in (5, 17, 60):
            candidates = [j for j in np.argsort(-mean[row]) if FOLDS[j] != FOLDS[row] and np.isfinite(r[j]).all()][:20]
            values = r[candidates, FOLDS[row]]
            half = t.ppf(0.975, 19) * values.std(ddof=1) / np.sqrt(20)
            told_of = own[f"P{row}"]
            assert told_of["local_agreement"] == pytest.approx(values.mean())
            assert (told_of["low"], told_of["high"]) == pytest.approx((values.mean() - half, values.mean() + half))
            assert (told_of["n_nearest"], told_of["agreement"]) == (20, agreement[name][0])
            assert told_of["nearest"] == ", ".join(f"P{j}" for j in candidates[:3])
        assert told[name]["local_low"] == table.filter(source=name)["local_agreement"].min()


def test_local_agreement__does_not_change_with_how_many_rows_are_compared_at_once(monkeypatch):
    _, here, found = world()
    found[1][::7] = np.nan
    table = near(here, found)[2]
    monkeypatch.setattr(local_agreement, "_BYTES", 7 * local_agreement._BYTES_A_PAIR * N)
    again = near(here, found)[2]
    assert again.equals(table)


@pytest.mark.parametrize("seed", range(3))
def test_local_agreement__tells_regions_from_chance(seed):
    kind, here, found = world(seed)
    _, told, table = near(here, found)
    assert told["one"]["local_chance"] == told["two"]["local_chance"] == 1 / 201
    for at, name in enumerate(("one", "two")):
        around = table.filter(source=name)["local_agreement"].to_numpy()
        assert around[kind == at].min() > around[kind != at].max() + 0.1
    _, told, _ = near(*world(seed, by_region=False)[1:])
    assert min(each["local_chance"] for each in told.values()) > 0.01


def test_local_agreement__of_a_row_never_reads_the_answers_held_out_with_it():
    _, here, found = world()
    table = near(here, found)[2]
    for fold in range(3):
        poisoned = np.where((fold == FOLDS)[:, None], 1e3 * np.random.default_rng(9).normal(size=here.shape), here)
        again = near(poisoned, found)[2]
        held_out = table["condition_id"].is_in(ROWS.filter(fold=fold)["condition_id"].implode())
        told = ("condition_id", "source", "local_agreement", "low", "high", "nearest")
        assert again.filter(held_out).select(told).equals(table.filter(held_out).select(told))
        assert not again.equals(table)


def test_local_agreement__a_withheld_source_says_nothing_of_what_is_alike():
    _, here, found = world()
    rows = NearRows(ROWS, here, NOTHING)
    rows.agreement("one", found[0], EVERY, is_usable=True)
    alone = rows.around()[1]
    rows.agreement("copy", here, EVERY, is_usable=False)
    assert rows.around()[1].equals(alone)


def test_local_agreement__of_few_rows_is_not_told():
    _, here, found = world()
    rows = NearRows(ROWS.head(18), here[:18], NOTHING[:18])
    agreement, _ = rows.agreement("one", found[0][:18], EVERY, is_usable=True)
    told, table = rows.around()
    assert agreement is not None
    assert (told, table.height) == ({}, 0)


SPEC = """
[target]
dataset = "target"
[[feature]]
kind = "signature"
datasets = ["near", "far"]
[split]
folds = 3
"""


def write_sources(writer, make_condition, truth, **more):
    rng = np.random.default_rng(1)
    near, far = truth + 0.5 * rng.normal(size=(28, 30)), rng.normal(size=(28, 30))
    writer.dataset("near", [make_condition(f"G{i}", "B") for i in range(28)], near, **more)
    writer.dataset("far", [make_condition(f"G{i}", "C") for i in range(28)], far, **more)


def test_plan__never_reads_the_answers_of_the_datas_own_test_rows(writer, make_condition):
    truth = np.random.default_rng(0).normal(size=(28, 30))
    is_test = np.arange(28) % 4 == 0
    parts = np.where(is_test, "test", "train")
    conditions = [make_condition(f"G{i}") | {"cluster": part} for i, part in enumerate(parts.tolist())]
    write_sources(writer, make_condition, truth, kind="de_call")
    pairs = 'dataset = "target"\nunit = "pair"\neffect_kind = "de_call"\nquestion = "changed"\n'
    spec = parse_spec(SPEC.replace('dataset = "target"\n', pairs) + 'column = "cluster"\n')
    made = []
    for release, effects in (("r1", truth), ("r2", np.where(is_test[:, None], 50 * truth[::-1], truth))):
        writer.dataset("target", conditions, effects, release=release, kind="de_call")
        with writer.open() as store:
            made.append(plan(store, spec))
    assert made[0].local.height > 0
    assert made[0].local.equals(made[1].local)
    assert made[0].sources.equals(made[1].sources)


def test_plan__shows_local_agreement_beside_the_global_one(writer, make_condition, tmp_path):
    truth = np.random.default_rng(0).normal(size=(28, 30))
    writer.dataset("target", [make_condition(f"G{i}") for i in range(28)], truth)
    write_sources(writer, make_condition, truth)
    with writer.open() as store:
        made = store.plan(parse_spec(SPEC))
    made.write(tmp_path / "plan")
    written = pl.read_csv(tmp_path / "plan" / "local_agreement.csv")
    assert written.columns == made.local.columns
    assert written.height == 2 * 28
    best = made.sources.row(0, named=True)
    assert best["dataset_id"] == "near"
    around = made.local.filter(source=best["source"])
    assert (around["local_agreement"].min(), around["local_agreement"].max()) == (best["local_low"], best["local_high"])
    assert set(made.local["n_nearest"]) == {7}, "a quarter of 28 rows"
    shown = describe_plan(made)
    assert f"{best['local_low']:.2f} to {best['local_high']:.2f}" in shown
    for sentence in local_sentences(made.sources, made.local):
        assert f"Near a row: {sentence}." in shown
    assert shown.count(" 7 training rows each, ") == 2
    assert set(made.to_dict()["sources"][0]) >= {"agreement", "local_low", "local_high", "local_chance"}


def test_local_agreement__names_a_row_without_a_label_by_its_condition():
    _, here, found = world()
    rows = NearRows(ROWS.with_columns(perturbation_label=pl.lit(None, pl.String())), here, NOTHING)
    rows.agreement("one", found[0], EVERY, is_usable=True)
    told, table = rows.around()
    assert table["perturbation_label"].to_list() == table["condition_id"].to_list()
    sources = pl.DataFrame([{"source": name} | each for name, each in told.items()])
    assert "(P" in local_sentences(sources, table)[0]
