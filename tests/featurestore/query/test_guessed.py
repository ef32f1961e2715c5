"""SQL by intuition: what a name that is not known may mean, and why there are no rows."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from featurestore.commands.query import sql
from featurestore.errors import QueryError
from featurestore.query.no_rows import unknown_values


@pytest.mark.parametrize(
    ("query", "do"),
    [
        ("select perturbation, knockdown_ratio from quality", "condition has it: from quality join condition using (d"),
        ("select perturbation, knockdown_ratio from condition", "quality has it: from condition join quality using ("),
        ("select perturbation from statistics", "condition has it: from statistics join condition using (dataset_id, "),
        ("select title from condition", "dataset has it: from condition join dataset using (dataset_id)"),
        ("select gene, effect from signature", "signature calls it gene_symbol"),
        ("select perturbation from signature", "ask effects instead, which has dataset_id, condition_id, perturbation"),
        ("select gene_symbol from effects", "effects calls it gene"),
        ("select e.padj from effects as e", "effects calls it q_value"),
        ("select logFC from effects", "effects calls it log2fc"),
        ("select gene from effects where cell_line = 'A'", "effects calls it context_label"),
        ("select drug, cell_count from condition", "condition calls it perturbation"),
        ("select knockdown from condition", "knockdown_ratio is what it is called; quality has it: from condition"),
        ("select count(*) from cells", "ask condition (cells are summed when they are ingested: n_cells counts them)"),
        ("select * from degs", "ask effects, which has dataset_id"),
        ("select * from qualty", "ask quality, which has dataset_id"),
    ],
)
def test_unknown_name__is_answered_with_what_is_meant_and_the_join(two_datasets, query, do):
    for ask in (two_datasets.frame, two_datasets.sql):
        with pytest.raises(QueryError, match="There is no") as caught:
            ask(query)
        assert do in caught.value.do


def test_joins_that_are_suggested__run(two_datasets):
    for view, column in (("quality", "perturbation"), ("condition", "knockdown_ratio"), ("statistics", "gene_symbol")):
        with pytest.raises(QueryError) as caught:
            two_datasets.frame(f"select {column} from {view}")
        two_datasets.frame(f"select {column} {caught.value.do.partition(': ')[2]}")


@pytest.mark.parametrize("query", ["select x from (select 1 as y)", "select effect from effects group by gene"])
def test_what_is_not_known__is_said_as_duckdb_says_it(two_datasets, query):
    with pytest.raises(QueryError) as caught:
        two_datasets.frame(query)
    assert caught.value.where == "Binder Error"


def test_unknown_column__that_means_nothing_is_answered_with_all_that_there_are(two_datasets):
    with pytest.raises(QueryError, match="There is no column 'zzz'") as caught:
        two_datasets.frame("select zzz from effects")
    assert "one of dataset_id, condition_id, perturbation, " in caught.value.expected
    with pytest.raises(QueryError) as caught:
        two_datasets.frame("select n_signifcant from quality")
    assert caught.value.do == "did you mean n_significant?"


def test_no_rows__are_explained_by_names_that_nothing_has(two_datasets):
    query = "select gene from effects e where e.perturbation = 'g5' and 'A' = context_label and gene in ('S001', 'X1')"
    perturbation, gene = unknown_values(two_datasets, query)
    (measured,) = unknown_values(two_datasets, "select * from effects where perturbation = 'S001'")
    assert measured.endswith("it was measured, not perturbed; what moves it is in effects where gene = 'S001'")
    assert perturbation.startswith("No perturbation is 'g5': did you mean 'G5'")
    assert gene.startswith("No gene is 'X1': ")
    assert unknown_values(two_datasets, "select * from condition where perturbation = 'G5' and n_cells > 1e9") == []
    ran = CliRunner().invoke(sql, [query], obj=two_datasets.path)
    assert ran.exit_code == 0
    assert "No perturbation is 'g5'" in ran.stderr


def test_sum_counts__is_count_by_a_name_that_does_not_mislead(two_datasets):
    columns = two_datasets.frame("select * from statistics").schema
    assert columns["sum_counts"] == columns["count"]
