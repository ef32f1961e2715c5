"""What counts the genes that conditions change, against counting by hand."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from ingest.reported.significance import SignificantGenes

GENES = pl.DataFrame({"gene_index": [0, 1, 2], "gene_id": ["A", "B", "C"]})
# the first condition targets B, the second A and C, the third a gene that is not measured, the fourth nothing
CONDITION = pl.DataFrame({"target_gene_ids": [["B"], ["A", "C"], ["X"], None]})
NAN = np.nan
Q = np.array([[0.01, 0.001, 0.5], [0.01, 0.9, 0.01], [0.01, NAN, 0.05], [NAN, NAN, NAN]])
EFFECT = np.array([[1.0, 1.0, 0.0], [1.0, 1.0, 1.0], [0.0, 0.0, 0.0], [-1.0, NAN, 0.0]])


@pytest.mark.parametrize(
    ("is_called", "q_value", "expected"),
    [
        (False, Q, [1, 0, 1, None]),  # 0.05 is not below it; without any q nothing is known
        (True, None, [1, 1, 0, 1]),
        (True, Q, [1, 1, 1, 1]),  # by q or by call
    ],
)
def test_significant_genes__are_those_at_q_below_005_or_called_but_no_targets(is_called, q_value, expected):
    of_tiles = SignificantGenes(CONDITION, GENES, is_called=is_called)
    of_tiles.add(np.arange(4, dtype=np.int32)[:, None], np.arange(3, dtype=np.int32), EFFECT, q_value)
    of_rows = SignificantGenes(CONDITION, GENES, is_called=is_called)
    condition, gene = np.divmod(np.random.default_rng(0).permutation(12).astype(np.int32), 3)
    for half in (slice(0, 5), slice(5, 12)):
        c, g = condition[half], gene[half]
        of_rows.add(c, g, EFFECT[c, g], None if q_value is None else q_value[c, g])
    for counted in (of_tiles, of_rows):
        assert counted.table()["condition_index"].to_list() == [0, 1, 2, 3]
        assert counted.table()["n_significant"].to_list() == expected


def test_significant_genes__of_a_condition_with_q_of_its_target_alone_are_unknown():
    counted = SignificantGenes(CONDITION[:1], GENES, is_called=False)
    counted.add(np.zeros(1, np.int32), np.ones(1, np.int32), np.ones(1), np.array([0.001]))
    assert counted.table()["n_significant"].to_list() == [None]
