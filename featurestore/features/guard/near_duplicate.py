"""When a source is the target under another name: nearly the same values, where both have any.

One rule for signatures, readouts and calls: a correlation that no measurement of other cells reaches, between
experiments that the spec does not allow.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import numpy.typing as npt

from featurestore.errors import LeakageError
from featurestore.features.sections import Allow
from featurestore.features.selection import Source

NEARLY_IDENTICAL = 0.98
"""Correlation from which two measurements are nearly identical, if there is no other to choose from."""


def agreement(ours: npt.NDArray[np.floating], theirs: npt.NDArray[np.floating], n_fewest: int) -> float | None:
    """Correlate values that both have; None where they are fewer than ``n_fewest`` or a side does not vary."""
    if len(ours) < n_fewest or not ours.std() or not theirs.std():
        return None
    return float(np.corrcoef(ours, theirs)[0, 1])


def is_near_duplicate(correlation: float | None) -> bool:
    """Say whether two measurements are nearly identical; an undefined correlation is no evidence of it."""
    return correlation is not None and correlation >= NEARLY_IDENTICAL


def is_allowed(allow: Sequence[Allow], target: Collection[str], source: Collection[str]) -> bool:
    """Say whether the spec allows every experiment of the source for every one of the target."""
    allowed = {(pair.target, pair.source) for pair in allow}
    return all((ours, theirs) in allowed for ours in target for theirs in source)


def near_duplicate(source: Source, place: str, *, expected: str, got: str, do: str) -> LeakageError:
    """Make the error that refuses a source: which feature, what was expected and found, and what to do."""
    return LeakageError(
        f"Source {source.name} looks like the target under another name.",
        where=f"feature {source.block}{place}",
        expected=expected,
        got=got,
        do=do,
    )
