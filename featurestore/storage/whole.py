"""Files and folders that are there whole or not at all, whoever is killed while they are written."""

from __future__ import annotations

import os
import re
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import polars as pl

UNFINISHED = ".part"
"""How the name of what is being written ends; it is hidden."""
_OS_ERROR = re.compile(r"\(os error (\d+)\)")
"""How polars ends what it says of an error of the system, in an exception of its own or an OSError without a number."""


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
    except (pl.exceptions.PolarsError, OSError) as error:
        code = _OS_ERROR.search(str(error))
        if code is None or (isinstance(error, OSError) and error.errno is not None):
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
    except OSError as error:
        if error.filename in {None, str(work)}:  # a library that names no file, or ours that is hidden
            error.filename = str(path)
        raise
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
    made = [each for each in (folder, *folder.parents) if not each.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    work = folder / f".{uuid.uuid4().hex}{UNFINISHED}"
    try:
        work.mkdir()
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
        for each in made:  # those that nothing came into
            with suppress(OSError):
                each.rmdir()


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
