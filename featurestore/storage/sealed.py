"""Records, tables and folders that say by checksums what they should hold, and are refused where they do not."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from featurestore.errors import WarehouseError
from featurestore.scarcity import heed_scarcity
from featurestore.storage.checksums import file_sha256
from featurestore.storage.snapshot import CHECKSUM
from featurestore.storage.whole import beside

FILES = "files"
"""The key under which a record has the checksums of the files beside it."""
SUMS = "SHA256SUMS"
_LINE = re.compile(r"([0-9a-f]{64})  ([^/\n]+)")


def file_sums(folder: Path) -> dict[str, str]:
    """Hash every file of a folder, by name."""
    return {path.name: file_sha256(path) for path in sorted(folder.iterdir())}


def sealed(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record with the checksum of what it says."""
    content: dict[str, Any] = json.loads(json.dumps(dict(record)))
    return content | {CHECKSUM: _checksum(content)}


def unsealed(record: Mapping[str, Any], path: Path, *, is_older: bool) -> dict[str, Any]:
    """Return what a record says without its checksum.

    Parameters
    ----------
    record, path
        The record, and the file it was read from.
    is_older
        Whether it looks like one of a program that wrote no checksums.

    Raises
    ------
    WarehouseError
        It says something else than when it was written.
    """
    content = {key: value for key, value in record.items() if key != CHECKSUM}
    is_whole = record[CHECKSUM] == _checksum(content) if CHECKSUM in record else is_older
    if not is_whole:
        raise WarehouseError("A record is damaged.", where=str(path), expected="what its checksum is of")
    return content


def _checksum(record: dict[str, Any]) -> str:
    text = json.dumps(record, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def write_sealed(frame: pl.DataFrame, path: Path) -> None:
    """Write a table as Parquet with the checksum of its rows, all of it or nothing.

    Raises
    ------
    OSError
        The system refuses; the file is as it was.
    """
    with beside(path) as work:
        frame.write_parquet(work, metadata={CHECKSUM: _checksum_of_rows(frame)})


def read_sealed(path: Path) -> pl.DataFrame | None:
    """Read a table that was written with the checksum of its rows; None of one that has none.

    Raises
    ------
    WarehouseError
        It cannot be read, or has other rows than were written.
    """
    try:
        expected = pl.read_parquet_metadata(path).get(CHECKSUM)
        frame = pl.read_parquet(path, glob=False)
    except (OSError, pl.exceptions.PolarsError) as error:
        heed_scarcity(error)
        raise WarehouseError("A table is damaged.", where=str(path), got=" ".join(str(error).split())) from None
    if expected is None:
        return None
    if (found := _checksum_of_rows(frame)) != expected:
        raise WarehouseError("A table is damaged.", where=str(path), expected=f"rows of sha256 {expected}", got=found)
    return frame


def _checksum_of_rows(frame: pl.DataFrame) -> str:
    text = json.dumps([frame.columns, frame.rows()], default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def differing(folder: Path, sums: Mapping[str, str]) -> list[str]:
    """Name the files of a folder that are missing, or do not have the checksums that they should."""
    return [name for name, expected in sums.items() if not _has(folder / name, expected)]


def _has(path: Path, expected: str) -> bool:
    try:
        return file_sha256(path) == expected
    except OSError as error:
        heed_scarcity(error)
        return False


def write_sums(folder: Path) -> None:
    """Write the checksums of a folder's files beside them, as ``sha256sum -c SHA256SUMS`` reads them."""
    lines = [f"{checksum}  {name}\n" for name, checksum in file_sums(folder).items()]
    (folder / SUMS).write_text("".join(lines), encoding="utf-8")


def read_sums(folder: Path) -> dict[str, str] | None:
    """Read the checksums of a folder's files; None where there are none.

    Raises
    ------
    WarehouseError
        A line is none.
    """
    path = folder / SUMS
    if not path.is_file():
        return None
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    found = [_LINE.fullmatch(line) for line in lines]
    if not all(found):
        do = "write the files again"
        raise WarehouseError("A list of checksums is damaged.", where=str(path), expected="lines of sha256sum", do=do)
    return {match[2]: match[1] for match in found if match}
