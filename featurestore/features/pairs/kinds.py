"""The kinds of features that a spec can ask for where a row is a pair of condition and gene.

====================  ======================================================================================
signature             the call of the same perturbation on that very gene in other experiments
reconstruction        the same from a low-rank reconstruction of all calls, external and training ones
neighbour             training calls on the gene, averaged over perturbations that behave alike elsewhere
strength              how much the perturbation does elsewhere, over all genes
base_rate             how often the gene is called among the training pairs
====================  ======================================================================================

``reconstruction``, ``neighbour`` and ``base_rate`` look at training labels, so they are made anew for every part that
is held out, and for training rows from the other training rows alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Literal

from pydantic import Field

from featurestore.features.kinds import Components, ExternalEffects, Feature, Slug, _Feature


class ReconstructionFeature(ExternalEffects):
    """The pair's value in a reconstruction of rank ``components`` of the matrix of perturbations and genes.

    The matrix holds the mean call over the sources and the training pairs, less the gene's mean, and 0 where there is
    none. ``name`` tells several apart.
    """

    kind: Literal["reconstruction"]
    components: Components = 10


class NeighbourFeature(ExternalEffects):
    """Training calls on the gene, averaged over perturbations by how alike they behave in the sources.

    The weight is the squared cosine, where positive, of the perturbations' first ``components`` principal directions
    in the sources. A second column is the neighbours' mean call over all genes: what strength to expect.
    """

    kind: Literal["neighbour"]
    components: Components = 40


class StrengthFeature(ExternalEffects):
    """Two columns per source: the perturbation's mean call, less each gene's mean, and its number of changed genes."""

    kind: Literal["strength"]


class BaseRateFeature(_Feature):
    """Log odds of the gene's being called among the training pairs."""

    kind: Literal["base_rate"]
    name: Slug | None = None


PairFeature = Annotated[
    Feature | ReconstructionFeature | NeighbourFeature | StrengthFeature | BaseRateFeature,
    Field(discriminator="kind"),
]
PAIR_KINDS: dict[str, type[_Feature]] = {
    "reconstruction": ReconstructionFeature,
    "neighbour": NeighbourFeature,
    "strength": StrengthFeature,
    "base_rate": BaseRateFeature,
}
