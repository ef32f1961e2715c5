"""``kind = "neighbours"``: effects of perturbations that other experiments found to be most alike."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from featurestore.features.kinds.kind import ExternalEffects
from featurestore.features.kinds.options import Combination


class NeighboursFeature(ExternalEffects):
    """The mean effect of the external perturbations that are most alike a row's: one block per dataset and context.

    How alike two perturbations are is the cosine of their external effects, less what all of a source share, averaged
    over the feature's sources that have both; so a source that lacks the row's perturbation has its neighbours' effects
    where another has it. What shares a target with the row is no neighbour.

    Parameters
    ----------
    neighbours
        How many, at most; each weighs as much as it is alike, and none that is unlike counts.
    combination
        As of :class:`SignatureFeature`: how a combination is looked for.
    """

    kind: Literal["neighbours"]
    neighbours: Annotated[int, Field(ge=1)] = 10
    combination: Combination = "exact"
