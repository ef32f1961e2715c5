"""A format and a file of it, as checks open and copy it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from featurestore.errors import SourceFormatError
from ingest.reader import Format, Reader


@dataclass(frozen=True, slots=True)
class Case:
    """A format and a file of it.

    Parameters
    ----------
    kind
        The class that is registered under the entry point ``featurestore.readers``.
    path
        A small file, or a folder that is one matrix, of at least two genes, and of two rows where the format is not of
        one sample.
    matrix
        Which matrix of the file to read.
    knows_its_end
        Whether a file that was cut off can be told. A table of text that does not say how long it is cannot.
    """

    kind: type[Format]
    path: Path
    matrix: str | None = None
    knows_its_end: bool = True

    def open(self, path: Path | None = None) -> closing[Reader]:
        """Open the file, or another of the same layout, for a ``with`` block."""
        return closing(self.kind.open(path or self.path, matrix=self.matrix))


def require(condition: bool, promise: str) -> None:  # noqa: FBT001
    """Raise AssertionError where a promise is not kept."""
    if not condition:
        raise AssertionError(promise)


def refusal(action: Callable[[], Any]) -> SourceFormatError | None:
    """Return the error that an action is refused with, None where it is not."""
    try:
        action()
    except SourceFormatError as error:
        return error
    return None


def read_files(case: Case) -> tuple[Path, ...]:
    """List the files that are read."""
    with case.open() as reader:
        return reader.files


def copied(case: Case, folder: Path, files: Sequence[Path]) -> Path:
    """Copy a file, and those that go with it, into a folder."""
    folder.mkdir()
    for file in files:
        target = folder / file.relative_to(case.path.parent)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)
    return folder / case.path.name
