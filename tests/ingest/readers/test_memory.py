"""Memory stays bounded however many cells a file has: each file is streamed by a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import scipy.sparse

from ingest.layouts import write_h5ad, write_h5ad_rows
from layouts.mtx import write_mtx

N_GENES = 1_000
BLOCK_BYTES = 2**20
COMPRESSED = pytest.mark.parametrize("compression", [None, 1], ids=[None, "gzip"])
"""Level 1 of gzip: to write files takes longest here, and what reads them is the same for all."""
STREAM = """
import resource, sys
from pathlib import Path
from ingest.readers import h5ad, mtx, mtx_entries

mtx_entries.TEXT_BYTES = 2**18  # so that short files fill what is read ahead
STATUS = Path("/proc/self/status")

def peak():
    if STATUS.exists():  # what Linux says of usage begins with the memory of the process that started this one
        return int(STATUS.read_text().partition("VmHWM:")[2].split()[0]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)

path = Path(sys.argv[1])
kind = mtx.MtxFormat if path.suffix == ".mtx" else h5ad.H5adFormat
reader = kind.open(path)
before, total = peak(), 0
for block in reader.blocks(int(sys.argv[2])):
    values = block.values if hasattr(block, "values") else block.data
    total += int(values.sum())
print(peak() - before, total)
reader.close()
"""


def streamed(path: Path) -> tuple[int, int]:
    """Stream a file in another process: how much its memory grew by, and the sum of the matrix."""
    command = [sys.executable, "-W", "ignore", "-c", STREAM, str(path), str(BLOCK_BYTES)]
    of_system = os.environ | {"ARROW_DEFAULT_MEMORY_POOL": "system"}  # Arrow's own keeps what was freed, now and then
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=of_system)
    growth, total = done.stdout.split()
    return int(growth), int(total)


def names(n: int) -> pl.DataFrame:
    return pl.DataFrame({"index": pl.int_range(n, eager=True).cast(pl.String)})


def chunk(times: int, seed: int) -> scipy.sparse.csr_array:
    """2,000 cells with a tenth of the genes each, some times over."""
    rng = np.random.default_rng(seed)
    n_each, n_cells = N_GENES // 10, 2_000 * times
    indices = np.sort(rng.random((2_000, N_GENES)).argpartition(n_each)[:, :n_each], axis=1)
    data = rng.integers(1, 9, indices.size).astype(np.float32)
    entries = np.tile(data, times), np.tile(indices.ravel(), times), np.arange(n_cells + 1) * n_each
    return scipy.sparse.csr_array(entries, (n_cells, N_GENES))


@COMPRESSED
def test_memory__of_sparse_cells(tmp_path, compression):
    cells = chunk(1, seed=0)
    sizes = {}
    for times in (10, 40):
        path = tmp_path / f"{times}.h5ad"
        write_h5ad_rows(path, [cells] * times, names(2_000 * times), names(N_GENES), compression=compression)
        growth, total = streamed(path)
        assert total == cells.sum() * times
        sizes[times] = growth
    n_bytes = 30 * (cells.data.nbytes + cells.nnz * 4)
    assert sizes[40] - sizes[10] < 8 * BLOCK_BYTES < n_bytes / 4


@COMPRESSED
def test_memory__of_a_dense_matrix(tmp_path, compression):
    cells = chunk(10, seed=1).toarray()
    chunk_length = 100 if compression else None
    path = tmp_path / "a.h5ad"
    write_h5ad(
        path, cells, names(20_000), names(N_GENES), layout="dense", compression=compression, chunk_length=chunk_length
    )
    growth, total = streamed(path)
    assert total == cells.sum()
    assert growth < 16 * BLOCK_BYTES < cells.nbytes / 4


def test_memory__of_text(tmp_path):
    grown, sizes = [], []
    for n_cells in (10_000, 40_000):
        cells, folder = chunk(n_cells // 2_000, seed=2).astype(np.int64), tmp_path / str(n_cells)
        folder.mkdir()
        names(n_cells).write_csv(folder / "barcodes.tsv", include_header=False)
        names(N_GENES).write_csv(folder / "genes.tsv", include_header=False)
        growth, total = streamed(write_mtx(folder / "matrix.mtx", cells))
        assert total == cells.sum()
        grown.append(growth)
        sizes.append((folder / "matrix.mtx").stat().st_size)
    assert grown[1] - grown[0] < (sizes[1] - sizes[0]) / 4
