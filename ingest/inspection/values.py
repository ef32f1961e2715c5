"""What kind of numbers a matrix holds, judged on a sample of it, with the evidence."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from featurestore.errors import ValuesError
from ingest.inspection.known import COMPOUND_ID, VALUE_WORDS
from ingest.inspection.sample import Sample
from ingest.inspection.value_facts import (
    Facts,
    are_means,
    are_roots,
    described,
    dispersion,
    facts_of,
    has_one_total,
    is_l1000,
    moments,
    tied_share,
    totals_vary,
)
from ingest.reader import INDEX
from ingest.readers.notes import has_note, is_x
from ingest.readers.sample_files import QUANTIFIERS
from ingest.sections import LogarithmSection
from ingest.sums.logarithm import base_named, judge_logarithm, scaled_to
from ingest.sums.row_totals import are_one
from ingest.values import ESTIMATED, LARGEST_LOG, VALUES, Route

DEPMAP = ("depmap", "chronos")
"""Formats of DepMap."""
SHARED_OUT = tuple(f"quantified ({program.name}" for program in QUANTIFIERS)
"""Formats of programs that share reads out among transcripts."""
NEAR_ZERO, NEAR_ONE = 0.25, (0.5, 2.0)
"""Median mean, and range of the median standard deviation, of genes whose values are z-scores."""
WHOLE_SHARE, TIED_SHARE = 0.05, 0.3
"""Part of the values that are whole in estimated counts, and of a row's that come again in logarithms, at least."""
COUNTS_VARY, LOGARITHMS_VARY = 0.7, 0.4
"""Variance over mean of genes with 2 or more, which counts exceed and logarithms do not reach."""
MOST_READS = 1e8
"""No gene has more in a sample."""
TOTALS_VARY = 0.1
"""Variance over mean of the totals of rows, which counts exceed."""
DOUBTED = 0.4
"""How sure it is that whole numbers are counts which vary less than counts do."""
MOST_NAMES, MOST_NAMED = 1000, 0.9
"""Columns that are asked whether they are compounds, and what part of them must be."""
WHOLE_THOUSANDTH, MOST_THIRDS = 1e-4, 0.7
"""How near to a whole number a thousand times a number of three decimals is, and how many have a third but 0."""
SOME = 0.25
"""Part of the values below which those below 0 are not what differences have."""
FEW = 0.01
"""Part of the values below which those below 0 are stray ones among others that are not."""


@dataclass(frozen=True, slots=True)
class Values:
    """The kind of a matrix's values as the dataset spec calls it, how sure that is (0 to 1), and why.

    ``kind`` is None where no kind is plausible. ``is_known`` tells whether the spec takes it. ``untold`` says of
    logarithms why what rows were scaled to is not known; ``may_be_usual`` whether it may be 10,000 all the same.
    """

    kind: str | None
    score: float
    evidence: tuple[str, ...]
    untold: str | None = None
    may_be_usual: bool = True

    @property
    def is_known(self) -> bool:
        """Whether a dataset of this kind can be ingested."""
        return self.route is not None

    @property
    def route(self) -> Route | None:
        """The way of such values into a release; None where the kind is not known."""
        return next((kind.route for name, kind in VALUES.items() if name == self.kind), None)


def judge_values(
    sample: Sample, path: Path, matrix: str | None, cells: npt.NDArray[np.float64] | None, form: str = ""
) -> Values:
    """Judge the values of a sample.

    Parameters
    ----------
    sample
        The beginning of the matrix.
    path, matrix
        File and name of the matrix, which may speak for themselves.
    cells
        Numbers of cells behind each row of the sample, NaN where unknown, if a column gives them.
    form
        The format, which may leave little choice.
    """
    facts = facts_of(sample.matrix)
    evidence = [described(facts, sample)]
    if facts.n_stored == facts.n_undefined:
        return Values(None, 0.0, (*evidence, "no value but zero or missing"))
    compounds = [name for name in sample.genes[INDEX].head(MOST_NAMES).cast(pl.String) if COMPOUND_ID.fullmatch(name)]
    if len(compounds) > MOST_NAMED * min(sample.genes.height, MOST_NAMES):
        told = f"of compounds, such as {compounds[0]!r}, and no genes: responses are read from a table of the form"
        return Values(
            None, 0.0, (*evidence, f"{told} of PRISM's secondary screen, a row for each compound and cell line")
        )
    word = next((word for word in VALUE_WORDS if word in f"{path.name}/{matrix or ''}".lower()), None)
    if form.startswith(DEPMAP):
        verdict = _of_depmap(facts)
    elif facts.smallest < 0:
        verdict = _relative(facts, sample, word)
    elif form.startswith(SHARED_OUT) or (form.startswith("quantified") and facts.whole_share < 1):
        verdict = (ESTIMATED, 0.95, f"{form}: reads are shared out among what they map to, none below 0")
    elif facts.whole_share == 1:
        verdict = _whole(facts, sample)
    else:
        verdict = _positive(facts, sample, path, matrix, cells)
    values = Values(verdict[0], verdict[1], (*evidence, verdict[2]))
    if facts.n_undefined and values.route == "summed":
        place = _first(sample, ~np.isfinite(sample.matrix.data))
        told = f"{facts.n_undefined:,} of {facts.n_values:,} values are NaN or infinite ({place})"
        return Values(None, 0.0, (*evidence, f"{told}; the others are {verdict[0]}: {verdict[2]}"))
    return _of_logarithms(values, sample, path, matrix) if values.kind == "log1p" and sample.has_whole_rows else values


