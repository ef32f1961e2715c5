"""Which pairs are rows, what their answer is, and how they are held out."""

import numpy as np
import polars as pl
import pytest

from featurestore.errors import FeatureError, LeakageError
from featurestore.features.effects.signature_matrix import SignatureMatrix
from featurestore.features.pairs.builder import build_pairs, read_pairs
from featurestore.features.pairs.target import pairs_of
from featurestore.features.sections import Split, Target


def test_pairs__are_those_that_the_table_lists(pair_store, pair_spec, called):
    pairs = read_pairs(pair_store, pair_spec()).pairs
    assert pairs.rows.height == np.isfinite(called["line_a"]).sum()
    assert pairs.rows["is_positive"].sum() == np.nansum(called["line_a"] != 0) - np.isnan(called["line_a"]).sum()
    assert pairs.rows.select("condition_id", "gene_id").is_unique().all()


def test_pairs__of_a_direction_are_those_that_changed(pair_store, pair_spec, called):
    pairs = read_pairs(pair_store, pair_spec("direction")).pairs
    assert pairs.rows.height == (np.abs(called["line_a"]) == 1).sum()
    assert pairs.rows["is_positive"].sum() == (called["line_a"] == 1).sum()


@pytest.mark.parametrize(("question", "n_rows", "n_positive"), [("changed", 24, 16), ("direction", 16, 8)])
def test_pairs__one_signed_table_answers_both_questions(make_condition, question, n_rows, n_positive):
    target = Target(dataset="a", effect_kind="de_call", unit="pair", question=question)
    split = Split(folds=2)
    conditions = pl.DataFrame([make_condition(f"P{i}", genes=[f"T{i}"]) for i in range(12)]).with_columns(
        group=pl.col("perturbation_id"), split=pl.Series([f"fold {i // 6 + 1}" for i in range(12)])
    )
    values = np.tile(np.array([[1.0], [0.0], [-1.0]], dtype=np.float32), (4, 2))
    genes = pl.DataFrame({"gene_id": ["g1", "g2"], "gene_symbol": ["G1", "G2"]})
    pairs = pairs_of(conditions, SignatureMatrix(values, conditions, genes, "de_call"), target, split)
    assert (pairs.rows.height, pairs.rows["is_positive"].sum()) == (n_rows, n_positive)
    assert set(pairs.call) == ({0.0, 1.0} if question == "changed" else {-1.0, 1.0})


def test_pairs__leave_out_a_perturbations_own_target(writer, write_lines, called, pair_spec):
    write_lines(writer, called, genes=lambda i: [f"ENSG{i + 1:011d}"])
    with writer.open() as store:
        matrix = build_pairs(store, pair_spec("changed", "folds = 3"))
    own = np.isfinite(np.diagonal(called["line_a"])).sum()
    assert own > 0
    assert matrix.rows.height == np.isfinite(called["line_a"]).sum() - own


def test_split__is_the_datas_own(pair_store, pair_spec):
    task = read_pairs(pair_store, pair_spec())
    (division,) = task.pairs.divisions
    says = task.pairs.rows["split"].to_numpy()
    np.testing.assert_array_equal(division.is_held_out, says == "test")
    assert set(np.unique(division.inner_fold)) == {-1, 0, 1, 2, 3, 4}
    folds = task.pairs.rows.with_columns(fold=pl.Series(division.inner_fold)).group_by("group").agg("fold")
    assert folds["fold"].list.n_unique().unique().to_list() == [1]


def test_split__deals_folds_and_inner_folds_by_perturbation(pair_store, pair_spec):
    task = read_pairs(pair_store, pair_spec("changed", "folds = 3"))
    assert [division.name for division in task.pairs.divisions] == ["fold 1", "fold 2", "fold 3"]
    held_out = np.stack([division.is_held_out for division in task.pairs.divisions])
    assert (held_out.sum(axis=0) == 1).all()
    groups = task.pairs.rows["group"].to_numpy()
    for division in task.pairs.divisions:
        for fold in range(3):
            assert set(groups[division.inner_fold == fold]).isdisjoint(groups[division.inner_fold != fold])


@pytest.mark.parametrize(
    ("column", "message"), [("split", "no column 'split'"), ("context_label", "no split into training and test")]
)
def test_split__refuses_a_column_that_is_none(pair_store, pair_spec, column, message):
    with pytest.raises(FeatureError, match=message):
        read_pairs(pair_store, pair_spec("changed", f'column = "{column}"'))


def test_split__refuses_a_perturbation_on_both_sides(writer, write_lines, called, pair_spec):
    write_lines(writer, called, genes=lambda i: [f"ENSG9{max(i, 1):010d}"])
    with writer.open() as store, pytest.raises(LeakageError, match="share 1 perturbation"):
        read_pairs(store, pair_spec())


def test_pairs__need_both_answers(writer, write_lines, called, pair_spec):
    write_lines(writer, called | {"line_a": np.where(np.isfinite(called["line_a"]), 0.0, np.nan)})
    with writer.open() as store, pytest.raises(FeatureError, match="one answer only"):
        read_pairs(store, pair_spec())
