"""The vocabulary of a dataset of token lists: which gene a token stands for, and its place among the genes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from featurestore.errors import SourceFormatError
from ingest.reader import INDEX
from ingest.readers.columns import titles
from ingest.readers.damage import telling_damage

VOCABULARY = "gene_metadata.parquet"
MOST_TOKENS = 2**24


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The genes, and the position of each by its token, -1 for tokens of none; the last place is for all others."""

    path: Path
    genes: pl.DataFrame
    position: npt.NDArray[np.int32]


def find_vocabulary(path: Path, token: str) -> Vocabulary:
    """Read the vocabulary of a file of cells; of many files with one vocabulary, it is read once.

    Parameters
    ----------
    path
        The file of cells.
    token
        The vocabulary's column of tokens.

    Raises
    ------
    SourceFormatError
        There is none, or it does not number the genes.
    """
    folders = (path.parent, path.parent / "metadata", path.parent.parent, path.parent.parent / "metadata")
    found = next((folder / VOCABULARY for folder in folders if (folder / VOCABULARY).is_file()), None)
    if found is None:
        raise SourceFormatError(
            "there is no table of tokens beside the cells",
            where=str(path.parent),
            expected=f"{VOCABULARY} in this folder, the one above, or 'metadata' in either",
            do=f"fetch {VOCABULARY} from where the cells came from",
        )
    return _read_vocabulary(found, token, found.stat().st_mtime_ns)


@lru_cache(maxsize=8)
def _read_vocabulary(path: Path, token: str, changed: int) -> Vocabulary:  # noqa: ARG001, a changed file is read anew
    with telling_damage(path, "the table of tokens"):
        table = pl.read_parquet(path)
    tokens = table[token] if token in table.columns else pl.Series([], dtype=pl.String)
    numbers = tokens.cast(pl.Int64).to_list() if tokens.dtype.is_integer() else []
    is_complete = bool(numbers) and None not in numbers and len(set(numbers)) == len(numbers)
    if not is_complete or min(numbers) < 0 or max(numbers) >= MOST_TOKENS:
        raise SourceFormatError(
            "the table of tokens does not number the genes",
            where=str(path),
            expected=f"a column '{token}' of distinct whole numbers from 0",
            got=f"columns {', '.join(table.columns)}",
            do="fetch it again",
        )
    position = np.full(max(numbers) + 2, -1, np.int32)
    position[numbers] = np.arange(len(numbers), dtype=np.int32)
    others = [name for name in table.columns if name != token]
    genes = table.select(
        tokens.cast(pl.String).alias(INDEX),
        *(table[name].alias(title) for name, title in zip(others, titles(others), strict=True)),
    )
    return Vocabulary(path, genes, position)