def _of_logarithms(values: Values, sample: Sample, path: Path, matrix: str | None) -> Values:
    """Add what values are logarithms of, as ingest will find it."""
    try:
        found = judge_logarithm(sample.matrix, base_named(path, matrix), LogarithmSection(), str(path))
    except ValuesError as error:
        return replace(values, untold=error.got, may_be_usual=False)
    if found.is_assumed:
        return replace(values, untold=found.told)
    told = found.told if found.is_usual else f"{found.told}; they become natural logarithms of counts per 10,000"
    return replace(values, evidence=(*values.evidence, told))


def _whole(facts: Facts, sample: Sample) -> tuple[str | None, float, str]:
    """Judge whole numbers from 0: counts, unless they vary less than any counts do."""
    told = "all whole, none below 0"
    if facts.n_undefined:
        return "counts", 0.95, told
    if facts.largest > MOST_READS:
        return "counts", DOUBTED, f"{told}; but up to {facts.largest:,.3g}, as no counts of reads are: intensities?"
    ratio, totals = dispersion(sample), totals_vary(sample)
    if ratio is not None and ratio < LOGARITHMS_VARY:
        return (
            "counts",
            DOUBTED,
            f"{told}; but genes of 2 or more vary by {ratio:.2g} times their mean: rounded logarithms?",
        )
    if totals is not None and totals < TOTALS_VARY:
        return "counts", DOUBTED, f"{told}; but all rows have nearly the same total: scaled, and then rounded?"
    return "counts", 0.95, told


def _of_depmap(facts: Facts) -> tuple[str | None, float, str]:
    if facts.smallest < 0:
        return "gene_effect", 0.9, "labelled as DepMap labels genes, and values below 0"
    if facts.largest <= 1:
        return "gene_dependency", 0.8, "labelled as DepMap labels genes, and from 0 to 1"
    return "log2tpm1", 0.8, "labelled as DepMap labels genes, and none below 0"


def _relative(facts: Facts, sample: Sample, word: str | None) -> tuple[str | None, float, str]:
    if facts.is_sign:
        return "de_call", 0.9, "only -1, 0 and 1"
    if word is not None:
        return VALUE_WORDS[word], 0.8, f"values below 0, and the name says '{word}'"
    if is_l1000(sample.genes):
        return "moderated_z", 0.7, "values below 0, for the genes of L1000"
    return _of_both_signs(facts, sample)


def _of_both_signs(facts: Facts, sample: Sample) -> tuple[str | None, float, str]:
    """Judge values of which some are below 0 by how many are, and by how their genes vary."""
    if facts.whole_share == 1 or facts.n_below < FEW * facts.n_stored:
        return None, 0.0, _stray(facts, sample)
    if np.median(sample.matrix.data) > 1 and facts.n_below < SOME * facts.n_stored:
        told = "mostly above 1: no difference, but logarithms of scaled counts with a prior (edgeR's cpm, voom)?"
        return None, 0.0, f"{told} give the counts"
    mean, deviation = moments(sample)
    if abs(mean) < NEAR_ZERO and NEAR_ONE[0] < deviation < NEAR_ONE[1]:
        told = f"genes have a mean of {mean:.2f} and a standard deviation of {deviation:.2f} (medians)"
        return "zscore", 0.6, told
    return "log2_fold_change", 0.3, "values below 0: some difference; which, the file does not say"


def _stray(facts: Facts, sample: Sample) -> str:
    """Say where the first of few values below 0 is, and what the others are."""
    place = _first(sample, sample.matrix.data < 0)
    verb = "is" if facts.n_below == 1 else "are"
    others = "counts" if facts.whole_share == 1 else "not"
    return f"{facts.n_below:,} of {facts.n_values:,} values {verb} below 0 ({place}); the others are {others}"


def _first(sample: Sample, are_such: npt.NDArray[np.bool_]) -> str:
    """Say where the first of some stored values is."""
    entries = sample.matrix.tocoo()
    at = int(np.flatnonzero(are_such)[0])
    row, gene = (int(axis[at]) for axis in entries.coords)
    key = sample.keys()[row] if sample.keys is not None else f"{row + 1:,}"
    return f"{entries.data[at]:.4g} at row {key}, gene {sample.genes[INDEX][gene]}"


