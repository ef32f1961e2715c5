"""The blocks of a spec, in its order: each feature by its kind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from featurestore.features.blocks.average import average_block
from featurestore.features.blocks.block import Block
from featurestore.features.blocks.context import context_block, target_expression_block
from featurestore.features.blocks.effects import response_block, signature_block
from featurestore.features.blocks.embedding import embedding_block
from featurestore.features.blocks.phenotype import phenotype_block
from featurestore.features.effects.elsewhere import Elsewhere, Measured
from featurestore.features.kinds import (
    ContextFeature,
    EmbeddingFeature,
    Feature,
    PhenotypeFeature,
    ResponseFeature,
    SignatureFeature,
    TargetExpressionFeature,
)
from featurestore.features.selection import Source

if TYPE_CHECKING:
    from featurestore.features.spec import FeatureSpec
    from featurestore.query.warehouse import Warehouse


def make_blocks(
    warehouse: Warehouse,
    spec: FeatureSpec,
    sources: Sequence[Source],
    measured: Measured,
    elsewhere: Elsewhere,
    report: Callable[[str], None],
) -> list[Block]:
    """Make every block of a spec.

    Raises
    ------
    LeakageError
        A source looks like the target under another name.
    FeatureError
        A dataset that the spec names has no effect of the wanted kind, or a file cannot be used.
    """
    blocks = []
    for feature in spec.feature:
        own = [source for source in sources if source.feature is feature]
        blocks += _blocks(warehouse, spec, feature, own, measured, elsewhere, report)
    return blocks


def _blocks(
    warehouse: Warehouse,
    spec: FeatureSpec,
    feature: Feature,
    sources: Sequence[Source],
    measured: Measured,
    elsewhere: Elsewhere,
    report: Callable[[str], None],
) -> list[Block]:
    if isinstance(feature, ContextFeature):
        return [context_block(warehouse, feature, measured)]
    if isinstance(feature, TargetExpressionFeature):
        return [target_expression_block(warehouse, feature, measured)]
    if isinstance(feature, EmbeddingFeature):
        report(f"reading {feature.file}")
        return [embedding_block(warehouse, feature, measured.rows)]
    if isinstance(feature, SignatureFeature) and feature.average is not None and sources:
        return [average_block(warehouse, feature, sources, measured, elsewhere, spec.allow, report)]
    blocks = []
    for source in sources:
        report(f"reading {source.conditions.height} conditions of {source.name}")
        if isinstance(feature, PhenotypeFeature):
            blocks.append(phenotype_block(warehouse, feature, source, measured, spec.allow))
        elif isinstance(feature, ResponseFeature):
            blocks.append(response_block(warehouse, feature, source, measured, spec.allow))
        elif isinstance(feature, SignatureFeature):
            blocks.append(signature_block(warehouse, feature, source, measured, elsewhere, spec.allow))
    return blocks
