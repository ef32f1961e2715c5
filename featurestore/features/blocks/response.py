"""Responses: how a row's target gene responds to the perturbations of other experiments, a block for each source."""

from __future__ import annotations

import numpy as np
import polars as pl

from featurestore.features.blocks.block import FeatureBlock, make_block, skipped, source_facts
from featurestore.features.blocks.effects import chosen_effects, read_source
from featurestore.features.blocks.inputs import BlockInputs
from featurestore.features.effects.signature import mean_of_matches
from featurestore.features.guard.lookalike import check_lookalikes
from featurestore.features.kinds.response import ResponseFeature
from featurestore.features.matching import match_keys
from featurestore.features.perturbations import gene_rows
from featurestore.features.selection import Source


def response_blocks(feature: ResponseFeature, given: BlockInputs) -> list[FeatureBlock]:
    """Give each row the effects of a source's conditions on the row's target gene; components are over its genes.

    Of both, each measured gene gets the effects on itself too.

    Raises
    ------
    LeakageError
        A source looks like the target under another name: it would hold other rows' effects on the gene.
    FeatureError
        A dataset that the spec names has no effect of the wanted kind.
    """
    return [_block(feature, source, given) for source in given.sources]


def _block(feature: ResponseFeature, source: Source, given: BlockInputs) -> FeatureBlock:
    given.tell(source)
    measured = given.measured
    facts, n_rows = source_facts(source), measured.rows.height
    matrix = read_source(given.warehouse, feature, source)
    if isinstance(matrix, str):
        return skipped(facts, n_rows, matrix)
    likeness = check_lookalikes(source, matrix, measured, given.allow)
    values, genes, said = chosen_effects(feature, source, matrix, measured)
    facts |= said
    responses = np.ascontiguousarray(values.T)
    matches = match_keys(measured.rows, genes["gene_id"].to_list(), feature.combination)
    names = source.conditions.select(gene_id=pl.lit(None, pl.String()), suffix="condition_id")
    matched, of_genes = mean_of_matches(responses, matches, n_rows), None
    if feature.is_of_both:
        rows = gene_rows(measured.genes["gene_id"])
        of_genes = mean_of_matches(responses, match_keys(rows, genes["gene_id"].to_list()), rows.height)
    return make_block(
        *(facts, matches, responses, matched, names),
        components=feature.components,
        likeness=[likeness],
        of_genes=of_genes,
    )
