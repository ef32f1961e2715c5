from __future__ import annotations

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from featurestore.errors import SourceFormatError
from ingest.readers.hdf5_selection import read_selection

N_ROWS, N_COLUMNS = 41, 9001
LAYOUTS = {
    "contiguous": {},
    "chunked": {"chunks": (8, 1000), "compression": "gzip"},
    "big-endian": {"dtype": ">f4"},
    "integers": {"dtype": "i4"},
}


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    values = np.random.default_rng(0).integers(-1000, 1000, (N_ROWS, N_COLUMNS)).astype(np.float32)
    with h5py.File(tmp_path_factory.mktemp("selection") / "x.h5", "w") as file:
        for name, options in LAYOUTS.items():
            file.create_dataset(name, data=values.astype(options.get("dtype", "f4")), **options)
        yield file


@pytest.mark.parametrize("layout", LAYOUTS)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_selection__is_what_numpy_picks_whatever_the_layout_and_block(file, layout, data):
    rows = np.array(sorted(data.draw(st.sets(st.integers(0, N_ROWS - 1), min_size=1))))
    columns = np.array(data.draw(st.lists(st.integers(0, N_COLUMNS - 1), min_size=1, max_size=12, unique=True)))
    block_bytes = data.draw(st.sampled_from([1, 4096, 2**20]))
    blocks = list(read_selection(file[layout], rows, columns, block_bytes))
    expected = file[layout][...][np.ix_(rows, columns)]
    found = np.concatenate(blocks)
    np.testing.assert_array_equal(found, expected)
    assert found.dtype.isnative
    assert all(block.nbytes <= block_bytes or len(block) == 1 for block in blocks)


def test_chunks__are_read_only_in_the_spans_that_hold_wanted_columns(file, monkeypatch):
    read = []
    original = h5py.Dataset.__getitem__
    monkeypatch.setattr(h5py.Dataset, "__getitem__", lambda self, key: read.append(key) or original(self, key))
    columns = np.array([3, 0, 9000])
    list(read_selection(file["chunked"], np.array([0, 1, 30]), columns, 2**20))
    assert read == [
        (slice(0, 2), slice(0, 4)),
        (slice(30, 31), slice(0, 4)),
        (slice(0, 2), slice(9000, 9001)),
        (slice(30, 31), slice(9000, 9001)),
    ]


def test_truncated__is_told(tmp_path):
    path = tmp_path / "cut.h5"
    with h5py.File(path, "w") as file:
        file["x"] = np.zeros((40, 2000), np.float32)
    with h5py.File(path) as file:
        dataset = file["x"]
        with path.open("r+b") as raw:
            raw.truncate(path.stat().st_size - 8000)
        with pytest.raises(SourceFormatError, match="damaged"):
            list(read_selection(dataset, np.array([0, 39]), np.arange(2000), 2**20))
