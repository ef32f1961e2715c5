"""``kind = "reconstruction"``: a pair's call in a low-rank reconstruction of all calls."""

from __future__ import annotations

from typing import Literal

from featurestore.features.kinds.kind import PAIR_OPTIONS, ExternalEffects
from featurestore.features.kinds.options import Components


class ReconstructionFeature(ExternalEffects):
    """A pair's value in a reconstruction of rank ``components`` of the matrix of perturbations and genes.

    The matrix holds the mean call over the sources and the training pairs, less the gene's mean; 0 where there is none.
    """

    pair_options = PAIR_OPTIONS - {"questions"} | {"components"}
    is_of_pairs_alone = True

    kind: Literal["reconstruction"]
    components: Components = 10
