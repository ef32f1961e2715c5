"""``kind = "strength"`` and ``"base_rate"``: how much a perturbation does, and how often a gene is called."""

from __future__ import annotations

from typing import Literal

from featurestore.features.kinds.kind import PAIR_OPTIONS, ExternalEffects, Kind


class StrengthFeature(ExternalEffects):
    """Per source and question, a perturbation's mean over genes, less each gene's; and its number of changed genes."""

    pair_options = PAIR_OPTIONS
    is_of_pairs_alone = True

    kind: Literal["strength"]


class BaseRateFeature(Kind):
    """Log odds of a gene's being called among the training pairs."""

    pair_options = frozenset({"kind", "name"})
    is_of_pairs_alone = True

    kind: Literal["base_rate"]
