"""Every failure a user can meet, as one sentence with its facts.

::

    FeatureStoreError
    ├── SourceError            something outside the warehouse cannot be used
    │   ├── DownloadError          a published file cannot be fetched whole
    │   ├── SourceFormatError      a file is not what it claims to be, or is damaged
    │   ├── SpecError              a dataset or feature spec is wrong; lists every fault
    │   └── ValuesError            the numbers are not of the declared kind
    ├── HarmonisationError     names cannot be brought to common identifiers
    │   └── MissingControlError    no reference cells were found
    ├── WarehouseError         the warehouse is missing, damaged or too new
    │   └── UnknownDatasetError    no dataset of that name in the snapshot
    ├── QueryError             a SQL statement is refused or fails
    └── FeatureError           a feature matrix cannot be built
        └── LeakageError           a feature would contain the answer

A message says what is wrong, where, what was expected and found, and what to do::

    MissingControlError: no control cells were found.
      where     perturbation column 'gene' of K562_essential.h5ad
      expected  one of: 'control'
      got       'non-targeting' (10,691 cells), 'RPL3' (412 cells), ...
      do        set controls = ["non-targeting"] under [condition]
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import Any, Self


class FeatureStoreError(Exception):
    """Root of all errors that are the input's fault, not the program's.

    Parameters
    ----------
    what
        One sentence: what is wrong.
    where
        The file, column, table or key.
    expected, got
        What would have been right, and what was there.
    do
        The next step.
    """

    def __init__(self, what: str, *, where: str = "", expected: str = "", got: str = "", do: str = "") -> None:
        self.what = what[:1].upper() + what[1:] + ("" if what.endswith((".", "?")) else ".")
        self.where = where
        self.expected = expected
        self.got = got
        self.do = do
        facts = {"where": where, "expected": expected, "got": got, "do": do}
        lines = [f"  {name:<9} {text}" for name, text in facts.items() if text]
        super().__init__("\n".join([self.what, *lines]))

    def __reduce__(self) -> tuple[type[Self], tuple[str], dict[str, Any]]:
        """Travel between processes by facts."""
        return type(self), (self.what,), vars(self) | {"args": self.args}


class SourceError(FeatureStoreError, ValueError):
    """Something outside the warehouse cannot be used."""


class DownloadError(SourceError):
    """A published file cannot be fetched whole."""


class SourceFormatError(SourceError):
    """A file is not what it claims to be, or is damaged."""


class SpecError(SourceError):
    """A dataset or feature spec is wrong."""


class ValuesError(SourceError):
    """The numbers are not of the declared kind."""


class HarmonisationError(FeatureStoreError, ValueError):
    """Names cannot be brought to common identifiers."""


class MissingControlError(HarmonisationError):
    """No reference cells were found."""


class WarehouseError(FeatureStoreError, RuntimeError):
    """The warehouse is missing, damaged or too new."""


class UnknownDatasetError(WarehouseError):
    """No dataset of that name is in the snapshot."""


class QueryError(FeatureStoreError, ValueError):
    """A SQL statement is refused or fails."""


class FeatureError(FeatureStoreError, ValueError):
    """A feature matrix cannot be built."""


class LeakageError(FeatureError):
    """A feature would contain the answer it is meant to predict."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Name the nearest known names, as the end of a message.

    Examples
    --------
    >>> did_you_mean("perturbaton", ["perturbation", "bio_rep"])
    "did you mean 'perturbation'?"
    >>> did_you_mean("xyz", ["perturbation", "bio_rep"])
    "known: 'perturbation', 'bio_rep'"
    """
    names = list(known)
    most = 12
    lowered = {n.lower(): n for n in names}
    near = [lowered[n] for n in difflib.get_close_matches(name.lower(), lowered, n=2, cutoff=0.6)]
    if near:
        return "did you mean " + " or ".join(repr(n) for n in near) + "?"
    return "known: " + (first_of([repr(n) for n in names[: most + 1]], most) or "none")


def first_of(names: Sequence[str], most: int = 5) -> str:
    """Name the first of some, and say whether there are more.

    Examples
    --------
    >>> first_of(["a", "b", "c"], 2), first_of(["a", "b"], 2)
    ('a, b, ...', 'a, b')
    """
    return ", ".join([*names[:most], *["..."] * (len(names) > most)])


def unlike(names: Sequence[str], expected: Sequence[str]) -> str:
    """Say which names are lacking, and which are there besides, to follow a number of names.

    Examples
    --------
    >>> unlike(["MYC", "JAK2"], ["TP53", "MYC"]), unlike(["MYC"], ["MYC"])
    (', without TP53, with JAK2', '')
    """
    own, known = set(names), set(expected)
    lacking = [name for name in expected if name not in own]
    besides = [name for name in names if name not in known]
    told = (("without", lacking), ("with", besides))
    return "".join(f", {word} {first_of(some, 3)}" for word, some in told if some)
