"""What is in a folder of the warehouse: one that may not be read is never taken for an empty one."""

from __future__ import annotations

import os
import shlex
from contextlib import suppress
from fnmatch import fnmatchcase
from pathlib import Path

from featurestore.errors import WarehouseError
from featurestore.scarcity import heed_scarcity


def listed(folder: Path, *patterns: str) -> list[Path]:
    """List what lies in a folder, sorted; nothing where there is no such folder.

    Parameters
    ----------
    folder
        Where to look.
    patterns
        What names match, a pattern for each level: of ``"dataset_id=*", "release_id=*"`` the second is for what lies in
        folders of the first. Of names that begin with a dot, ``*`` takes none.

    Raises
    ------
    WarehouseError
        A folder is there and cannot be read: what ``Path.glob`` takes for an empty one.
    """
    found = [folder]
    for pattern in patterns:
        found = [path for each in found for path in _entries(each) if _matches(path.name, pattern)]
    return sorted(found)


def permission(path: Path) -> str:
    """Say how whoever runs this comes to read a file or folder: by the least that its owner can grant."""
    for each in (path, *path.parents):  # of what lies in a folder that may not be entered, that folder
        with suppress(OSError):
            status, path = each.lstat(), each
            break
    else:
        return f"ask its owner to let you read it: {path}"
    named = shlex.quote(str(path))
    if status.st_uid == os.geteuid():
        return f"let yourself read it: chmod -R u+rX {named}"
    whom = "g" if status.st_gid in {os.getegid(), *os.getgroups()} else "o"
    return f"ask its owner to let you read it: chmod -R {whom}+rX {named}"


def is_there(path: Path) -> bool:
    """Say whether there is anything of this name; of what may not be looked at, reading it tells more."""
    try:
        path.lstat()
    except OSError as error:
        return not isinstance(error, FileNotFoundError | NotADirectoryError)
    return True


def _entries(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        heed_scarcity(error)
        raise WarehouseError(
            "A folder of the warehouse cannot be read.",
            where=str(folder),
            got=error.strerror or str(error),
            do=permission(folder) if isinstance(error, PermissionError) else "mend the disk, or take it from a backup",
        ) from None


def _matches(name: str, pattern: str) -> bool:
    return fnmatchcase(name, pattern) and (not name.startswith(".") or pattern.startswith("."))
