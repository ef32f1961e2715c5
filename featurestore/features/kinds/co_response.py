"""``kind = "co_response"``: calls of the perturbations that behave most alike, on all genes that respond alike."""

from __future__ import annotations

from typing import Literal

from featurestore.features.kinds.kind import PAIR_OPTIONS, ExternalEffects
from featurestore.features.kinds.options import Components


class CoResponseFeature(ExternalEffects):
    """As :class:`AnalogueFeature`, over genes that respond alike too: ``here`` in training, ``elsewhere`` in sources.

    A table lists few pairs of a gene, and hardly ever the very pair that is asked for; genes that respond to the same
    perturbations stand in for it. How alike two genes are is learnt from the sources and the training calls together.
    The fourth power of both cosines weighs, of genes in training calls the square.

    Parameters
    ----------
    components, gene_components
        Principal directions of perturbations, and of genes.
    """

    pair_options = PAIR_OPTIONS | {"components", "gene_components"}
    is_of_pairs_alone = True

    kind: Literal["co_response"]
    components: Components = 80
    gene_components: Components = 40
