"""``kind = "analogue"``: calls on a pair's gene of the few perturbations that behave most alike, here and elsewhere."""

from __future__ import annotations

from typing import Literal

from featurestore.features.kinds.kind import PAIR_OPTIONS, ExternalEffects
from featurestore.features.kinds.options import Components


class AnalogueFeature(ExternalEffects):
    """Calls on a pair's gene of the perturbations that behave most alike, ``here`` in training and ``elsewhere``.

    As :class:`NeighbourFeature`, but for three things: the fourth power of the cosine weighs, so that few count; genes
    that answer to most perturbations say less of how one behaves; and directions keep a gene's mean, since all that
    change a gene the same way are alike. ``elsewhere`` averages the sources' own calls, that of the pair among them.
    """

    pair_options = PAIR_OPTIONS | {"components"}
    is_of_pairs_alone = True

    kind: Literal["analogue"]
    components: Components = 80
