"""Text of a small file that would fill the memory is refused before it does."""

from __future__ import annotations

import gzip
import io

import pytest

from featurestore.errors import SourceFormatError
from ingest.readers import plain_text
from ingest.readers.plain_text import refuse_bomb, text_lines, whole_text


@pytest.fixture
def bomb(tmp_path, monkeypatch):
    monkeypatch.setattr(plain_text, "BOMB_BYTES", 10_000)
    path = tmp_path / "x.tsv.gz"
    path.write_bytes(gzip.compress(b"a\tb\n" + b"1\t2\n" * 1_000_000))
    return path


def test_bomb__is_refused_before_it_is_read_as_a_whole(bomb):
    for read in (refuse_bomb, whole_text):
        with pytest.raises(SourceFormatError, match="holds more than a table can"):
            read(bomb)


def test_table__that_compresses_well_is_none(bomb):
    bomb.write_bytes(gzip.compress(b"\n".join(b"AAACCTGAGAAACCAT-%d\tcontrol" % at for at in range(9000))))
    assert len(whole_text(bomb)) > plain_text.BOMB_BYTES
    assert whole_text(bomb).startswith(b"AAACCTGAGAAACCAT-0\t")


def test_line__without_end_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(plain_text, "LONGEST_LINE", 100)
    assert list(text_lines(io.BytesIO(b"a\n" + b"b" * 100), tmp_path)) == [b"a\n", b"b" * 100]
    with pytest.raises(SourceFormatError, match="longer than a line of text can be"):
        list(text_lines(io.BytesIO(b"a\n" + b"b" * 101), tmp_path))
