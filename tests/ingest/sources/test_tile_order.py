"""Lines in any order come out in the order of tiles, whatever waits on the disk."""

from __future__ import annotations

import errno
import os
import tempfile

import numpy as np
import pyarrow as pa
import pytest

from ingest.reported import tile_order
from ingest.reported.tile_order import TileOrder


@pytest.mark.parametrize("most", [2**20, 10])  # in memory, and on the disk
@pytest.mark.parametrize("is_repeated", [False, True])
def test_lines__come_tile_by_tile_and_by_rank(monkeypatch, most, is_repeated):
    monkeypatch.setattr(tile_order, "MOST_IN_MEMORY", most)
    rng = np.random.default_rng(3)
    pairs = rng.permutation(600 * 1_100)[:5_000]
    condition, gene = (pairs // 1_100).astype(np.int32), (pairs % 1_100).astype(np.int32)
    rank = gene.copy()
    if is_repeated:  # a second, worse name of some genes
        condition, gene = np.append(condition, condition[:40]), np.append(gene, gene[:40])
        rank = np.append(rank, rank[:40] + 1_100).astype(np.int32)
    effect, p_value = rng.normal(size=gene.size), rng.random(gene.size)
    p_value[::7] = np.nan
    columns = {"condition_index": condition, "gene_index": gene, "rank": rank, "effect": effect, "p_value": p_value}
    order = TileOrder(600, 1_100, ["effect", "p_value"])
    for part in np.array_split(rng.permutation(gene.size), 3):
        order.add(pa.RecordBatch.from_arrays([pa.array(each[part]) for each in columns.values()], list(columns)))
    found = pa.Table.from_batches(list(order.batches()))
    order.close()
    expected = np.lexsort((rank, gene, condition, gene // 500, condition // 250))
    for name in ("condition_index", "gene_index", "rank"):
        np.testing.assert_array_equal(found[name].to_numpy(), columns[name][expected])
    np.testing.assert_array_equal(found["effect"].to_numpy(), effect[expected].astype(np.float32))
    np.testing.assert_array_equal(found["p_value"].to_numpy(), p_value[expected])
    assert found["p_value"].null_count == np.isnan(p_value).sum()


def test_batches__hold_whole_tiles_and_no_fewer_lines_than_a_full_one():
    condition = np.repeat(np.arange(260, dtype=np.int32), 1_001)
    gene = np.tile(np.arange(1_001, dtype=np.int32), 260)
    order = TileOrder(260, 1_001, [])
    columns = {"condition_index": condition, "gene_index": gene, "rank": gene}
    order.add(pa.RecordBatch.from_arrays([pa.array(each) for each in columns.values()], list(columns)))
    # 250 x 500, twice; then 250 x 1 gene, 10 x 500, 10 x 500 and 10 x 1
    assert [len(batch) for batch in order.batches()] == [125_000, 125_000, 250 + 5_000 + 5_000 + 10]
    order.close()


def test_full_disk__is_told_of_the_folder_for_temporary_files(monkeypatch):
    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    order = TileOrder(1, 1, [])
    monkeypatch.setattr(order._file, "write", full, raising=False)
    zero = pa.array([0], pa.int32())
    with pytest.raises(OSError, match="No space left") as caught:
        order.add(pa.RecordBatch.from_arrays([zero] * 3, ["condition_index", "gene_index", "rank"]))
    assert caught.value.filename == tempfile.gettempdir()
    order.close()


def test_no_lines__are_no_lines():
    order = TileOrder(1, 1, ["effect"])
    assert sum(map(len, order.batches())) == 0
    order.close()
