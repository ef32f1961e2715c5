"""Files that a spec names: by their own name, or by a pattern of several."""

from __future__ import annotations

from pathlib import Path


def files_called(folder: Path, name: str) -> list[Path]:
    """List the files of a folder that a name or pattern is of, sorted; none where there is none.

    A file of just this name comes before what it matches as a pattern: ``plate[1].csv`` is that.
    """
    exact = folder / name
    return [exact] if exact.exists() else sorted(folder.glob(name)) if set(name) & set("*?[") else []
