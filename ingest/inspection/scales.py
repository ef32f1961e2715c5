"""Samples whose names say of which scale their numbers are: counts and TPM of each, side by side in one table."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ingest.inspection.values import Values

SCALE = re.compile(
    r"(?:^|[-_. ])(?:tpm|[fr]pkm|cpm|rpm|(?:raw[-_. ]?)?counts?|reads?|norm(?:ali[sz]ed)?)(?:$|[-_. ])", re.IGNORECASE
)
"""What names of samples say their numbers are, with the sign that parts it from the sample's own name."""
COUNTS = re.compile("count|read", re.IGNORECASE)


def of_one_scale(values: Values, names: Sequence[str]) -> Values:
    """Return the judgement of values, or that of none where the names of samples say several scales."""
    scales: dict[str, list[str]] = {}
    for name in names:
        if match := SCALE.search(name):
            scales.setdefault(match[0], []).append(name)
    if len({scale.strip("-_. ").lower() for scale in scales}) < 2:  # noqa: PLR2004
        return values
    told = ", ".join(f"{len(named):,} such as {named[0]!r}" for named in scales.values())
    scale = next(filter(COUNTS.search, scales), next(iter(scales)))
    test = "ends_with" if scales[scale][0].endswith(scale) else "starts_with"
    where = f"where = \"{test}(index, '{scale}')\" under [condition] takes those of one"
    return Values(None, 0.0, (*values.evidence[:1], f"names are of several scales: {told}; {where}"))
