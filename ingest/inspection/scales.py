"""Scales that names speak of: those of samples, counts and TPM of each side by side, that of a file or of a matrix."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from ingest.inspection.values import Values
from ingest.values import ESTIMATED

SCALE = re.compile(
    r"(?:^|[-_. ])(?:tpm|[fr]pkm|cpm|rpm|(?:raw[-_. ]?)?counts?|reads?|norm(?:ali[sz]ed)?)(?:$|[-_. ])", re.IGNORECASE
)
"""What names of samples say their numbers are, with the sign that parts it from the sample's own name."""
COUNTS = re.compile("count|read", re.IGNORECASE)
NO_COUNTS = re.compile(
    r"(?<![a-z])(?:tpm|[fr]pkms?|lfq|ibaq|intensit(?:y|ies)|(?:gene[-_. ]?)?lengths?)(?![a-z])", re.IGNORECASE
)
"""Words for what is divided by lengths, or is none of reads."""
SCALED = re.compile(r"(?<![a-z])(?:cpm|rpm|norm(?:ali[sz]ed)?|scaled|rle|tmm)(?![a-z])", re.IGNORECASE)
"""Words for counts that each sample's were divided by something."""
DOUBTED = 0.4


def of_named_scale(values: Values, name: str) -> Values:
    """Doubt estimated counts, or whole ones, where the name of their file or matrix says that they are others.

    Examples
    --------
    >>> found = Values("estimated_counts", 0.9, ("not whole",))
    >>> of_named_scale(found, "GSE1_fpkm.csv").kind, of_named_scale(found, "normalized_counts.csv").score
    (None, 0.4)
    """
    if values.kind not in {ESTIMATED, "counts"}:
        return values
    if (word := NO_COUNTS.search(name)) is not None:
        told = f"the name says '{word[0]}': lengths or intensities, or divided by them, and no counts"
        return Values(None, 0.0, (*values.evidence, told)) if values.kind == ESTIMATED else _doubted(values, told)
    if values.kind == ESTIMATED and (word := SCALED.search(name)) is not None:
        return _doubted(
            values, f"the name says '{word[0]}': counts divided by a factor of each sample? give the counts"
        )
    return values


def _doubted(values: Values, told: str) -> Values:
    return replace(values, score=min(values.score, DOUBTED), evidence=(*values.evidence, told))


def of_one_scale(values: Values, names: Sequence[str]) -> Values:
    """Return the judgement of values, or that of none where the names of samples say several scales."""
    scales: dict[str, list[str]] = {}
    for name in names:
        if match := SCALE.search(name):
            scales.setdefault(match[0], []).append(name)
    words = {scale.strip("-_. ").lower() for scale in scales}
    if len(words) == 1 and 2 * sum(map(len, scales.values())) > len(names):
        return of_named_scale(values, words.pop())
    if len(words) < 2:  # noqa: PLR2004
        return values
    told = ", ".join(f"{len(named):,} such as {named[0]!r}" for named in scales.values())
    scale = next(filter(COUNTS.search, scales), next(iter(scales)))
    test = "ends_with" if scales[scale][0].endswith(scale) else "starts_with"
    where = f"where = \"{test}(index, '{scale}')\" under [condition] takes those of one"
    return Values(None, 0.0, (*values.evidence[:1], f"names are of several scales: {told}; {where}"))
