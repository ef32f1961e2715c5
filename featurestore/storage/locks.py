"""Who is using a warehouse: locks that end with the process that holds them, however it ends.

All are advisory locks on open files (``flock``), so a killed process leaves none behind, on one machine or over NFS.

- A reader holds the file of its snapshot, shared. Nothing waits for it; ``gc`` only asks, and holds what it removes.
- A writer holds ``owner`` in its own folder under ``staging/``, from its creation to its end.
- Publishing, which takes milliseconds, and ``gc`` hold ``publishing.lock``, one at a time; it is gone when they are.
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from featurestore.errors import WarehouseError
from featurestore.storage.folders import listed
from featurestore.storage.snapshot import STAGING, Snapshot, read_snapshot, snapshot_path

PUBLISHING = "publishing.lock"
OWNER = "owner"
LONGEST_WAIT = 60.0
"""How long a writer waits for another to publish, and a reader for ``gc``. Unit: seconds."""
GRACE = 24 * 3600.0
"""How long a staging folder of another machine stays, where its lock cannot be trusted alone. Unit: seconds."""
_BETWEEN_TRIES = 0.01
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL, errno.EBADF)


def try_lock(descriptor: int, *, shared: bool = False) -> bool | None:
    """Lock an open file without waiting: True if locked, False if another has it, None where there are no locks."""
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno in _NO_LOCKS:
            return None
        raise
    return True


def is_in_place(descriptor: int, path: Path) -> bool:
    """Say whether an open file is still what the path names: another process may have removed it meanwhile."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def own(folder: Path) -> int | None:
    """Lock the mark of a folder's owner, made if need be, until the descriptor that is given is closed.

    Returns
    -------
    None where another process has it, or has removed it.

    Raises
    ------
    OSError
        There is no such folder, or nothing can be written there.
    """
    descriptor = os.open(folder / OWNER, os.O_RDWR | os.O_CREAT, 0o666)
    if try_lock(descriptor) is False or not is_in_place(descriptor, folder / OWNER):
        os.close(descriptor)
        return None
    return descriptor


def hold_snapshot(
    root: Path, number: int | None = None, *, seconds: float = LONGEST_WAIT
) -> tuple[Snapshot, int | None]:
    """Read a snapshot and keep ``gc`` from removing it until the given descriptor is closed.

    Raises
    ------
    WarehouseError
        As :func:`featurestore.storage.snapshot.read_snapshot`, or ``gc`` holds it all these seconds.
    """
    deadline = time.monotonic() + seconds
    while True:
        snapshot = read_snapshot(root, number)
        path = snapshot_path(root, snapshot.number)
        try:
            descriptor = os.open(path, os.O_RDONLY)
        except FileNotFoundError:
            if snapshot.number == 0:
                return snapshot, None
            continue  # removed since it was read: whoever asks for it by number is now told so
        if try_lock(descriptor, shared=True) is not False and is_in_place(descriptor, path):
            return snapshot, descriptor
        os.close(descriptor)
        if time.monotonic() > deadline:
            raise WarehouseError(
                "The snapshot is being removed.",
                where=str(path),
                got=f"gc held it for {seconds:.0f} s",
                do="try again; if no featurestore gc is running on any machine, see whether one is stopped",
            )
        time.sleep(_BETWEEN_TRIES)


@contextmanager
def publishing(root: Path, *, seconds: float = LONGEST_WAIT, needs_locks: bool = False) -> Iterator[None]:
    """Be the only one to publish or collect in a warehouse.

    Parameters
    ----------
    root
        The warehouse; it exists.
    seconds
        How long to wait for another.
    needs_locks
        Whether to refuse a file system without locks. Publishing does well without: a snapshot is created exclusively.

    Raises
    ------
    WarehouseError
        Another process holds the lock all the time, or there are no locks.
    """
    path = root / PUBLISHING
    deadline = time.monotonic() + seconds
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        taken = try_lock(descriptor)
        if taken is not False and is_in_place(descriptor, path):
            break
        os.close(descriptor)
        if time.monotonic() > deadline:
            raise WarehouseError(
                "Another process is publishing.",
                where=str(path),
                got=f"no answer in {seconds:.0f} s",
                do="try again; if no featurestore is running on any machine, see whether one is stopped",
            )
        time.sleep(_BETWEEN_TRIES)
    try:
        if taken is None and needs_locks:
            raise WarehouseError(
                "The file system keeps no locks.",
                where=str(root),
                do="run this on the machine that holds the disk, while nothing else uses the warehouse",
            )
        yield
    finally:
        try:
            path.unlink(missing_ok=True)
        finally:
            os.close(descriptor)


def owner_text() -> str:
    """Say who works in a staging folder: machine and process."""
    return f"{socket.gethostname()} {os.getpid()}\n"


def abandoned(root: Path) -> list[Path]:
    """List the staging folders whose process has ended; see :func:`claim`."""
    found = []
    for folder in listed(root / STAGING, "*"):
        descriptor = _lock_of_the_dead(folder, os.O_RDONLY)
        if descriptor is not None:
            os.close(descriptor)
        if descriptor is not None or not (folder / OWNER).exists():
            found.append(folder)
    return found


def claim(folder: Path) -> int | None:
    """Take over a staging folder whose process has ended, to remove it; None where the process may live.

    The lock of a dead process is free. A folder made on another machine must also be untouched for a day: over some
    network file systems a machine does not see the locks of others.
    """
    return _lock_of_the_dead(folder, os.O_RDWR | os.O_CREAT)


def _lock_of_the_dead(folder: Path, how: int) -> int | None:
    try:
        descriptor = os.open(folder / OWNER, how, 0o666)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return None
    taken = try_lock(descriptor)
    machine = os.read(descriptor, len(owner_text()) + 1).decode("utf-8", "replace").split()[:1]
    is_ours = taken is True and machine in ([], [socket.gethostname()])
    is_dead = taken is not False and (is_ours or idle_seconds(folder) > GRACE)
    if is_dead and is_in_place(descriptor, folder / OWNER):
        return descriptor
    os.close(descriptor)
    return None


def idle_seconds(folder: Path) -> float:
    """Return how long ago a file, or anything in a folder, was last written. Unit: seconds."""
    times = [0.0]
    for path in (folder, *folder.rglob("*")):
        with suppress(FileNotFoundError):
            times.append(path.lstat().st_mtime)
    return time.time() - max(times)
