"""Logarithms that a file holds, brought to the natural log1p of counts per 10,000: their base, and what rows add up to.

The base is what the file says, or that in which rows add up to one total, or in which values are whole multiples of the
smallest, as counts are. A total can be told only where all genes that rows were scaled over are in the file.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from featurestore.errors import ValuesError
from ingest.kernel import TARGET
from ingest.reader import BLOCK_BYTES, Block, DenseBlock, Numbers, Reader
from ingest.readers.notes import is_x, note
from ingest.sections import LogarithmSection
from ingest.sums.by_gene import Streamed
from ingest.sums.row_totals import BASES, SAME_TOTAL, Doubles, are_one, base_of_counts, totals_in
from ingest.sums.some_rows import Csr, some_rows

ABOVE = 1.02
"""How far above what rows were scaled to the total of one may be, by rounding of its values."""


@dataclass(frozen=True, slots=True)
class Logarithm:
    """What values are logarithms of.

    Parameters
    ----------
    base
        Of the logarithm.
    total
        What the counts of a row were scaled to before it; None where they are taken as they are.
    told
        What this is concluded from.
    is_assumed
        Whether neither the file nor the spec tells the total.
    """

    base: float
    total: float | None
    told: str
    is_assumed: bool = False

    @property
    def is_usual(self) -> bool:
        """Whether these are natural logarithms of counts per 10,000, or taken for such."""
        is_scaled = self.total is not None and abs(self.total - TARGET) > SAME_TOTAL * TARGET
        return self.base == math.e and not is_scaled

    def rescaled(self, values: Numbers) -> Doubles:
        """Bring values to the natural log1p of counts per 10,000; 0 stays 0."""
        counts = np.expm1(np.asarray(values, np.float64) * math.log(self.base))
        return np.log1p(counts if self.total is None else counts * (TARGET / self.total))


def judge_logarithm(
    rows: Csr, said: float | None, given: LogarithmSection, where: str, whole: Csr | None = None
) -> Logarithm:
    """Conclude what values are logarithms of.

    Parameters
    ----------
    rows
        Some rows, with the genes that make a cell's total.
    said
        The base that the file names, if it does.
    given
        What the spec says.
    where
        The file, for messages.
    whole
        The same rows with all that the matrix has.

    Raises
    ------
    ValuesError
        File and spec contradict one another, or rows add up to more than they can have been scaled to.
    """
    bases = dict.fromkeys((*BASES, *(base for base in (said, given.number) if base is not None)))
    for part in (rows, whole) if whole is not None else (rows,):
        totals = {base: totals_in(part, base) for base in bases}
        if constant := [base for base in bases if are_one(totals[base])]:
            base = min(constant, key=lambda base: float(totals[base].std() / totals[base].mean()))
            return _of_one_total(base, float(np.median(totals[base])), said, given, where)
    base = given.number or said or base_of_counts(rows) or math.e
    how = "the spec says so" if given.number else "the file says so" if said else "as far as values tell"
    found = totals_in(rows, base)
    low, high = (float(found.min()), float(found.max())) if found.size else (0.0, 0.0)
    told = f"base {name_of(base)} ({how}); rows add up to {low:,.4g} to {high:,.4g}"
    if given.total == "unknown":
        return Logarithm(base, None, f"{told}: taken as they are, as the spec says")
    total = TARGET if given.total is None else given.total
    if high > ABOVE * total:
        raise ValuesError(
            f"The values are not logarithms of counts per {total:,.6g}.",
            where=where,
            expected=f"rows of which expm1 adds up to {total:,.6g}, or to less where genes are missing",
            got=told,
            do='set values = "estimated_counts" if these are counts that are not whole; else '
            "say what rows were scaled to, as in logarithm = { total = 1000000 } under [dataset], or name the "
            'matrix of counts; logarithm = { total = "unknown" } takes values as they are',
        )
    if given.total is not None:
        return Logarithm(base, total, f"{told}; scaled to {total:,.6g}, as the spec says")
    told = f"{told}, so that what they were scaled to is not told: taken as {total:,.0f}"
    return Logarithm(base, total, told, is_assumed=True)


def _of_one_total(base: float, total: float, said: float | None, given: LogarithmSection, where: str) -> Logarithm:
    """Compare what rows say, which add up to one total in one base, with what the file and the spec name."""
    claims = [("the file", said, base), ("the spec", given.number, base)]
    if isinstance(given.total, float):
        claims.append(("the spec", given.total, total))
    for who, claimed, found in claims:
        if claimed is not None and abs(claimed - found) > SAME_TOTAL * found:
            raise ValuesError(
                "The values are not the logarithms that they are said to be.",
                where=where,
                expected=f"{'base' if found == base else 'total'} {name_of(claimed)}, as {who} says",
                got=f"rows of which all add up to {total:,.6g} in base {name_of(base)}",
                do="leave logarithm under [dataset] out, or mend the file",
            )
    return Logarithm(base, total, f"base {name_of(base)}: rows add up to {total:,.6g}")


def refuse_scaled(reader: Reader, is_library: npt.NDArray[np.bool_]) -> None:
    """Refuse estimated counts whose rows add up to one number, as they are or as logarithms: no counts do.

    Raises
    ------
    ValuesError
        They do.
    """
    whole = some_rows(reader)
    for rows in (whole[:, np.flatnonzero(is_library)], whole):
        if found := scaled_to(rows):
            raise ValuesError(
                "The values are not estimated_counts.",
                where=str(reader.path),
                expected="counts, of which rows have any number",
                got=f"rows that all add up to {found[1]:,.6g}{found[0]}",
                do='set values = "log1p" under [dataset]'
                if found[0]
                else "name the matrix of counts, not of TPM or CPM",
            )


def scaled_to(rows: Csr) -> tuple[str, float] | None:
    """Say which one number rows add up to, as they are or as logarithms of a base; None where to several."""
    sums = np.asarray(rows.sum(axis=1), np.float64).ravel()
    if are_one(sums[sums > 0]):
        return "", float(np.median(sums[sums > 0]))
    for base in BASES:
        if are_one(totals := totals_in(rows, base)):
            return f" as logarithms of base {name_of(base)}", float(np.median(totals))
    return None


def read_logarithm(
    reader: Reader, is_library: npt.NDArray[np.bool_], given: LogarithmSection, matrix: str | None
) -> Logarithm:
    """Conclude what the values of a file are logarithms of, from rows at several places of it.

    ``is_library`` (columns,) tells the columns that make a cell's total; of a matrix that is stored by gene, all of it
    is read.
    """
    whole = some_rows(reader)
    rows = whole[:, np.flatnonzero(is_library)]
    return judge_logarithm(rows, base_named(reader.path, matrix), given, str(reader.path), whole)


def base_named(path: Path, matrix: str | None) -> float | None:
    """Read the base that scanpy notes of ``X``; None where the file names none, which to scanpy means e."""
    value = note(path, "uns/log1p/base") if is_x(matrix) else None
    return value if isinstance(value, float) and value > 1 else None


def name_of(number: float) -> str:
    """Write a base, or a total.

    Examples
    --------
    >>> name_of(math.e), name_of(2.0)
    ('e', '2')
    """
    return "e" if number == math.e else f"{number:,.6g}"


@dataclass(frozen=True, slots=True)
class Rescaled:
    """A matrix of logarithms, block by block brought to those of counts per 10,000."""

    source: Streamed
    logarithm: Logarithm

    @property
    def path(self) -> Path:
        """The file."""
        return self.source.path

    @property
    def n_rows(self) -> int:
        """How many rows there are."""
        return self.source.n_rows

    def blocks(self, block_bytes: int = BLOCK_BYTES) -> Iterator[Block]:
        """Stream the matrix."""
        for block in self.source.blocks(block_bytes):
            if isinstance(block, DenseBlock):
                yield replace(block, values=self.logarithm.rescaled(block.values))
            else:
                yield replace(block, data=self.logarithm.rescaled(block.data))
