"""Formats that hold one matrix, which has no name."""

from __future__ import annotations

from pathlib import Path

from featurestore.errors import SourceFormatError


def refuse_name(format_name: str, path: Path, matrix: str | None) -> None:
    """Refuse to open a matrix by name.

    Raises
    ------
    SourceFormatError
        One is named.
    """
    if matrix is not None:
        raise SourceFormatError(
            f"there is no matrix '{matrix}'",
            where=str(path),
            expected=f"no name of a matrix: {format_name} holds one",
            do="leave the name of the matrix out",
        )
