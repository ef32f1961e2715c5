#!/bin/sh
# Finding: AnnData reads a Zarr store of which files of counts were not copied, as zeros, without a word.
# Tools: anndata 0.12.19, zarr 3.1.6
# Seen: a chunk or shard that is not there is full of the fill value in Zarr, and AnnData takes it so. Shape, indptr and
#   the number of stored values stay what they were; of a lost file of indices, all counts are in the first gene.
# Output: of 20 files of X/data one is removed: 2,000 stored values as before, 1,900 of them above 0, the sum 4,730 instead
#   of 5,000. Of X/indices one is removed: 10 cells have all of their counts in the first gene.
# Guess: a store that was copied in part fails to open, as a cut HDF5 file does.
# Means: a Zarr store is many files, and one copied in part passes for data with fewer counts. Count the files of each
#   array against its shape, or look for stored zeros and for genes that a cell has twice.
# Upstream: an absent chunk is the fill value by Zarr's specification; no issue of AnnData on it is known.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q anndata==0.12.19 zarr==3.1.6 numpy==2.4.6 pandas==2.3.3 scipy==1.17.1
cat > "$work/check.py" <<'PYTHON'
import sys
import warnings
from pathlib import Path

import anndata
import numpy as np
import scipy.sparse
import zarr

warnings.simplefilter("ignore")
store = Path(sys.argv[1]) / "cells.zarr"
dense = np.zeros((200, 50), np.float32)
for cell in range(200):
    dense[cell, np.arange(10) * 5 + cell % 5] = 1 + cell % 4


def main():
    anndata.settings.zarr_write_format = 3
    anndata.AnnData(scipy.sparse.csr_matrix(dense)).write_zarr(store)
    root = zarr.open_group(store, mode="r+", use_consolidated=False)
    anndata.io.write_elem(root, "X", scipy.sparse.csr_matrix(dense), dataset_kwargs={"chunks": (100,)})
    zarr.consolidate_metadata(store)
    whole = anndata.read_zarr(store).X
    assert (whole.toarray() == dense).all() and len(list((store / "X/data/c").iterdir())) == 20

    (store / "X/data/c/7").rename(store.parent / "data")
    lost = anndata.read_zarr(store).X
    print(f"X/data/c/7 lost:    {lost.nnz:,} stored values, {(lost.data > 0).sum():,} above 0; sum {lost.sum():,.0f}")
    print(f"                    the whole has {whole.nnz:,}, {(whole.data > 0).sum():,} above 0; sum {whole.sum():,.0f}")
    assert lost.nnz == whole.nnz == 2000 and (lost.data > 0).sum() == 1900 and lost.shape == whole.shape
    (store.parent / "data").rename(store / "X/data/c/7")

    (store / "X/indices/c/7").unlink()
    moved = anndata.read_zarr(store).X
    cells = [cell for cell in range(200) if set(moved[cell].indices) == {0}]
    print(f"X/indices/c/7 lost: {len(cells)} cells have all their counts in the first gene; sum {moved.sum():,.0f}")
    assert cells == list(range(70, 80)) and moved.sum() == whole.sum()


main()
PYTHON
"$work/venv/bin/python" "$work/check.py" "$work"
