"""The vocabulary of a dataset of token lists: which gene a token stands for, and its place among the genes."""

from __future__ import annotations

import json
import re
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
from ingest.readers.plain_text import is_parquet, whole_text

VOCABULARY = "gene_metadata.parquet"
OTHERWISE = re.compile(
    r"(?:(?:gene_?)?(?:vocab(?:ulary)?|tokens?|token_dict(?:ionary)?)|gene_?metadata)\.(?:parquet|csv|tsv|json)",
    re.IGNORECASE,
)
"""What a vocabulary is called where it does not have its usual name."""
GENE = "gene"
MOST_TOKENS = 2**24


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The genes, and the position of each by its token, -1 for tokens of none; the last place is for all others."""

    path: Path
    genes: pl.DataFrame
    position: npt.NDArray[np.int32]


def vocabulary_of(path: Path, genes: pl.Series) -> Vocabulary:
    """Make a vocabulary of tokens that are genes themselves, numbered in their order."""
    position = np.arange(genes.len() + 1, dtype=np.int32)
    position[-1] = -1
    return Vocabulary(path, pl.DataFrame({INDEX: genes}), position)


def find_vocabulary(
    path: Path, token: str | None = None, name: str | None = None, *, are_text: bool = False
) -> Vocabulary:
    """Read the vocabulary of a file of cells; of many files with one vocabulary, it is read once.

    Parameters
    ----------
    path
        The file of cells.
    token
        The vocabulary's column of tokens; where None the only one of distinct whole numbers, or the first of text.
    name
        What the vocabulary is called, where not as usual: Parquet, CSV or TSV.
    are_text
        Whether tokens are text.

    Raises
    ------
    SourceFormatError
        There is none, or it does not number the genes.
    """
    folders = (path.parent, path.parent / "metadata", path.parent.parent, path.parent.parent / "metadata")
    called = name or VOCABULARY
    found = next((folder / called for folder in folders if (folder / called).is_file()), None)
    if found is None and name is None:
        found = _otherwise_called(path)
    if found is None:
        raise SourceFormatError(
            "there is no table of tokens beside the cells",
            where=str(path.parent),
            expected=f"{called} in this folder, the one above, or 'metadata' in either",
            do=f"fetch {called} from where the cells came from, or name it as vocabulary under [tokens]; where tokens "
            "are identifiers of genes, are_genes = true",
        )
    read = _read_genes if are_text else _read_vocabulary
    return read(found, token, found.stat().st_mtime_ns)


def _otherwise_called(path: Path) -> Path | None:
    """Find the one table beside a file whose name says that it is a vocabulary: CSV, TSV, Parquet, or scGPT's JSON."""
    found = [entry for entry in path.parent.iterdir() if OTHERWISE.fullmatch(entry.name) and entry != path]
    return found[0] if len(found) == 1 else None


@lru_cache(maxsize=8)
def _read_genes(path: Path, token: str | None, changed: int) -> Vocabulary:  # noqa: ARG001, a changed file is read anew
    """Read the genes that text tokens may be."""
    table = _read_table(path)
    keys = table[token or table.columns[0]].cast(pl.String) if token in {None, *table.columns} else pl.Series([])
    if keys.is_empty() or keys.null_count() or keys.is_duplicated().any():
        raise SourceFormatError(
            "the table of tokens does not name the genes",
            where=str(path),
            expected=f"a column '{token or table.columns[0]}' of distinct names",
            got=f"columns {', '.join(table.columns)}",
            do="name the column as token under [tokens]",
        )
    others = [name for name in table.columns if name != keys.name]
    named = [table[name].alias(title) for name, title in zip(others, titles(others), strict=True)]
    return Vocabulary(path, pl.DataFrame([keys.alias(INDEX), *named]), vocabulary_of(path, keys).position)


def _read_table(path: Path) -> pl.DataFrame:
    with telling_damage(path, "the table of tokens"):
        if path.suffix == ".json":
            return _read_json(whole_text(path))
        if is_parquet(path):
            return pl.read_parquet(path, glob=False)
        text = whole_text(path)
        return pl.read_csv(
            text, separator="\t" if b"\t" in text.split(b"\n", 1)[0] else ",", infer_schema_length=None, glob=False
        )


def _read_json(text: bytes) -> pl.DataFrame:
    """Read an object of names, each with its token."""
    try:
        named = json.loads(text)
    except RecursionError as error:
        raise ValueError(str(error)) from error
    if not isinstance(named, dict) or not all(isinstance(token, int) for token in named.values()):
        message = "no object of names, each with a whole number"
        raise ValueError(message)
    return pl.DataFrame({GENE: list(named), "token": list(named.values())})


def _only_numbers(table: pl.DataFrame) -> str | None:
    """Find the one column of distinct whole numbers."""
    found = [column.name for column in table if column.dtype.is_integer() and not column.is_duplicated().any()]
    return found[0] if len(found) == 1 else None


@lru_cache(maxsize=8)
def _read_vocabulary(path: Path, token: str | None, changed: int) -> Vocabulary:  # noqa: ARG001, a changed file is read anew
    table = _read_table(path)
    token = token or _only_numbers(table) or ""
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
