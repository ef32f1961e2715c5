"""Files that were cut off or overwritten: a reader says so, and fails in no other way."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np
import polars as pl

from featurestore.errors import SourceFormatError
from ingest.reader import Block
from ingest.testing.case import Case, copied, read_files, require

Content: TypeAlias = tuple[pl.DataFrame, pl.DataFrame, list[Block]]
"""All that a file holds: its rows, its genes, and its matrix."""
CUTS = (0.02, 0.3, 0.6, 0.95)
"""Where a file is cut off, as shares of its length."""
N_OVERWRITTEN = 12
MOST_DAMAGED = 12
"""How many files of a folder are damaged, one at a time, always the same."""
SCRAMBLED = b"\xff\x00\xa5"


def check_damage(case: Case) -> None:
    """Require that a file that was cut off or overwritten raises a SourceFormatError, never another error."""
    beside = read_files(case)
    files = beside if case.path.is_dir() else (case.path,)
    rng = np.random.default_rng(0)
    if len(files) > MOST_DAMAGED:
        files = tuple(files[at] for at in rng.permutation(len(files))[:MOST_DAMAGED].tolist())
    content = _read_all(case, case.path)
    for file in files:
        whole = file.read_bytes()
        for cut in CUTS:
            found = _damaged(case, beside, file, whole[: int(len(whole) * cut)])
            if case.knows_its_end:
                is_told = isinstance(found, SourceFormatError) or (case.path.is_dir() and _are_same(found, content))
                require(is_told, f"{file.name} cut off at {cut:.0%} of its length is read as if it were whole")
        for place in rng.integers(0, max(1, len(whole) - len(SCRAMBLED)), -(-N_OVERWRITTEN // len(files))).tolist():
            _damaged(case, beside, file, whole[:place] + SCRAMBLED + whole[place + len(SCRAMBLED) :])


def _damaged(case: Case, files: Sequence[Path], file: Path, content: bytes) -> Content | SourceFormatError:
    """Read all there is to read of a copy of which one file is damaged, or return what is said of it."""
    with tempfile.TemporaryDirectory() as scratch:
        path = copied(case, Path(scratch) / "damaged", files)
        (path.parent / file.relative_to(case.path.parent)).write_bytes(content)
        try:
            return _read_all(case, path)
        except SourceFormatError as error:
            return error


def _read_all(case: Case, path: Path) -> Content:
    if not case.kind.recognises(path):
        raise SourceFormatError("no longer recognised", where=str(path))
    with case.open(path) as reader:
        return reader.rows(), reader.genes(), list(reader.blocks())


def _are_same(one: Content | SourceFormatError, other: Content) -> bool:
    """Say whether two readings are of the same content; a part of a folder may not be needed."""
    if isinstance(one, SourceFormatError) or not (one[0].equals(other[0]) and one[1].equals(other[1])):
        return False
    pairs = [
        (getattr(block, name), getattr(like, name))
        for block, like in zip(one[2], other[2], strict=True)
        for name in ("indptr", "indices", "data", "values")
        if hasattr(block, name)
    ]
    return all(np.array_equal(*pair, equal_nan=pair[0].dtype.kind == "f") for pair in pairs)
