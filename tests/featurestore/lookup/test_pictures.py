"""Pictures are written whole or not at all, in the format that their name says."""

from __future__ import annotations

import errno
import os
import resource
import signal

import pytest
from matplotlib.figure import Figure

from featurestore.commands.options import PICTURES, as_picture
from featurestore.errors import FeatureStoreError
from featurestore.lookup.pictures import save

HEADS = {".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}


def figure() -> Figure:
    drawn = Figure(figsize=(2, 2))
    drawn.add_subplot().plot([0, 1], [1, 0])
    return drawn


@pytest.mark.parametrize("ending", [*PICTURES, ".PNG"])
def test_save__writes_the_format_of_the_name(ending, tmp_path):
    path = tmp_path / f"picture{ending}"
    save(figure(), path)
    assert path.read_bytes().startswith(HEADS[ending.lower()])


@pytest.mark.parametrize("ending", PICTURES)
def test_save__leaves_the_file_as_it_was_where_the_disk_is_full(ending, tmp_path):
    """A limit on the size of files stands for a full disk: what draws PDFs has a clean-up of its own, which fails."""
    path = tmp_path / f"picture{ending}"
    path.write_text("before")
    limits, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    try:
        with pytest.raises(OSError, match=os.strerror(errno.EFBIG)):
            save(figure(), path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert [each.name for each in tmp_path.iterdir()] == [path.name]
    assert path.read_text() == "before"


@pytest.mark.parametrize("name", ["picture.xyz", "picture", "picture.png.gz"])
def test_picture__whose_name_says_no_format_is_refused_before_any_work(name, tmp_path):
    with pytest.raises(FeatureStoreError, match="does not say its format") as caught:
        as_picture(None, None, tmp_path / name)
    assert (caught.value.where, caught.value.expected) == (str(tmp_path / name), ".png, .svg, .pdf")
