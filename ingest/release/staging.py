"""A folder to work in, of one process: everything in it is gone at the end, whether the work succeeded or not."""

from __future__ import annotations

import errno
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from featurestore.errors import WarehouseError
from featurestore.storage.locks import OWNER, own, owner_text
from featurestore.storage.snapshot import STAGING
from featurestore.storage.whole import flush, system_errors

_REFUSALS = {
    errno.ENOSPC: "The disk is full.",
    errno.EDQUOT: "The disk quota is used up.",
    errno.EROFS: "The disk can only be read.",
    errno.EACCES: "A file or folder cannot be written.",
    errno.EPERM: "A file or folder cannot be written.",
    errno.EXDEV: "A folder leads to another disk, and nothing is moved from one to another.",
}


@contextmanager
def staging(root: Path) -> Iterator[Path]:
    """Give a folder to work in; whatever it still holds at the end is removed, and the folders made for it too.

    Raises
    ------
    WarehouseError
        The disk is full or read-only, or another fault of the system ended the work.
    """
    made = [folder for folder in (root, *root.parents) if not folder.exists()]
    with telling_refusal(root):
        try:
            folder, owner = _own(root)
            try:
                yield folder
            finally:
                clear(folder, owner)
        finally:
            for parent in (root / STAGING, *made):
                with suppress(OSError):
                    parent.rmdir()


@contextmanager
def telling_refusal(root: Path) -> Iterator[None]:
    """Raise what the system refuses, space or permission, as one error, whichever library was refused."""
    try:
        with system_errors():
            yield
    except OSError as error:
        raise WarehouseError(
            _REFUSALS.get(error.errno or 0, "The system could not read or write a file."),
            where=str(error.filename or root),
            got=error.strerror or str(error),
            do="mend that and try again; featurestore doctor shows space and permissions",
        ) from error


def clear(folder: Path, owner: int) -> None:
    """Remove a staging folder that this process owns; the mark of its owner goes last."""
    try:
        with suppress(OSError):
            for entry in folder.iterdir():
                if entry.is_dir() and not entry.is_symlink():
                    shutil.rmtree(entry, ignore_errors=True)
                elif entry.name != OWNER:
                    entry.unlink()
            (folder / OWNER).unlink(missing_ok=True)
            folder.rmdir()
    finally:
        os.close(owner)


def make_folder(path: Path) -> None:
    """Make a folder and those above it so that they outlast a loss of power."""
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    path.mkdir(parents=True, exist_ok=True)
    for folder in missing:
        flush(folder.parent)


def _own(root: Path) -> tuple[Path, int]:
    """Make a folder and lock the mark of its owner, anew if it was removed in between by whoever found it empty."""
    while True:
        folder = root / STAGING / uuid.uuid4().hex
        try:
            folder.mkdir(parents=True)
            owner = own(folder)
        except FileNotFoundError:
            continue
        except OSError:
            with suppress(OSError):
                folder.rmdir()
            raise
        if owner is None:
            continue
        try:
            os.write(owner, owner_text().encode())
        except BaseException:
            clear(folder, owner)
            raise
        return folder, owner
