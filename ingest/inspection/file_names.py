"""What names of files say of their contrasts: which gene was perturbed in which cells, and which are named alike."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from ingest.harmonise.contexts import map_contexts
from ingest.harmonise.genes import map_targets
from ingest.readers.plain_text import first_line

NAMES = frozenset({"approved", "previous"})
"""What a word has to be as a gene: a name that could be many things, such as an alias, is not looked for."""
SEPARATORS = ("_", "-_ ", "-_. ")
"""Signs between words; genes and lines may have hyphens in their names."""
ENDING = re.compile(r"(?:\.(?:csv|tsv|txt|tab|parquet|gz|de|degs?|results?))*$", re.IGNORECASE)
SHORTEST_LINE = 3
MOST_FILES = 5000


@dataclass(frozen=True, slots=True)
class NamedContrasts:
    """A file whose name holds one gene, and its like.

    Parameters
    ----------
    files
        Names of all that are named alike: a pattern, or one by one where a pattern would take others too.
    targets, lines
        The gene in the name of each, and the cell line, where each name holds one.
    pattern
        Takes both out of a name, as the groups ``target`` and ``line``.
    """

    files: tuple[str, ...]
    targets: tuple[str, ...]
    lines: tuple[str, ...]
    pattern: str


@dataclass(frozen=True, slots=True)
class _Words:
    """A name taken apart: words and what is between them, one after another, and which of them say what."""

    parts: tuple[str, ...]
    ending: str
    target: int
    line: int | None


def read_name(path: Path) -> NamedContrasts | None:
    """Find the gene in a file's name; None where there is none, or several."""
    for signs in SEPARATORS:
        words = _read(path.name, signs)
        if words is not None:
            return _with_siblings(path, words, signs)
    return None


def _take_apart(name: str, signs: str) -> tuple[tuple[str, ...], str]:
    ending = str(ENDING.search(name)[0])  # type: ignore[index]  # it may be empty, and is always there
    return tuple(re.split(f"([{signs}])", name.removesuffix(ending))), ending


def _read(name: str, signs: str) -> _Words | None:
    parts, ending = _take_apart(name, signs)
    known_lines, genes = _lines(parts), _genes(parts)
    lines = [at for at, part in enumerate(parts) if part in known_lines]
    targets = [at for at, part in enumerate(parts) if part in genes - known_lines]
    if len(targets) != 1:
        return None
    return _Words(parts, ending, targets[0], lines[0] if len(lines) == 1 else None)


def _lines(words: Sequence[str]) -> set[str]:
    table = map_contexts([word for word in words if len(word) >= SHORTEST_LINE])
    return set(table.filter(pl.col("status").is_in(["approved", "alias"]))["original"])


def _genes(words: Sequence[str]) -> set[str]:
    table = map_targets(list(words)).table
    return set(table.filter(pl.col("status").is_in(NAMES), pl.col("gene_id").is_not_null())["original"])


def _with_siblings(path: Path, words: _Words, signs: str) -> NamedContrasts:
    """Find the files beside it that differ in gene and line alone, and begin with the same line."""
    free = {words.target: "target"} | ({words.line: "line"} if words.line is not None else {})
    beside = {entry.name: _take_apart(entry.name, signs) for entry in sorted(path.parent.iterdir())[:MOST_FILES]}
    alike = {name: parts for name, (parts, ending) in beside.items() if ending == words.ending
             and len(parts) == len(words.parts)
             and all(part == words.parts[at] or at in free for at, part in enumerate(parts))}  # fmt: skip
    known = {at: (_genes if what == "target" else _lines)([parts[at] for parts in alike.values()])
             for at, what in free.items()}  # fmt: skip
    header = first_line(path)
    named = {name: parts for name, parts in alike.items() if all(parts[at] in known[at] for at in free)
             and first_line(path.with_name(name)) == header}  # fmt: skip
    varying = {at for at in free if len({parts[at] for parts in named.values()}) > 1}
    glob = "".join("*" if at in varying else part for at, part in enumerate(words.parts)) + words.ending
    is_exact = not set(glob) & set("?[") and {entry.name for entry in path.parent.glob(glob)} == set(named)
    groups = [f"(?P<{free[at]}>[^{signs}/]+)" if at in free else re.escape(part) for at, part in enumerate(words.parts)]
    return NamedContrasts(
        (glob,) if is_exact else tuple(named),
        tuple(parts[words.target] for parts in named.values()),
        tuple(parts[words.line] for parts in named.values()) if words.line is not None else (),
        "".join(groups) + re.escape(words.ending) + "$",
    )
