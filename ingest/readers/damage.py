"""Damage told in a sentence: what a library raises on wrong bytes becomes one error that names the place."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import polars as pl
import pyarrow as pa
from isal import isal_zlib

from featurestore.errors import SourceFormatError
from featurestore.scarcity import heed_scarcity

DAMAGE: tuple[type[Exception], ...] = (
    *(OSError, EOFError, RuntimeError, ValueError, TypeError, LookupError, ArithmeticError, MemoryError),
    *(
        struct.error,
        zipfile.BadZipFile,
        zlib.error,
        cast("type[Exception]", isal_zlib.error),
        pa.ArrowException,
        pl.exceptions.PolarsError,
    ),
)
"""What h5py, gzip, zipfile, pyarrow and polars raise when the bytes under them are wrong."""


@contextmanager
def telling_damage(path: Path, place: str, *, expected: str = "") -> Iterator[None]:
    """Raise whatever damage causes in this block as a SourceFormatError; ``place`` is within the file."""
    try:
        yield
    except SourceFormatError:
        raise
    except DAMAGE as error:
        if not isinstance(error, MemoryError):  # damaged sizes ask for more than there is
            heed_scarcity(error)
        raise SourceFormatError(
            "the file is damaged",
            where=f"{place} of {path}",
            expected=expected,
            got=" ".join(str(error).split()) or type(error).__name__,
            do="fetch the file again and compare its size and checksum with the publisher's",
        ) from error
