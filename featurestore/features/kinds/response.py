"""``kind = "response"``: how the target gene itself responds to the perturbations of other experiments."""

from __future__ import annotations

from typing import Literal

from featurestore.features.kinds.kind import ExternalEffects
from featurestore.features.kinds.options import Combination, Of


class ResponseFeature(ExternalEffects):
    """How the row's target gene responds to the perturbations of other experiments: one column per condition.

    Parameters
    ----------
    combination
        ``sum`` adds up the responses of several targets; ``exact`` leaves combinations missing.
    of
        ``both`` describes every measured gene by its own responses too, in the same terms.
    """

    is_by_target_gene = True

    kind: Literal["response"]
    combination: Combination = "sum"
    of: Of | None = None

    @property
    def is_of_both(self) -> bool:
        """Whether ``of`` says so."""
        return self.of == "both"
