"""Open a published file: its format is told from its content, whatever its name says."""

from __future__ import annotations

import functools
import gzip
import re
import zlib
from collections.abc import Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

from featurestore.errors import SourceFormatError, did_you_mean, first_of
from ingest.readers.describing import refuse_description
from ingest.readers.folder import matrices_in
from ingest.readers.plain_text import refuse_utf_16
from ingest.readers.ways_on import way_on

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
MAYBE_BESIDE = frozenset({TABLE, "parquet_table", "xlsx"})
"""Formats of which files may also describe what a matrix beside them holds."""
CALLED_MATRIX = re.compile(r".*\.(?:mtx(?:\.gz)?|h5ad|h5mu|loom)", re.IGNORECASE)
"""Names of files that are meant as matrices, also where they are damaged: no other file of their folder is then."""
SHOWN_NAMES = 8
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
        The file; of a Matrix Market triplet, the matrix; or the folder that holds it.
    format
        The format that the file must be of; told from its content where it is None.
    matrix
        Which matrix to read, in a file that holds several.
    layout
        How the file is laid out, as far as its format's ``takes`` has it: ``genes_in``, ``described_by``, ``tokens``.
    describes
        Of a table, which of its columns of numbers describe its rows beside those of the layout.

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
    path = find_source(path, format=format)
    found = next((kind for kind in known.values() if kind.recognises(path)), None)
    if (found is None or found.name == TABLE) and not (layout or {}).get("described_by"):
        refuse_description(path)
    if found is None:
        raise SourceFormatError(
            "the file is of no known format",
            where=str(path),
            expected=f"{'one of ' + ', '.join(known) if format is None else format}, by content",
            got=describe(path),
            do=way_on(path),
        )
    if format not in {None, found.name}:
        raise SourceFormatError(
            f"the file is declared as {format} and is {found.name}",
            where=str(path),
            expected=f"content of format {format}",
            got=f"content of format {found.name}: {describe(path)}",
            do=f'set format = "{found.name}", or leave it out',
        )
    takes: frozenset[str] = getattr(found, "takes", frozenset())
    if set(layout or ()) - takes:
        raise SourceFormatError(
            f"the layout of {found.name} is given by the format",
            where=str(path),
            got=", ".join(sorted(set(layout or ()) - takes)),
            do="leave these out of the spec: they are for other formats",
        )
    asked = {"describes": describes} if describes is not None and "described_by" in takes else {}
    return found.open(path, matrix=matrix, **(layout or {}), **asked)


def find_source(path: Path, *, format: str | None = None) -> Path:  # noqa: A002, the word of the dataset spec
    """Return the file that is meant: the path itself, or the one matrix of a folder that is no matrix as a whole.

    Raises
    ------
    SourceFormatError
        There is nothing to read, or a folder holds several matrices.
    """
    _require_content(path)
    if not path.is_dir():
        return path
    source = sources_in(path, format=format)[0]
    _require_content(source)
    return source


def sources_in(folder: Path, *, format: str | None = None) -> list[Path]:  # noqa: A002
    """List what can be read of a folder, first what is meant: the folder as a whole, or the one matrix in it.

    Raises
    ------
    SourceFormatError
        There is none, or nothing tells which of several is meant.
    """
    kinds = [kind for kind in formats() if format in {None, kind.name}]

    def holds_matrix(entry: Path) -> bool:
        is_called_so = format is None and CALLED_MATRIX.fullmatch(entry.name) is not None and entry.is_file()
        return is_called_so or any(kind.recognises(entry) for kind in kinds if kind.name not in MAYBE_BESIDE)

    def may_hold_one(entry: Path) -> bool:
        return any(kind.recognises(entry) for kind in kinds)

    if holds_matrix(folder):
        return [folder]
    found = matrices_in(folder, holds_matrix) or matrices_in(folder, may_hold_one)
    if not found:
        inside = sorted(entry.name for entry in folder.iterdir())
        raise SourceFormatError(
            "the folder holds no matrix",
            where=str(folder),
            expected=f"one file of a known format: {', '.join(kind.name for kind in kinds)}",
            got=first_of(inside, SHOWN_NAMES) or "nothing",
            do=way_on(folder),
        )
    return found


def _require_content(path: Path) -> None:
    """Refuse what is not a file with something in it that can be read."""
    if not path.exists():
        beside = sorted(entry.name for entry in path.parent.iterdir()) if path.parent.is_dir() else None
        raise SourceFormatError(
            "there is no such file",
            where=str(path),
            do=f"the folder {path.parent} does not exist" if beside is None else did_you_mean(path.name, beside),
        )
    if path.is_dir():
        return
    if not path.is_file():
        raise SourceFormatError(
            "the path is not a file", where=str(path), expected="a file or a folder", got="neither a file nor a folder"
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
