"""Columns that call cells doublets, beside the labels: what HTODemux, demuxlet, Vireo, Scrublet, scDblFinder say.

Likewise numbers of the guides of a cell, where a cell that has several is labelled as one that has the guide alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

import polars as pl

from ingest.harmonise.words import NOT_CALLED, spelled
from ingest.inspection.columns import ColumnSummary
from ingest.inspection.known import YES, plain
from ingest.inspection.labels import counted
from ingest.inspection.roles import SURE, Guess
from ingest.readers.long_text import literal
from ingest.sections import column_in_sql

DOUBLETS = spelled(["doublet", "doublets", "multiplet", "multiplets", "HTO doublet"])
SINGLETS = spelled(["singlet", "singlets"])
DEMUXLET = re.compile(r"(?P<call>SNG|DBL|AMB)(?:-.*)?")
"""Calls of demuxlet and freemuxlet, by themselves or before the names of donors."""
FLAG = re.compile(r"(?<![a-z])(?:doublets?|multiplets?)(?![a-z])")
"""What names of columns that say yes of doublets hold, in plain names."""
GUIDES = re.compile(
    r"(?:n|num|nr|number)_?(?:of_)?(?:guides?|s?grnas?|perts?|perturbations?|features?|protospacers?|constructs?)"
    r"(?:_per_cell|_detected|_called)?|(?:guide|s?grna|feature|protospacer)s?_(?:count|number|per_cell)"
)
"""What columns of how many guides a cell has are called, in plain names."""
MOST_GUIDES = 50
NO = frozenset({"false", "f", "no", "n", "0", "0.0"})


def guess_doublets(columns: Mapping[str, ColumnSummary]) -> list[Guess]:
    """Guess which columns call doublets, each with the condition that takes the other cells."""
    guesses = [guess for column in columns.values() if (guess := _called(column) or _flagged(column))]
    return sorted(guesses, key=lambda guess: (-guess.score, str(guess.column)))


def guess_several(columns: Iterable[ColumnSummary], labels: pl.Series, read: Callable[[str], pl.Series]) -> list[Guess]:
    """Guess which columns tell cells of several guides that have the label of one, with the condition for the others.

    Parameters
    ----------
    columns
        Candidates.
    labels
        The perturbation of each cell; of combinations, and of labels that only such cells have, nothing is guessed.
    read
        Reads a column.
    """
    named = (column for column in columns if column.is_number and GUIDES.fullmatch(plain(column.name)))
    return [guess for column in named if (guess := _of_several(column.name, labels, read(column.name))) is not None]


def _of_several(name: str, labels: pl.Series, values: pl.Series) -> Guess | None:
    cells = pl.DataFrame([labels.alias("label"), values.cast(pl.Float64).alias("n")]).drop_nulls()
    if cells.is_empty() or not cells["n"].is_between(0, MOST_GUIDES).all():
        return None
    alone = cells.filter(pl.col("n") <= 1)["label"].unique()
    n_several = cells.filter(pl.col("n") > 1, pl.col("label").is_in(alone.implode())).height
    if not n_several:
        return None
    told = f"{n_several:,} rows have more than one, and a label that others have alone: they are left out"
    return Guess("doublets", name, SURE, (told,), f"{column_in_sql(name)} <= 1")


def tell_apart(guesses: Iterable[Guess], read: Callable[[str], pl.Series]) -> list[Guess]:
    """Keep the guesses that leave out a row which those before them take; none where no row would be left."""
    kept: list[Guess] = []
    taken = pl.Series([True])
    for guess in guesses:
        values = read(str(guess.column))
        own = pl.DataFrame([values]).select(pl.sql_expr(str(guess.value)).fill_null(value=False)).to_series()
        both = taken & own
        if both.sum() and (not kept or both.sum() < taken.sum()):
            kept.append(guess)
            taken = both
    return kept


def _called(column: ColumnSummary) -> Guess | None:
    """Take a column of words: that of single cells where it has one, else all but the words for those not called."""
    labels = column.labels["label"].to_list()
    if not column.is_text or column.is_key:
        return None
    calls = {label: match["call"] for label in labels if (match := DEMUXLET.fullmatch(label))}
    if len(calls) == len(labels) and "DBL" in calls.values():
        wrong = [label for label, call in calls.items() if call != "SNG"]
        return _guess(column, f"starts_with({column_in_sql(column.name)}, 'SNG')", wrong)
    if not DOUBLETS.intersection(labels):
        return None
    wrong = [label for label in labels if label in DOUBLETS or label in NOT_CALLED]
    right = [label for label in labels if label not in wrong]
    if len(right) == 1 and right[0] in SINGLETS:
        return _guess(column, f"{column_in_sql(column.name)} = {literal(right[0])}", wrong)
    named = ", ".join(map(literal, wrong))
    return _guess(column, f"{column_in_sql(column.name)} not in ({named})", wrong, score=SURE) if right else None


def _flagged(column: ColumnSummary) -> Guess | None:
    """Take a column that is called after doublets and says yes and no."""
    labels = column.labels["label"].to_list()
    wrong = [label for label in labels if label.casefold() in YES]
    right = [label for label in labels if label.casefold() in NO]
    if (
        FLAG.search(plain(column.name).replace("_", " ")) is None
        or len(wrong) != 1
        or len(labels) != len(wrong + right)
    ):
        return None
    named = column_in_sql(column.name)
    if column.dtype == pl.Boolean:
        return _guess(column, f"not {named}", wrong)
    values = [label if column.is_number else literal(label) for label in right]
    return _guess(column, f"{named} in ({', '.join(values)})", wrong) if values else None


def _guess(column: ColumnSummary, where: str, wrong: list[str], *, score: float = 0.9) -> Guess:
    n_of = dict(column.labels.iter_rows())
    told = f"calls doublets: {counted({label: n_of[label] for label in wrong})}"
    missing = (f"{column.n_missing:,} rows have none",) if column.n_missing else ()
    return Guess("doublets", column.name, score, (told, *missing), where)
