"""AnnData as anndata-rs writes it: compressed with blosc, which hdf5plugin undoes, the root without attributes."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from featurestore.errors import SourceFormatError
from ingest.layouts import write_h5ad
from ingest.readers import hdf5
from ingest.readers.h5ad import H5adFormat
from ingest.testing import assemble

BLOSC = 32001


@pytest.fixture
def path(tmp_path, counts, cells, genes):
    """A file as of snapatac2 2.9: blosc, no mark, the key called ``index``."""
    hdf5plugin = pytest.importorskip("hdf5plugin")
    path = write_h5ad(tmp_path / "a.h5ad", counts, cells, genes)
    with h5py.File(path, "r+") as file:
        file.attrs.clear()
        for table in ("obs", "var"):
            file[table].move("_index", "index")
            file[table].attrs["_index"] = "index"
        for name in ("data", "indices", "indptr"):
            values = file["X"][name][...]
            del file["X"][name]
            file["X"].create_dataset(name, data=values, chunks=(16,), **hdf5plugin.Blosc(cname="zstd"))
    return path


def test_blosc__is_read_with_hdf5plugin(path, counts, cells):
    assert H5adFormat.recognises(path)
    reader = H5adFormat.open(path)
    assert reader.format == "h5ad (csr, blosc)"
    np.testing.assert_array_equal(assemble(reader, 300), counts)
    assert reader.rows(["index"])["index"].equals(cells["index"])
    reader.close()


def test_blosc__without_hdf5plugin_says_what_to_install(path, monkeypatch):
    def is_there(code):
        return code != BLOSC

    def absent(name):
        raise ImportError(name)

    hdf5._is_available.cache_clear()
    monkeypatch.setattr(h5py.h5z, "filter_avail", is_there)
    monkeypatch.setattr(hdf5, "import_module", absent)
    with pytest.raises(SourceFormatError, match=r"(?s)not installed.*filter 32001.*\[filters\]"):
        H5adFormat.open(path)
    hdf5._is_available.cache_clear()
