"""Sums of more cells than were labelled are refused as they are written, and nothing is published."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from featurestore.errors import WarehouseError
from ingest.inspection.draft import draft_spec
from ingest.inspection.inspect import inspect_file
from ingest.layouts import write_h5ad
from ingest.pipeline import ingest_dataset
from ingest.sums.capped import arrays_of
from ingest.sums.counted_once import require_counted_once
from ingest.sums.summing import sum_files


def test_gene__in_all_cells_is_in_no_more_than_there_are():
    conditions, cells = np.array([4, 7], np.int32), np.array([3, 2])
    require_counted_once(conditions, np.array([[0, 3], [2, 1]]), cells)
    require_counted_once(conditions, np.empty((2, 0), np.int64), cells)
    with pytest.raises(WarehouseError, match=r"condition_index 7(.|\n)*at most 2 cells(.|\n)*3 cells"):
        require_counted_once(conditions, np.array([[0, 3], [3, 1]]), cells)


def test_sums__of_cells_that_count_twice_are_not_published(tmp_path, monkeypatch):
    def twice(*given):
        left_out = sum_files(*given)
        for values in arrays_of(given[4].finish()).values():
            np.multiply(values, 2, out=values)
        return left_out

    rows = {"index": [f"c{at}" for at in range(8)], "compound": ["DMSO"] * 4 + ["JQ1"] * 4, "cell_line": ["K562"] * 8}
    genes = pl.DataFrame({"index": ["TP53", "MYC", "ABL1", "STAT1"]})
    counts = np.arange(1, 33, dtype=np.float32).reshape(8, 4)
    path = write_h5ad(tmp_path / "a.h5ad", counts, pl.DataFrame(rows), genes)
    (tmp_path / "draft.toml").write_text(draft_spec(inspect_file(path), tmp_path).text)
    monkeypatch.setattr("ingest.sums.summing.sum_files", twice)
    with pytest.raises(WarehouseError, match=r"at most 4 cells(.|\n)*8 cells"):
        ingest_dataset(tmp_path / "draft.toml", tmp_path / "warehouse")
    assert not list((tmp_path / "warehouse" / "snapshots").glob("*"))
