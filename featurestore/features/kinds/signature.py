"""``kind = "signature"``: the effect of the same perturbation in other experiments."""

from __future__ import annotations

from typing import Literal

from featurestore.features.kinds.kind import PAIR_OPTIONS, ExternalEffects
from featurestore.features.kinds.options import Combination, Reduce


class SignatureFeature(ExternalEffects):
    """The effect of the same perturbation in other experiments: one block per dataset and context, or their average.

    Parameters
    ----------
    combination
        Where a combination was not measured elsewhere: ``exact`` leaves it missing, ``sum`` adds up its parts.
    reduce
        What to make of several conditions of one perturbation: their mean, their mean weighted by cells, the one with
        most cells, or those at the dose (then the time) nearest to the row's.
    average
        Average over the sources, each once (``equal``) or by its cells (``cells``), in place of one block per source.
        Conditions that act in the opposite direction are in it only where no source has one of the row's direction.
        The average of a row leaves out the row's own experiment, so the target's dataset may be among the sources.
    """

    pair_options = PAIR_OPTIONS
    is_same_perturbation = True

    kind: Literal["signature"]
    combination: Combination = "exact"
    reduce: Reduce = "mean"
    average: Literal["equal", "cells"] | None = None

    @property
    def leaves_own_out(self) -> bool:
        """Whether it is an average: those do."""
        return self.average is not None
