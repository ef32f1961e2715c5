"""The guard: what it refuses, by which rows, and what it certifies."""

import polars as pl
import pytest

from featurestore.errors import LeakageError, SpecError
from featurestore.features.guard.leaks import check_sources, check_split
from featurestore.features.kinds.signature import SignatureFeature
from featurestore.features.sections import Allow
from featurestore.features.selection import Source


def conditions(*experiments):
    ids = [f"c{i}" for i in range(len(experiments))]
    return pl.DataFrame(
        {"condition_id": ids, "experiment_id": list(experiments)}, schema_overrides={"experiment_id": pl.String}
    )


def source(dataset, *experiments):
    feature = SignatureFeature(kind="signature", datasets=[dataset])
    return Source(feature, dataset, "CVCL_1", "delta_log1p", conditions(*experiments))


def test_check_sources__certifies_what_it_checked():
    verdict = check_sources(conditions("mine", "mine"), [source("a", "other"), source("b", "third", "fourth")])
    assert verdict["target_experiments"] == ["mine"]
    assert verdict["sources"] == [
        {"source": "signature/a/CVCL_1", "experiments": ["other"], "n_conditions": 1},
        {"source": "signature/b/CVCL_1", "experiments": ["fourth", "third"], "n_conditions": 2},
    ]


def test_check_sources__refuses_the_same_cells_under_another_dataset_name():
    leaky = source("rerelease", "other", "mine", "mine")
    with pytest.raises(LeakageError) as caught:
        check_sources(conditions("mine"), [source("a", "other"), leaky, source("b", "mine")])
    assert "signature/rerelease/CVCL_1: 2 of 3 conditions ('c1', 'c2')" in caught.value.got
    assert "signature/b/CVCL_1: 1 of 1 condition ('c0')" in caught.value.got
    assert "signature/a" not in caught.value.got
    assert caught.value.do.startswith("narrow the feature: where = \"experiment_id not in ('mine')\"")


def test_check_sources__refuses_conditions_without_an_experiment():
    with pytest.raises(LeakageError, match="1 condition, such as 'c1'"):
        check_sources(conditions("mine"), [source("a", "other", None)])
    with pytest.raises(LeakageError, match="the target"):
        check_sources(conditions(None), [source("a", "other")])


def test_check_sources__is_overruled_only_by_the_pair_of_experiments():
    leaky = source("rerelease", "other", "mine")
    pair = Allow(target="mine", source="mine", reason="a deliberate leak")
    verdict = check_sources(conditions("mine"), [leaky], [pair])
    assert verdict["allowed"] == [{"target": "mine", "source": "mine", "reason": "a deliberate leak"}]
    with pytest.raises(LeakageError):
        check_sources(conditions("mine"), [leaky], [Allow(target="mine", source="other", reason="another pair")])
    with pytest.raises(SpecError, match="no experiment 'mien'; did you mean 'mine'"):
        check_sources(conditions("mine"), [leaky], [Allow(target="mien", source="mine", reason="typo")])


def test_check_sources__lets_an_average_look_in_the_targets_experiment_because_it_leaves_it_out():
    feature = SignatureFeature(kind="signature", datasets=["a"], average="equal")
    verdict = check_sources(conditions("mine"), [Source(feature, "a", "C", "delta_log1p", conditions("mine", "b"))])
    assert verdict["sources"][0]["own_experiment"] == "left out of each row's average"


def rows(*given):
    """Rows as (targets, group)."""
    return pl.DataFrame(
        {
            "condition_id": [f"c{i}" for i in range(len(given))],
            "perturbation_id": ["+".join(targets) for targets, _ in given],
            "target_gene_ids": [targets for targets, _ in given],
            "compound_id": [None] * len(given),
            "group": [group for _, group in given],
        },
        schema_overrides={"compound_id": pl.String},
    )


def test_check_split__certifies_groups_that_share_nothing():
    verdict = check_split(rows((["A"], "x"), (["A", "B"], "x"), (["C"], "y")), "perturbation_id")
    assert verdict == {"group_by": "perturbation_id", "n_groups": 2, "n_targets": 3, "n_shared": 0}


def test_check_split__refuses_a_combination_apart_from_its_part():
    with pytest.raises(LeakageError) as caught:
        check_split(rows((["A"], "x"), (["A", "B"], "y"), (["C"], "z")), "condition_id")
    assert caught.value.what == "Groups of the split share 1 perturbation."
    assert "A in groups 'x', 'y' (conditions c0, c1)" in caught.value.got


def test_check_split__says_where_it_names_some_groups_of_many():
    with pytest.raises(LeakageError) as caught:
        check_split(rows(*((["A"], group) for group in "uvwxyz")), "condition_id")
    assert caught.value.got == "A in groups 'u', 'v', 'w', 'x', 'y', ... (conditions c0, c1, c2, c3, c4, ...)"


def test_check_split__refuses_a_combination_of_compounds_apart_from_its_part():
    given = rows(([], "x"), ([], "y"), ([], "y")).with_columns(
        perturbation_id=pl.Series(["name:aspirin", "name:aspirin+name:caffeine", "name:caffeine"]),
        compound_id=pl.Series(["name:aspirin", None, "name:caffeine"]),
    )
    with pytest.raises(LeakageError) as caught:
        check_split(given, "condition_id")
    assert caught.value.got == "name:aspirin in groups 'x', 'y' (conditions c0, c1)"
    whole = check_split(given.with_columns(group=pl.lit("x")), "perturbation_id")
    assert whole == {"group_by": "perturbation_id", "n_groups": 1, "n_targets": 2, "n_shared": 0}
