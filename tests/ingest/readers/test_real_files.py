"""Published files, as their publishers wrote them, against AnnData, SciPy and each other."""

from __future__ import annotations

import anndata
import numpy as np
import polars as pl
import pytest
import scipy.io

from featurestore.errors import SourceFormatError
from ingest.readers.gct import GctFormat
from ingest.readers.gctx import GctxFormat
from ingest.readers.h5ad import H5adFormat
from ingest.readers.mtx import MtxFormat
from ingest.readers.open import open_source


@pytest.mark.parametrize(
    "name",
    [
        "perturb_seq/papalexi2021_thp1_raw.h5ad",
        "perturb_seq/norman2019_mcfaline2023_lognorm.h5ad",
        "drug_seq/zhao2021_gbm_panobinostat_raw.h5ad",
    ],
)
def test_h5ad__same_as_anndata_reads_it(real_data, read_matrix, name):
    oracle = anndata.read_h5ad(real_data / name)
    reader = H5adFormat.open(real_data / name)
    assert reader.format == "h5ad (csr, gzip)"
    np.testing.assert_array_equal(read_matrix(reader, 500_000), oracle.X.toarray())
    for table, expected in ((reader.rows(), oracle.obs), (reader.genes(), oracle.var)):
        assert table["index"].to_list() == expected.index.to_list()
        assert table.columns[1:] == list(expected.columns)
        for column in expected.columns:
            assert table[column].to_list() == expected[column].to_list()
    reader.close()


def test_mtx__datlinger_same_as_scipy_reads_it(real_data, read_matrix):
    path = real_data / "perturb_seq" / "datlinger2017" / "matrix.mtx"
    reader = MtxFormat.open(path)
    assert (reader.n_rows, reader.n_genes) == (7500, 2000)
    np.testing.assert_array_equal(read_matrix(reader, 200_000), scipy.io.mmread(path, spmatrix=False).toarray().T)
    rows = reader.rows(["index", "perturbation", "cancer", "ncounts"])
    assert rows.dtypes == [pl.String, pl.String, pl.Boolean, pl.Int64]
    assert rows.filter(pl.col("perturbation") == "control").height == 200
    assert reader.genes()["index"].to_list()[:2] == ["LINC02812", "NKX3-1"]
    reader.close()


def test_gctx__the_text_twin_gives_the_same_rows(real_data, read_matrix):
    """The text was written with four decimals, and the HDF5 file with float32."""
    twin = GctxFormat.open(real_data / "lincs" / "modzs_n272x978.gctx")
    text = GctFormat.open(real_data / "lincs" / "modzs_n272x978.gct")
    np.testing.assert_allclose(read_matrix(text, 100_000), read_matrix(twin), rtol=0, atol=5.1e-5)
    for expected, got in ((twin.rows(), text.rows()), (twin.genes(), text.genes())):
        assert set(got.columns) == set(expected.columns)
        for column in expected:
            same = got[column.name].cast(column.dtype)
            if column.dtype.is_float():
                np.testing.assert_allclose(same, column, atol=5.1e-5)
            else:
                assert same.to_list() == column.to_list()
    assert set(twin.rows(["pert_idose"])["pert_idose"]) == {"100 nM", "500 nM", "1 µM", "3 µM", "10 µM"}
    twin.close()
    text.close()


def test_gctx__level_5_has_identifiers_only(real_data, read_matrix):
    reader = GctxFormat.open(real_data / "lincs" / "level5_gse92742_n2x12328.gctx")
    assert reader.row_columns() == reader.genes().columns == ["index"]
    assert reader.genes()["index"].to_list()[:2] == ["5720", "466"]
    assert read_matrix(reader, 10_000).shape == (2, 12328)
    reader.close()


def test_gctx__level_4_marks_what_is_missing_with_minus_666(real_data):
    reader = GctxFormat.open(real_data / "lincs" / "level4_plate_n377x978.gctx")
    vehicles = reader.rows(["pert_type", "pert_idose", "pert_time"]).filter(pl.col("pert_type") == "ctl_vehicle")
    assert vehicles.height == 26
    assert vehicles["pert_idose"].null_count() == 26
    assert vehicles["pert_time"].to_list() == [24] * 26
    reader.close()


def test_open_source__tells_text_under_the_name_of_hdf5(real_data):
    path = real_data / "lincs" / "gct_text_named.gctx"
    reader = open_source(path)
    assert (reader.format, reader.n_rows, reader.n_genes) == ("gct", 377, 978)
    reader.close()
    with pytest.raises(SourceFormatError, match="declared as gctx and is gct"):
        open_source(path, format="gctx")
    with pytest.raises(SourceFormatError, match="of no known format"):
        open_source(real_data / "README.md")
