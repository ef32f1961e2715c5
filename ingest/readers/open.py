"""Open a published file: its format is told from its content, whatever its name says."""

from __future__ import annotations

import functools
import gzip
import zlib
from collections.abc import Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

from featurestore.errors import SourceFormatError, did_you_mean
from ingest.readers.describing import refuse_description
from ingest.readers.plain_text import refuse_utf_16

if TYPE_CHECKING:
    from ingest.reader import Format, Reader
    from ingest.readers.columns import Describes

ENTRY_POINTS = "featurestore.readers"

MARKS = {
    b"\x89HDF\r\n\x1a\n": "HDF5",
    b"PK\x03\x04": "a zip archive",
    b"PAR1": "a Parquet table",
    b"RDX": "an R data file",
    b"BZh": "bzip2",
    b"\x28\xb5\x2f\xfd": "zstd",
}
GZIP = b"\x1f\x8b"
TABLE = "table"
SHOWN = 48
"""How much of an unknown file an error shows. Unit: bytes."""


@functools.cache
def formats() -> tuple[type[Format], ...]:
    """List the formats that are installed, by name; looked for once."""
    return tuple(point.load() for point in sorted(entry_points(group=ENTRY_POINTS), key=lambda point: point.name))


def open_source(
    path: Path | str,
    *,
    format: str | None = None,  # noqa: A002, the word of the dataset spec
    matrix: str | None = None,
    layout: Mapping[str, Any] | None = None,
    describes: Describes | None = None,
) -> Reader:
    """Open a file with the reader of its format.

    Parameters
    ----------
    path
        The file; of a Matrix Market triplet, the matrix.
    format
        The format that the file must be of; told from its content where it is None.
    matrix
        Which matrix to read, in a file that holds several.
    layout
        How a table is laid out, as its format's ``open`` takes it: ``genes_in``, ``described_by``.
    describes
        Of a table, which of its columns of numbers describe its lines beside those of the layout.

    Raises
    ------
    SourceFormatError
        There is no such file, its format is not known or not the one declared, it is damaged, or it only describes
        what another file measured.
    """
    path = Path(path)
    known = {kind.name: kind for kind in formats()}
    if format is not None and format not in known:
        raise SourceFormatError(f"there is no format '{format}'", where=str(path), do=did_you_mean(format, known))
    _require_content(path)
    found = next((kind for kind in known.values() if kind.recognises(path)), None)
    if (found is None or found.name == TABLE) and not (layout or {}).get("described_by"):
        refuse_description(path)
    if found is None:
        raise SourceFormatError(
            "the file is of no known format",
            where=str(path),
            expected=f"{'one of ' + ', '.join(known) if format is None else format}, by content",
            got=describe(path),
            do="decompress or convert it, or install a package that reads it",
        )
    if format not in {None, found.name}:
        raise SourceFormatError(
            f"the file is declared as {format} and is {found.name}",
            where=str(path),
            expected=f"content of format {format}",
            got=f"content of format {found.name}: {describe(path)}",
            do=f'set format = "{found.name}", or leave it out',
        )
    if layout and not getattr(found, "takes_layout", False):
        raise SourceFormatError(
            f"the layout of {found.name} is given by the format",
            where=str(path),
            got=", ".join(layout),
            do="leave genes_in under [dataset] and columns under [rows] and [genes] out",
        )
    asked = {"describes": describes} if describes is not None and getattr(found, "takes_layout", False) else {}
    return found.open(path, matrix=matrix, **(layout or {}), **asked)


def _require_content(path: Path) -> None:
    """Refuse what is not a file with something in it that can be read."""
    if not path.exists():
        beside = sorted(entry.name for entry in path.parent.iterdir()) if path.parent.is_dir() else None
        raise SourceFormatError(
            "there is no such file",
            where=str(path),
            do=f"the folder {path.parent} does not exist" if beside is None else did_you_mean(path.name, beside),
        )
    if not path.is_file():
        inside = sorted(entry.name for entry in path.iterdir()) if path.is_dir() else []
        raise SourceFormatError(
            "the path is not a file",
            where=str(path),
            expected="a file",
            got=f"a folder of {', '.join(inside[:8]) or 'nothing'}" if path.is_dir() else "neither a file nor a folder",
            do="name the file itself; of a Matrix Market triplet, the matrix",
        )
    try:
        with path.open("rb") as file:
            beginning = file.read(2)
    except OSError as error:
        raise SourceFormatError("the file cannot be read", where=str(path), got=str(error.strerror)) from error
    refuse_utf_16(beginning, path)
    if not beginning:
        raise SourceFormatError("the file is empty", where=str(path), got="0 bytes", do="fetch the file again")


def describe(path: Path) -> str:
    """Say what a file begins with: a known mark, text, or bytes."""
    with path.open("rb") as file:
        head = file.read(SHOWN)
    if head.startswith(GZIP):
        return f"gzip, inside it {_begins(_inflated(path))}"
    return _begins(head)


def _inflated(path: Path) -> bytes:
    try:
        with gzip.open(path) as file:
            return file.read(SHOWN)
    except (OSError, EOFError, zlib.error):
        return b""


def _begins(head: bytes) -> str:
    for mark, name in MARKS.items():
        if head.startswith(mark):
            return name
    line = head.split(b"\n")[0].rstrip(b"\r")
    if line and all(byte >= ord(" ") or byte == ord("\t") for byte in line):
        return f"text that begins {line.decode('latin-1')!r}"
    return f"bytes that begin {head[:8].hex(' ')}" if head else "nothing"
