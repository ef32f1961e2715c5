"""``kind = "context"`` and ``"target_expression"``: expression of the controls of the row's own context."""

from __future__ import annotations

from typing import Literal

from featurestore.features.kinds.kind import Kind
from featurestore.features.kinds.options import Components, Genes


class ContextFeature(Kind):
    """Mean log1p(CP10k) of each gene over the controls of the row's own context; controls are no answer.

    ``genes`` is as of :class:`ExternalEffects`, most variable over the contexts; ``components`` are over contexts.
    """

    is_of_own_context = True

    kind: Literal["context"]
    genes: Genes = "measured"
    components: Components | None = None


class TargetExpressionFeature(Kind):
    """Expression of the row's target genes over the controls of its own context: mean, and share of cells with any.

    Of a combination the mean over its targets, missing where one of them was not measured.
    """

    is_of_own_context = True

    kind: Literal["target_expression"]
