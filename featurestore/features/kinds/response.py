"""``kind = "response"``: how the target gene itself responds to the perturbations of other experiments."""

from __future__ import annotations

from typing import Literal

from featurestore.features.kinds.kind import ExternalEffects
from featurestore.features.kinds.options import Combination


class ResponseFeature(ExternalEffects):
    """How the row's target gene responds to the perturbations of other experiments: one column per condition.

    ``combination = "sum"`` adds up the responses of several targets; ``exact`` leaves combinations missing.
    """

    is_by_target_gene = True

    kind: Literal["response"]
    combination: Combination = "sum"
