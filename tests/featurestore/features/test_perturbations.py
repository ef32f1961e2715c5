"""Sameness of perturbations: keys, matches, groups and folds."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from featurestore.features.matching import match_conditions, match_keys
from featurestore.features.perturbations import (
    assign_folds,
    own_targets,
    parts_of,
    perturbation_key,
    shared_target_groups,
    target_atoms,
)


def frame(rows):
    """Conditions as (perturbation_id, kind, target genes, compound)."""
    schema = {
        "perturbation_id": pl.String,
        "perturbation_kind": pl.String,
        "target_gene_ids": pl.List(pl.String),
        "compound_id": pl.String,
    }
    return pl.DataFrame(rows, schema=schema, orient="row")


def gene(*names, kind="crispri"):
    return ("+".join(sorted(names)), kind, list(names), None)


def test_perturbation_key__is_the_sorted_targets_else_the_compound_else_the_perturbation():
    rows = frame([gene("B", "A"), ("c1", "compound", [], "INCHI"), ("ligand:TNF", "ligand", None, None)])
    assert rows.select(perturbation_key()).to_series().to_list() == ["A+B", "INCHI", "ligand:TNF"]


def test_match_conditions__pairs_all_source_conditions_of_the_same_perturbation():
    rows = frame([gene("A"), gene("B"), gene("A", "B"), ("c1", "compound", [], "INCHI")])
    source = frame([gene("A"), gene("B", "A"), gene("A"), gene("C"), ("other name", "compound", [], "INCHI")])
    matches = match_conditions(rows, source)
    assert matches.select("row", "source_row").rows() == [(0, 0), (0, 2), (2, 1), (3, 4)]
    assert matches["rule"].to_list() == ["same kind, mean of 2"] * 2 + ["same kind"] * 2


def test_match_conditions__takes_the_nearest_kind_there_is():
    rows = frame([gene("A"), gene("B"), gene("C")])
    source = frame(
        [
            gene("A", kind="crispri"),
            gene("A", kind="shrna"),
            gene("A", kind="crispra"),
            gene("B", kind="shrna"),
            gene("B", kind="overexpression"),
            gene("C", kind="crispra"),
            gene("C", kind="overexpression"),
        ]
    )
    assert match_conditions(rows, source).select("row", "source_row", "rule", "is_alike").rows() == [
        (0, 0, "same kind", True),
        (1, 3, "same direction", True),
        (2, 5, "other kind, mean of 2", False),
        (2, 6, "other kind, mean of 2", False),
    ]


def test_match_conditions__is_empty_where_nothing_is_shared():
    assert match_conditions(frame([gene("A")]), frame([gene("B")])).is_empty()


def test_match_conditions__adds_up_the_parts_of_a_combination_that_is_not_there():
    rows = frame([gene("A", "B"), gene("A", "C"), gene("A", "D"), gene("B")])
    source = frame([gene("A"), gene("B"), gene("B"), gene("C"), gene("A", "C")])
    matches = match_conditions(rows, source, "sum")
    columns = ["row", "part", "n_parts", "source_row"]
    assert matches.select(columns).rows() == [
        (0, 0, 2, 0),
        (0, 1, 2, 1),
        (0, 1, 2, 2),
        (1, 0, 1, 4),
        (3, 0, 1, 1),
        (3, 0, 1, 2),
    ], "A+C is there as such; D is not there at all"
    both = "same kind, sum of parts, mean of 2"
    assert matches["rule"].to_list()[:4] == ["same kind, sum of parts", both, both, "same kind"]


BASE = "AAAAAAAAAAAAAA-UHFFFAOYSA-N"
STEREO = "AAAAAAAAAAAAAA-BBBBBBBBSA-N"
OTHER = "CCCCCCCCCCCCCC-UHFFFAOYSA-N"


def test_match_conditions__prefers_the_structure_to_its_skeleton():
    rows = frame([("x", "compound", [], STEREO), ("y", "compound", [], BASE)])
    source = frame([("a", "compound", [], BASE), ("b", "compound", [], OTHER), ("c", "compound", [], BASE)])
    assert match_conditions(rows, source).select("row", "source_row", "rule").rows() == [
        (0, 0, "same kind, same skeleton, mean of 2"),
        (0, 2, "same kind, same skeleton, mean of 2"),
        (1, 0, "same kind, mean of 2"),
        (1, 2, "same kind, mean of 2"),
    ]


@pytest.mark.parametrize(
    ("rule", "kept", "weights", "named"),
    [
        ("mean", [0, 1, 2, 3], [1, 1, 1, 1], "mean"),
        ("weighted", [0, 1, 2, 3], [10, 500, 20, 20], "weighted mean"),
        ("max_cells", [1], [1], "max cells"),
        ("nearest_dose", [2], [1], "nearest dose"),
    ],
)
def test_match_conditions__reduces_doses_and_times_by_a_declared_rule(rule, kept, weights, named):
    row = frame([("x", "compound", [], BASE)]).with_columns(dose_um=pl.lit(1.0), time_h=pl.lit(24.0))
    source = frame([("x", "compound", [], BASE)] * 4).with_columns(
        dose_um=pl.Series([0.01, 10.0, 2.0, 2.0]),
        time_h=pl.Series([24.0, 24.0, 24.0, 6.0]),
        n_cells=pl.Series([10, 500, 20, None]),
    )
    matches = match_conditions(row, source, reduce=rule)
    assert matches["source_row"].to_list() == kept
    assert matches["weight"].to_list() == weights
    assert matches["rule"][0] == f"same kind, {named} of 4"


@pytest.mark.parametrize(("dose", "kept"), [(0.0, [0]), (1.0, [1]), (None, [0, 1, 2, 3])])
def test_match_conditions__nearest_to_no_dose_is_no_dose(dose, kept):
    row = frame([("x", "compound", [], BASE)]).with_columns(dose_um=pl.lit(dose, pl.Float64), time_h=pl.lit(0.0))
    source = frame([("x", "compound", [], BASE)] * 4).with_columns(
        dose_um=pl.Series([0.0, 1.0, 10.0, None]), time_h=pl.lit(0.0)
    )
    assert match_conditions(row, source, reduce="nearest_dose")["source_row"].to_list() == kept


def test_match_keys__finds_targets_combinations_and_compounds():
    rows = frame([gene("A"), gene("A", "B"), gene("B", "D"), ("x", "compound", [], STEREO)])
    matches = match_keys(rows, ["A", "B", BASE])
    assert matches.select("row", "source_row", "n_parts").rows() == [(0, 0, 1), (1, 0, 2), (1, 1, 2), (3, 2, 1)]
    assert match_keys(rows, ["A", "B"], "exact")["row"].to_list() == [0]


def test_shared_target_groups__never_part_a_compound_from_its_other_forms():
    rows = frame([("x", "compound", [], STEREO), ("y", "compound", [], BASE), ("z", "compound", [], OTHER)])
    assert shared_target_groups(rows).to_list() == ["x", "x", "z"]


def test_shared_target_groups__ties_a_combination_to_its_parts():
    rows = frame(
        [gene("A"), gene("B"), gene("A", "B"), gene("C"), gene("C", kind="crispra"), gene("D", "E"), gene("E")]
    )
    assert shared_target_groups(rows).to_list() == ["A", "A", "A", "C", "C", "D+E", "D+E"]


def test_shared_target_groups__groups_compounds_by_compound():
    rows = frame([("x", "compound", [], "INCHI"), ("x", "compound", None, "INCHI"), ("y", "compound", [], "OTHER")])
    assert shared_target_groups(rows).to_list() == ["x", "x", "y"]


def combination(*parts):
    """A combination as ingested: it has no compound, and genes only if all its parts are genes."""
    return ("+".join(sorted(parts)), "compound", None, None)


def compound(name):
    return (name, "compound", [], name)


GENE = "ENSG00000141510"


@pytest.mark.parametrize(
    ("perturbation", "parts"),
    [
        ("name:aspirin+name:metformin", ["name:aspirin", "name:metformin"]),
        ("name:(+)-jq1+name:vitamin-b1+b2", ["name:(+)-jq1", "name:vitamin-b1+b2"]),
        (f"{BASE}+{OTHER}", [BASE, OTHER]),
        (f"CID:5+{GENE}+label:HLA+X+name:x", ["CID:5", GENE, "label:HLA+X", "name:x"]),
        ("name:(+)-jq1", ["name:(+)-jq1"]),
        (GENE, [GENE]),
    ],
)
def test_parts_of__cuts_where_a_part_begins_and_in_no_name(perturbation, parts):
    assert pl.select(parts_of(pl.lit(perturbation))).item().to_list() == parts


def test_shared_target_groups__ties_a_combination_of_compounds_to_its_parts():
    names = ["name:metformin", "name:aspirin", "name:caffeine"]
    rows = frame([*map(compound, names), combination(*names[:2]), combination(*names[1:]), compound("name:(+)-jq1")])
    assert shared_target_groups(rows).to_list() == ["name:aspirin"] * 5 + ["name:(+)-jq1"]


def test_shared_target_groups__knows_the_skeletons_in_a_combination():
    rows = frame([compound(STEREO), combination(BASE, OTHER), compound("CID:5")])
    group = f"{BASE}+{OTHER}"
    assert shared_target_groups(rows).to_list() == [min(group, STEREO)] * 2 + ["CID:5"]


@pytest.mark.parametrize("targets", [None, [GENE]], ids=["no genes listed", "its gene listed"])
def test_shared_target_groups__ties_a_gene_with_a_drug_to_both(targets):
    both = (f"{BASE}+{GENE}", "crispri", targets, None)
    rows = frame([both, (GENE, "crispri", [GENE], None), compound(STEREO), compound(OTHER)])
    assert shared_target_groups(rows).n_unique() == 2
    assert target_atoms(rows).sort("row", "atom").rows() == [
        (0, BASE[:14]),
        (0, GENE),
        (1, GENE),
        (2, BASE[:14]),
        (3, OTHER[:14]),
    ]


def test_match_conditions__knows_a_combination_by_the_skeletons_of_its_parts():
    rows, source = frame([combination(STEREO, OTHER)]), frame([combination(BASE, OTHER), compound(BASE)])
    matches = match_conditions(rows, source)
    assert matches.select("row", "source_row", "rule").rows() == [(0, 0, "same kind, same skeleton")]


def test_own_targets__marks_each_target_that_is_measured():
    rows = frame([gene("D", "B"), gene("absent"), ("c1", "compound", [], "INCHI"), ("c2", "compound", None, None)])
    own = own_targets(rows, pl.DataFrame({"gene_id": list("ABCD")}))
    assert np.argwhere(own).tolist() == [[0, 1], [0, 3]]
    assert own.shape == (4, 4)


targets = st.lists(st.lists(st.sampled_from("ABCDEFGH"), min_size=1, max_size=2, unique=True), min_size=1, max_size=25)


@given(targets, st.randoms())
def test_shared_target_groups__never_share_a_target_and_do_not_depend_on_the_order(names, random):
    rows = frame([gene(*targets) for targets in names])
    groups = shared_target_groups(rows).to_list()
    where = {}
    for group, targets_of_row in zip(groups, names, strict=True):
        for target in targets_of_row:
            assert where.setdefault(target, group) == group
    order = random.sample(range(len(names)), len(names))
    assert shared_target_groups(rows[order]).to_list() == [groups[i] for i in order]


@given(st.lists(st.sampled_from("abcdefghij"), min_size=5, max_size=60), st.integers(2, 5), st.randoms())
def test_assign_folds__keeps_groups_whole_and_folds_even(names, folds, random):
    groups = pl.Series(names)
    fold = assign_folds(groups, folds, seed=1)
    assert set(fold) <= set(range(folds))
    largest = groups.value_counts()["count"].max()
    for name in set(names):
        assert len(set(fold[(groups == name).to_numpy()])) == 1
    sizes = np.bincount(fold, minlength=folds)
    assert sizes.max() - sizes.min() <= largest
    order = random.sample(range(len(names)), len(names))
    np.testing.assert_array_equal(assign_folds(groups[order], folds, seed=1), fold[order])


def test_assign_folds__follows_the_seed():
    groups = pl.Series([f"g{i}" for i in range(40)])
    first, again, other = (assign_folds(groups, 4, seed) for seed in (0, 0, 1))
    assert (first == again).all()
    assert (first != other).any()
    assert np.bincount(first).tolist() == [10, 10, 10, 10]
