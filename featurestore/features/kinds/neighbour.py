"""``kind = "neighbour"``: training calls on a pair's gene, of perturbations that behave alike elsewhere."""

from __future__ import annotations

from typing import Literal

from featurestore.features.kinds.kind import PAIR_OPTIONS, ExternalEffects
from featurestore.features.kinds.options import Components


class NeighbourFeature(ExternalEffects):
    """Training calls on a pair's gene, averaged over perturbations by how alike they behave in the sources.

    The weight is the squared cosine, where positive, of the first ``components`` principal directions of the sources,
    all sources and questions together. A second column is the neighbours' mean over all genes: a strength to expect.
    """

    pair_options = PAIR_OPTIONS | {"components"}
    is_of_pairs_alone = True

    kind: Literal["neighbour"]
    components: Components = 40
