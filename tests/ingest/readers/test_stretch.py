"""Stretches of datasets: mapped, inflated or through HDF5, they are what HDF5 reads."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from featurestore.errors import SourceFormatError
from ingest.readers.inflate import COUNTS_USER_BLOCK
from ingest.readers.stretch import Stretch

STORED = {
    "contiguous": ({}, "_Mapped"),
    "chunked": ({"chunks": True}, "_ThroughHdf5"),
    "gzip": ({"compression": "gzip"}, "Inflated"),
    "shuffled": ({"compression": "gzip", "shuffle": True}, "Inflated"),
    "checksummed": ({"compression": "gzip", "fletcher32": True}, "_ThroughHdf5"),
    "lzf": ({"compression": "lzf"}, "_ThroughHdf5"),
}


@given(
    stored=st.sampled_from(list(STORED)),
    dtype=st.sampled_from(["<f4", "<f8", ">i4", "<u2", "<i8", "|u1"]),
    shape=st.lists(st.integers(1, 30), min_size=1, max_size=2),
    data=st.data(),
)
def test_stretch__is_what_hdf5_reads(tmp_path_factory, stored, dtype, shape, data):
    options, _ = STORED[stored]
    if options:
        options = options | {"chunks": tuple(data.draw(st.integers(1, side)) for side in shape)}
    values = np.random.default_rng(len(shape)).integers(0, 99, shape).astype(dtype)
    path = tmp_path_factory.mktemp("stretch") / "a.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("values", data=values, **options)
    with h5py.File(path) as file:
        stretch = Stretch(file["values"])
        assert len(stretch) == shape[0]
        start = 0
        while start < shape[0]:
            stop = data.draw(st.integers(start, shape[0]))
            got = stretch.read(start, stop)
            np.testing.assert_array_equal(got, values[start:stop])
            assert got.dtype == values.dtype.newbyteorder("=")
            start = max(stop, start + 1)
    path.unlink()


@pytest.mark.parametrize("stored", STORED)
def test_stretch__is_read_the_fastest_way_it_can_be(tmp_path, stored):
    options, kind = STORED[stored]
    with h5py.File(tmp_path / "a.h5", "w") as file:
        dataset = file.create_dataset("values", data=np.arange(100.0), **options)
        assert type(Stretch(dataset)._source).__name__ == kind


def test_stretch__a_chunk_that_skipped_its_filter_is_left_to_hdf5(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        dataset = file.create_dataset("values", (8,), "i4", chunks=(4,), compression="gzip")
        dataset[:4] = 1
        dataset.id.write_direct_chunk((4,), np.full(4, 2, np.int32).tobytes(), filter_mask=1)
        np.testing.assert_array_equal(Stretch(dataset).read(0, 8), [1] * 4 + [2] * 4)


@pytest.mark.parametrize("stored", STORED)
def test_stretch__behind_a_user_block_is_what_hdf5_reads(tmp_path, stored):
    """MuData puts 512 bytes of text before HDF5's own."""
    with h5py.File(tmp_path / "a.h5", "w", userblock_size=512) as file:
        file.create_dataset("values", data=np.arange(100.0), **STORED[stored][0])
    with h5py.File(tmp_path / "a.h5") as file:
        stretch = Stretch(file["values"])
        if h5py.version.hdf5_version_tuple >= COUNTS_USER_BLOCK:
            assert type(stretch._source).__name__ == STORED[stored][1]
        np.testing.assert_array_equal(stretch.read(13, 77), np.arange(13.0, 77.0))


def test_stretch__a_chunk_is_inflated_once_for_two_neighbouring_reads(tmp_path, monkeypatch):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("values", data=np.arange(100), chunks=(40,), compression="gzip")
    with h5py.File(tmp_path / "a.h5") as file:
        stretch = Stretch(file["values"])
        monkeypatch.setattr(stretch._source, "_places", CountedPlaces(stretch._source._places))
        for start in range(0, 100, 7):
            stretch.read(start, min(start + 7, 100))
        assert stretch._source._places.looked_up == [0, 1, 2]


class CountedPlaces:
    def __init__(self, places):
        self.places, self.looked_up = places, []

    def __getitem__(self, number):
        self.looked_up.append(number)
        return self.places[number]


@pytest.mark.parametrize("damage", [b"\x00" * 6, b"\x78\x9c\x03\x00\x00\x00\x00\x01"])
def test_stretch__a_damaged_chunk_names_the_dataset(tmp_path, damage):
    """Neither what cannot be inflated nor what inflates to another size passes for values."""
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        dataset = file.create_dataset("group/values", data=np.arange(64), chunks=(16,), compression="gzip")
        place = dataset.id.get_chunk_info(2)
    raw = bytearray(path.read_bytes())
    raw[place.byte_offset : place.byte_offset + len(damage)] = damage
    path.write_bytes(raw)
    with h5py.File(path) as file:
        stretch = Stretch(file["group/values"])
        np.testing.assert_array_equal(stretch.read(0, 32), np.arange(32))
        with pytest.raises(SourceFormatError, match=r"damaged(.|\n)*group/values of "):
            stretch.read(30, 40)
