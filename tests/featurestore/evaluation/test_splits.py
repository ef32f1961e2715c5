"""What is held out shares nothing with what is learnt from."""

import numpy as np
import polars as pl
import pytest

from featurestore.errors import FeatureError
from featurestore.evaluation.splits import inner_groups, parts


@pytest.fixture
def rows():
    names = [f"p{i}" for i in range(12) for _ in range(3)]
    return pl.DataFrame(
        {
            "perturbation_id": names,
            "target_gene_ids": [[name] for name in names],
            "compound_id": pl.Series([None] * 36, dtype=pl.String()),
            "context_id": list("abc") * 12,
            "group": names,
            "fold": [i % 4 for i in range(12) for _ in range(3)],
        }
    )


@pytest.mark.parametrize(("unseen", "n"), [("perturbation", 4), ("context", 3), ("both", 12)])
def test_parts__test_each_row_once_and_learn_from_nothing_that_is_unseen(rows, unseen, n):
    found = parts(rows, unseen)
    assert len(found) == n
    assert sorted(np.concatenate([test for _, test in found]).tolist()) == list(range(36))
    hidden = {"perturbation": ["group"], "context": ["context_id"], "both": ["group", "context_id"]}[unseen]
    for train, test in found:
        for column in hidden:
            labels = rows[column].to_numpy()
            assert not set(labels[train]) & set(labels[test])
    if unseen == "context":
        assert set(rows["group"].to_numpy()[found[0][0]]) == set(rows["group"]), "perturbations are known from others"


def test_parts__say_where_there_is_one_context(rows):
    with pytest.raises(FeatureError, match="single one"):
        parts(rows.with_columns(context_id=pl.lit("a")), "context")
    with pytest.raises(FeatureError, match="nothing to learn from"):
        parts(rows.with_columns(target_gene_ids=pl.lit(["p"])), "both")


def test_inner_groups__are_contexts_where_those_are_unseen(rows):
    assert set(inner_groups(rows, "context")) == set("abc")
    assert set(inner_groups(rows, "both")) == set(rows["group"])
