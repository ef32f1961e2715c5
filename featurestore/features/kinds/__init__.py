"""The kinds of features that a spec can ask for, and the options of each.

====================  ======================================================================================
signature             the effect of the same perturbation in other experiments
response              how the target gene itself responds to the perturbations of other experiments
neighbours            the effects of perturbations that other experiments found to be most alike
phenotype             scalar readouts of the same perturbation, such as gene effect across cell lines
context               expression of the controls of the row's own context
target_expression     expression of the perturbed gene in those controls
embedding             any table keyed by gene or compound: Geneformer, ESM2, fingerprints; or gene sets (GMT)
====================  ======================================================================================

Where a row is a pair of condition and gene (``unit = "pair"``):

====================  ======================================================================================
signature             the call of the same perturbation on that very gene in other experiments
reconstruction        that call in a low-rank reconstruction of all calls, external and training ones
neighbour             training calls on that gene, averaged over perturbations that behave alike elsewhere
analogue              calls on that gene, here and elsewhere, of the few perturbations that behave most alike
co_response           the same over all genes that respond alike
strength              how much the perturbation does elsewhere, over all genes
base_rate             how often the gene is called among the training pairs
embedding             the vector of what is perturbed, or of the measured gene
====================  ======================================================================================
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, get_args

from pydantic import Field

from featurestore.features.kinds.analogue import AnalogueFeature
from featurestore.features.kinds.co_response import CoResponseFeature
from featurestore.features.kinds.context import ContextFeature, TargetExpressionFeature
from featurestore.features.kinds.embedding import EmbeddingFeature
from featurestore.features.kinds.kind import External, Kind
from featurestore.features.kinds.neighbour import NeighbourFeature
from featurestore.features.kinds.neighbours import NeighboursFeature
from featurestore.features.kinds.phenotype import PhenotypeFeature
from featurestore.features.kinds.rates import BaseRateFeature, StrengthFeature
from featurestore.features.kinds.reconstruction import ReconstructionFeature
from featurestore.features.kinds.response import ResponseFeature
from featurestore.features.kinds.signature import SignatureFeature

AnyKind = (
    SignatureFeature
    | ResponseFeature
    | NeighboursFeature
    | PhenotypeFeature
    | ContextFeature
    | TargetExpressionFeature
    | EmbeddingFeature
    | ReconstructionFeature
    | NeighbourFeature
    | AnalogueFeature
    | CoResponseFeature
    | StrengthFeature
    | BaseRateFeature
)
"""Every kind, each once: a new one is a line here, and one in the table of what makes its blocks."""
Feature = Annotated[AnyKind, Field(discriminator="kind")]
KINDS: dict[str, type[Kind]] = {get_args(kind.model_fields["kind"].annotation)[0]: kind for kind in get_args(AnyKind)}
MEASURED = frozenset(name for name, kind in KINDS.items() if issubclass(kind, External) and not kind.is_by_target_gene)
"""Kinds that look in experiments that did a row's own perturbation; the others know something of any."""
PAIR_KINDS = [name for name, kind in KINDS.items() if kind.pair_options]


def external(features: Iterable[Feature]) -> dict[int, External]:
    """Return the features that look in other experiments, by their place in the spec from 1."""
    return {i: feature for i, feature in enumerate(features, start=1) if isinstance(feature, External)}


def embeddings(features: Iterable[Feature]) -> list[EmbeddingFeature]:
    """Return the features that are read from files."""
    return [feature for feature in features if isinstance(feature, EmbeddingFeature)]
