"""The blocks of a spec, in its order: each feature by its kind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from featurestore.features.blocks.block import FeatureBlock
from featurestore.features.blocks.context import context_blocks, target_expression_blocks
from featurestore.features.blocks.embedding import embedding_blocks
from featurestore.features.blocks.inputs import BlockInputs
from featurestore.features.blocks.neighbours import neighbours_blocks
from featurestore.features.blocks.phenotype import phenotype_blocks
from featurestore.features.blocks.response import response_blocks
from featurestore.features.blocks.signature import signature_blocks
from featurestore.features.effects.elsewhere import Elsewhere, Measured
from featurestore.features.selection import Source
from featurestore.features.spec import FeatureSpec
from featurestore.query.warehouse import Warehouse

MAKERS: dict[str, Callable[[Any, BlockInputs], list[FeatureBlock]]] = {
    "signature": signature_blocks,
    "response": response_blocks,
    "neighbours": neighbours_blocks,
    "phenotype": phenotype_blocks,
    "context": context_blocks,
    "target_expression": target_expression_blocks,
    "embedding": embedding_blocks,
}
"""What makes the blocks of each kind: a line a kind."""


def make_blocks(
    warehouse: Warehouse,
    spec: FeatureSpec,
    sources: Sequence[Source],
    measured: Measured,
    elsewhere: Elsewhere,
    report: Callable[[str], None],
) -> list[FeatureBlock]:
    """Make every block of a spec.

    Raises
    ------
    LeakageError
        A source looks like the target under another name.
    FeatureError
        A dataset that the spec names has no effect of the wanted kind, or a file cannot be used.
    """
    blocks: list[FeatureBlock] = []
    for feature in spec.feature:
        own = [source for source in sources if source.feature is feature]
        blocks += MAKERS[feature.kind](feature, BlockInputs(warehouse, measured, own, elsewhere, spec.allow, report))
    return blocks
