"""Published means times their cells are the sums, and what is not a mean count is refused."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from featurestore.errors import SourceFormatError, ValuesError
from ingest.layouts import write_h5ad
from ingest.readers.h5ad import H5adFormat
from ingest.readers.padding import zero_genes
from ingest.sums.pseudobulk import SumsOfMeans
from ingest.testing import assemble


def means(folder, values, layout="dense"):
    rows = pl.DataFrame({"index": [f"r{at}" for at in range(len(values))]})
    genes = pl.DataFrame({"index": [f"g{at}" for at in range(values.shape[1])]})
    return H5adFormat.open(write_h5ad(folder / "bulk.h5ad", values, rows, genes, layout=layout))


@settings(deadline=None, max_examples=50)
@given(
    sums=arrays.arrays(np.int64, (5, 3), elements=st.integers(0, 2_000_000)),
    cells=arrays.arrays(np.int64, 5, elements=st.integers(1, 20_000)),
    layout=st.sampled_from(["dense", "csr"]),
)
def test_sums__come_back_from_single_precision_means(tmp_path_factory, sums, cells, layout):
    published = (sums / cells[:, None]).astype(np.float32)
    reader = means(tmp_path_factory.mktemp("bulk"), published, layout)
    for block_bytes in (1, 64, 2**20):
        np.testing.assert_array_equal(assemble(SumsOfMeans(reader, cells.astype(float)), block_bytes), sums)
    reader.close()


def test_values__that_are_no_means_of_so_many_cells_are_refused(tmp_path):
    sums, cells = np.array([[7, 11], [13, 2]]), np.array([10.0, 9.0])
    reader = means(tmp_path, (sums / cells[:, None]).astype(np.float32))
    with pytest.raises(ValuesError, match="not mean counts") as caught:
        assemble(SumsOfMeans(reader, np.array([10.0, 8.0])))
    assert "x 8 cells" in str(caught.value)


def test_means__stored_by_gene_are_refused(tmp_path):
    reader = means(tmp_path, np.eye(3), "csc")
    with pytest.raises(SourceFormatError, match="stored by row"):
        assemble(SumsOfMeans(reader, np.ones(3)))


@pytest.mark.parametrize("layout", ["dense", "csr", "csc"])
def test_zero_genes__are_those_without_a_count_in_any_row(tmp_path, layout):
    values = scipy.sparse.random_array((40, 30), density=0.03, rng=np.random.default_rng(0)).toarray()
    reader = means(tmp_path, values, layout)
    is_zero = zero_genes(reader)
    np.testing.assert_array_equal(is_zero, ~values.any(axis=0))
    assert 0 < is_zero.sum() < 30
