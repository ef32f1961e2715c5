"""Which conditions a spec means."""

import polars as pl
import pytest

from featurestore.errors import FeatureError, SpecError
from featurestore.features.selection import select
from featurestore.features.spec import parse_spec


@pytest.fixture
def store(writer, make_condition):
    conditions = [make_condition("ctrl", kind="control", genes=[])]
    conditions += [make_condition(f"G{i}", context, cells=10 * i) for context in "AB" for i in range(1, 5)]
    quality = pl.DataFrame({"condition_index": [1, 2], "is_responder": [True, False], "n_cells": [10, 20]})
    writer.dataset("four_lines", conditions, [[1.0] * 30] * 9, quality=quality)
    writer.dataset("other", [make_condition("G1", "C")], [[1.0] * 30])
    with writer.open() as warehouse:
        yield warehouse


def spec(target="", feature='datasets = ["other"]', dataset="four_lines", more=""):
    return parse_spec(f'[target]\ndataset = "{dataset}"\n{target}\n[[feature]]\nkind = "signature"\n{feature}\n{more}')


def test_select__leaves_controls_out_and_orders_rows(store):
    target = select(store, spec()).target
    assert target["condition_id"].to_list() == sorted(target["condition_id"])
    assert target.height == 8
    assert "control" not in target["perturbation_kind"]


@pytest.mark.parametrize(
    ("where", "n"),
    [
        ("context_label = 'A'", 4),
        ("n_cells > 20", 4),
        ("is_responder", 1),
        ("not is_control and assay = 'perturb_seq'", 8),
        ("list_contains(target_symbols, 'S003') or n_cells = 10 -- and a comment", 4),
        ("perturbation_id in (select perturbation_id from condition where dataset_id = 'other')", 2),
    ],
)
def test_select__filters_by_any_column_of_condition_quality_and_dataset(store, where, n):
    assert select(store, spec(f'where = "{where}"')).target.height == n


def test_select__makes_a_source_of_each_dataset_and_context(store):
    selection = select(store, spec("where = \"context_label = 'A'\"", "where = \"context_label <> 'A'\""))
    assert [(s.name, s.conditions.height) for s in selection.sources] == [("four_lines/CVCL_B", 4), ("other/CVCL_C", 1)]
    assert selection.sources[0].block == "signature/four_lines/CVCL_B"
    assert selection.sources[0].effect_kind == "delta_log1p"


def test_select__lists_unknown_datasets_and_refused_conditions(store):
    with pytest.raises(SpecError) as caught:
        select(store, spec(dataset="four_line", feature='datasets = ["others", "other"]'))
    assert "target: no dataset 'four_line'; did you mean 'four_lines'?" in caught.value.got
    assert "feature 1: no dataset 'others'; did you mean 'other'" in caught.value.got
    with pytest.raises(SpecError) as caught:
        select(store, spec('where = "n_cell > 3"', 'where = "true) or (drop table x"'))
    assert "target, where:" in caught.value.got
    assert "feature 1, where:" in caught.value.got


@pytest.mark.parametrize(
    "where", ["1; drop view condition", "true) union (select 1", "(select * from read_csv('/etc/passwd'))"]
)
def test_select__runs_no_other_statement_and_reads_no_other_file(store, where):
    with pytest.raises(SpecError, match="target, where"):
        select(store, spec(f'where = "{where}"'))


def test_select__says_what_an_empty_filter_left_out(store):
    with pytest.raises(FeatureError, match="8 conditions before the filter, in contexts 'A', 'B'"):
        select(store, spec("where = \"context_label = 'Z'\""))
    with pytest.raises(FeatureError, match="'signature' selects no condition"):
        select(store, spec(feature='where = "n_cells > 1000"'))


def test_select__wants_names_for_two_features_of_one_source(store):
    second = '[[feature]]\nkind = "signature"\ndatasets = ["other"]\n'
    with pytest.raises(SpecError, match="give each a 'name'"):
        select(store, spec(more=second))
    named = select(store, spec(more=f'{second}name = "again"'))
    assert [source.block for source in named.sources] == ["signature/other/CVCL_C", "again/other/CVCL_C"]
