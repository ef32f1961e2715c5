"""Gene sets and lists of genes in files of text: GMT, and one name a line."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from featurestore.errors import QueryError, first_of

_QUOTED = 60
"""Letters of what was given that an error repeats."""


def read_names(path: Path) -> list[str]:
    """Read the first column of a file, one name a line.

    Raises
    ------
    QueryError
        The file cannot be read.
    """
    return [line[0].strip() for line in _fields(_text_of(path))]


def read_gmt(path: Path) -> dict[str, list[str]]:
    """Read the gene sets of a GMT file: a line a set, its name, what it is, and its genes, tabs between them.

    Raises
    ------
    QueryError
        The file cannot be read, or two of its sets have one name.
    """
    return _sets_of(_fields(_text_of(path)), str(path))


def gmt_sets(text: str, where: str) -> dict[str, list[str]]:
    """Read gene sets in the form of a GMT file.

    Raises
    ------
    QueryError
        There is none, or two have one name.
    """
    sets = _sets_of(_fields(text), where)
    if not any(sets.values()):
        expected = "a line a set: its name, what it is, and its genes, tabs between them"
        raise QueryError("There is no gene set.", where=where, expected=expected, got=repr(text[:_QUOTED]))
    return sets


def _sets_of(lines: list[list[str]], where: str) -> dict[str, list[str]]:
    sets = {line[0].strip(): [gene.strip() for gene in line[2:] if gene.strip()] for line in lines}
    if len(sets) < len(lines):
        twice = sorted(name for name, n in Counter(line[0].strip() for line in lines).items() if n > 1)
        raise QueryError("Two sets of a GMT file have one name.", where=where, got=first_of(twice))
    return sets


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise QueryError("A list of genes cannot be read.", where=str(path), got=str(error)) from None


def _fields(text: str) -> list[list[str]]:
    return [line.split("\t") for line in text.splitlines() if line.strip() and not line.startswith("#")]
