"""Files that are there whole or not at all, and records that say what they and the files beside them should hold."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import polars as pl

from featurestore.errors import WarehouseError
from featurestore.storage.snapshot import CHECKSUM, file_sha256

FILES = "files"
UNFINISHED = ".part"
"""How the name of what is being written ends; it is hidden."""
SUMS = "SHA256SUMS"
_LINE = re.compile(r"([0-9a-f]{64})  ([^/\n]+)")
_OS_ERROR = re.compile(r"\(os error (\d+)\)")
"""How polars ends what it says of an error of the system."""


@contextmanager
def system_errors() -> Iterator[None]:
    """Raise what the system refuses to polars as it refuses it to all others.

    Raises
    ------
    OSError
        The disk is full, or it cannot be written.
    """
    try:
        yield
    except pl.exceptions.PolarsError as error:
        code = _OS_ERROR.search(str(error))
        if code is None:
            raise
        raise OSError(int(code[1]), os.strerror(int(code[1]))) from error


@contextmanager
def beside(path: Path) -> Iterator[Path]:
    """Give a place beside a file to write to; what is written takes the file's place once it is whole and on the disk.

    What is no file, such as a pipe, is written to as it is.

    Raises
    ------
    OSError
        The system refuses; the file is as it was.
    """
    if path.exists() and not path.is_file():
        yield path
        return
    path = path.resolve()
    work = path.with_name(f".{uuid.uuid4().hex}{UNFINISHED}")
    try:
        with system_errors():
            yield work
        flush(work)
        if path.exists():
            shutil.copymode(path, work)
        work.replace(path)
        flush(path.parent)
    finally:
        work.unlink(missing_ok=True)


def create(path: Path, text: str) -> bool:
    """Create a file of a text; say False where there is one.

    Raises
    ------
    OSError
        The system refuses; there is no file.
    """
    work = path.with_name(f".{uuid.uuid4().hex}{UNFINISHED}")
    try:
        work.write_text(text, encoding="utf-8")
        flush(work)
        os.link(work, path)
        flush(path.parent)
    except FileExistsError:
        return False
    finally:
        work.unlink(missing_ok=True)
    return True


@contextmanager
def filled(folder: Path, last: str) -> Iterator[Path]:
    """Give a folder to write files to, which come into ``folder`` once all are whole; files of others stay.

    Parameters
    ----------
    folder
        Made where it is missing.
    last
        The file that says that all others are there: it goes first and comes last. One more of its name that ends in
        ``.part`` says in between that the others are ours.

    Raises
    ------
    OSError
        The system refuses; the files are as they were.
    """
    folder.mkdir(parents=True, exist_ok=True)
    work = folder / f".{uuid.uuid4().hex}{UNFINISHED}"
    work.mkdir()
    try:
        with system_errors():
            yield work
        names = sorted((path.name for path in work.iterdir()), key=lambda name: (name == last, name))
        for name in names:
            flush(work / name)
        (folder / f"{last}{UNFINISHED}").touch()
        (folder / last).unlink(missing_ok=True)
        for name in names:
            (work / name).replace(folder / name)
        (folder / f"{last}{UNFINISHED}").unlink()
        flush(folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def take_place(work: Path, folder: Path) -> None:
    """Put a finished folder where another may be: whoever is killed meanwhile leaves one of them, or none.

    Raises
    ------
    OSError
        The system refuses, or another process is faster.
    """
    old = folder.with_name(f".{uuid.uuid4().hex}{UNFINISHED}")
    with suppress(FileNotFoundError):
        folder.rename(old)
    work.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def flush(path: Path) -> None:
    """Bring a file's bytes, or a folder's entries, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


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
        frame = pl.read_parquet(path)
    except (OSError, pl.exceptions.PolarsError) as error:
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
    except FileNotFoundError:
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