def _positive(
    facts: Facts, sample: Sample, path: Path, matrix: str | None, cells: npt.NDArray[np.float64] | None
) -> tuple[str | None, float, str]:
    """Judge numbers that are not below 0 and not all whole."""
    if cells is not None and sample.has_whole_rows and are_means(sample, cells):
        return "mean_counts", 0.9, "times the number of cells they are whole: means of counts"
    scaled = scaled_to(sample.matrix) if sample.has_whole_rows else None
    if scaled is not None and not scaled[0]:
        return None, 0.0, f"not whole, and rows all add up to {scaled[1]:,.6g}, as TPM and CPM do: no counts"
    if roots := _roots(sample):
        return None, 0.0, f"square roots of {roots}: give the counts"
    if facts.largest > LARGEST_LOG:
        return _above_logarithms(facts, sample)
    if is_x(matrix) and has_note(path, "uns/log1p"):
        return "log1p", 1.0, "the file says so (uns/log1p)"
    return _logarithms(facts, sample)


def _are_thousands(sample: Sample) -> bool:
    """Say whether points may part thousands: 1.234 beside 567, and no number of any other decimals."""
    values = sample.matrix.data[np.isfinite(sample.matrix.data)]
    pointed = values[values != np.floor(values)]
    in_thousands = np.round(pointed * 1000)
    are_three = np.abs(pointed * 1000 - in_thousands) < WHOLE_THOUSANDTH
    has_third = (in_thousands % 10 != 0).mean() > MOST_THIRDS if pointed.size else False
    return bool(
        has_third and are_three.all() and pointed.min() >= 1 and values.max() < 1000 and pointed.size < values.size  # noqa: PLR2004
    )


def _above_logarithms(facts: Facts, sample: Sample) -> tuple[str | None, float, str]:
    """Judge numbers that are no logarithms: intensities have no zeros, as counts of all genes of a sample do."""
    told = f"not whole, none below 0, and above {LARGEST_LOG:.0f}, so no logarithms"
    if _are_thousands(sample):
        return None, 0.0, f"{told}; those that are not whole have three decimals each: do points part thousands?"
    if facts.n_stored < facts.n_values:
        return ESTIMATED, 0.9, told
    if is_l1000(sample.genes):
        return None, 0.0, f"{told}; no zeros, for the genes of L1000: intensities, whose logarithms are level 3"
    return ESTIMATED, DOUBTED, f"{told}; but there is no zero among them: intensities?"


def _roots(sample: Sample) -> str:
    """Say what all values are square roots of, if of anything."""
    if are_roots(sample.matrix.data):
        return "whole numbers"
    totals = np.asarray(sample.matrix.power(2).sum(axis=1, dtype=np.float64)).ravel()
    is_scaled = sample.has_whole_rows and are_one(totals[totals > 0])
    return f"what adds up to {np.median(totals):,.6g} in every row" if is_scaled else ""


def _logarithms(facts: Facts, sample: Sample) -> tuple[str | None, float, str]:
    """Judge numbers that may be logarithms, by what their rows were scaled to and by their zeros."""
    if sample.has_whole_rows and has_one_total(sample):
        return "log1p", 0.95, "not whole, and none below 0"
    if facts.n_stored == facts.n_values and is_l1000(sample.genes):
        return "log2_expression", 0.8, "no zeros, for the genes of L1000: logarithms of intensities"
    if facts.n_stored == facts.n_values:
        return None, 0.0, "no zeros: log2 intensities, or counts on another scale"
    return _counts_or_logarithms(facts, sample)


def _counts_or_logarithms(facts: Facts, sample: Sample) -> tuple[str | None, float, str]:
    """Tell estimated counts from logarithms where neither the file nor the totals of rows do.

    Logarithms are whole by chance alone, and the same in all genes of a cell that have the same count; where genes have
    2 or more on average, counts vary at least as much as their mean, and logarithms less.
    """
    if facts.whole_share > WHOLE_SHARE:
        return ESTIMATED, 0.85, f"{facts.whole_share:.0%} are whole, as no logarithms are"
    if sample.has_whole_rows and (shared := tied_share(sample)) > TIED_SHARE:
        return "log1p", 0.8, f"{shared:.0%} of a row's values come again in it, as logarithms of one count do"
    ratio = dispersion(sample)
    if ratio is not None and ratio > COUNTS_VARY:
        return ESTIMATED, 0.6, f"genes of 2 or more vary as counts do: {ratio:.2g} times their mean"
    if ratio is not None and ratio < LOGARITHMS_VARY:
        return "log1p", 0.7, f"genes of 2 or more vary less than counts do: {ratio:.2g} times their mean"
    return None, 0.0, f"counts that are not whole, or logarithms: not above {LARGEST_LOG:.0f}, and nothing tells which"
