"""Cell Ranger's HDF5 files: what any reader promises, and what these hold."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from featurestore.errors import SourceFormatError
from ingest.readers.tenx import TenxFormat
from ingest.testing import assemble, check_reader
from layouts.tenx import write_10x_h5


def test_reader__keeps_the_contract_and_gives_what_was_written(counts, cells, genes, tmp_path):
    path = write_10x_h5(tmp_path / "a.h5", counts, cells, genes)
    check_reader(TenxFormat, path)
    reader = TenxFormat.open(path)
    np.testing.assert_array_equal(assemble(reader), counts)
    assert reader.rows().equals(cells.select("index"))
    assert reader.genes().drop("feature_type").equals(genes)


@pytest.mark.parametrize("name", ["barcodes", "features/id", "indptr", "data"])
def test_reader__refuses_parts_that_contradict_each_other(name, counts, cells, genes, tmp_path):
    path = write_10x_h5(tmp_path / "a.h5", counts, cells, genes)
    with h5py.File(path, "a") as file:
        values = file[f"matrix/{name}"][:]
        del file[f"matrix/{name}"]
        file[f"matrix/{name}"] = values[:-1]
    with pytest.raises(SourceFormatError):
        TenxFormat.open(path)
