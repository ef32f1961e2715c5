"""Signatures: the effects of the same perturbation in other experiments, a block for each source or one for all."""

from __future__ import annotations

from featurestore.features.blocks.average import average_block
from featurestore.features.blocks.block import FeatureBlock, make_block, skipped, source_facts
from featurestore.features.blocks.effects import chosen_effects, read_source
from featurestore.features.blocks.inputs import BlockInputs
from featurestore.features.effects.signature import mean_of_matches
from featurestore.features.guard.lookalike import check_lookalikes
from featurestore.features.kinds.signature import SignatureFeature
from featurestore.features.matching import match_conditions
from featurestore.features.selection import Source


def signature_blocks(feature: SignatureFeature, given: BlockInputs) -> list[FeatureBlock]:
    """Make the block of every source, or their average where the feature asks for it.

    Raises
    ------
    LeakageError
        A source looks like the target under another name.
    FeatureError
        A dataset that the spec names has no effect of the wanted kind.
    """
    if feature.average is not None:
        return [average_block(feature, given)] if given.sources else []
    return [_block(feature, source, given) for source in given.sources]


def _block(feature: SignatureFeature, source: Source, given: BlockInputs) -> FeatureBlock:
    """Match, average and reduce one source, and add it to the mean elsewhere.

    A source that cannot say anything about the rows is skipped, and the block's facts say why.
    """
    given.tell(source)
    measured = given.measured
    facts, n_rows = source_facts(source), measured.rows.height
    matches = match_conditions(measured.rows, source.conditions, feature.combination, feature.reduce)
    if matches.is_empty():
        return skipped(facts, n_rows, "no perturbation in common with the rows")
    matrix = read_source(given.warehouse, feature, source)
    if isinstance(matrix, str):
        return skipped(facts, n_rows, matrix)
    likeness = check_lookalikes(source, matrix, measured, given.allow)
    given.elsewhere.add(source, matrix, matches)
    values, genes, said = chosen_effects(feature, source, matrix, measured)
    facts |= said
    matched = mean_of_matches(values, matches, n_rows, single=True)
    return make_block(facts, matches, values, matched, genes, components=feature.components, likeness=[likeness])
