"""Blocks made from the effects of one source: of the same perturbation, or on the perturbed gene."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from featurestore.errors import FeatureError
from featurestore.features.blocks.block import Block, make_block, skipped, source_facts
from featurestore.features.effects.shrinkage import by_cells, empirical_bayes
from featurestore.features.effects.signature import mean_of_matches, pick_genes
from featurestore.features.effects.signature_matrix import SignatureMatrix, signature_matrix, standard_errors
from featurestore.features.guard.lookalike import check_lookalikes
from featurestore.features.kinds import ExternalEffects, ResponseFeature, SignatureFeature
from featurestore.features.perturbations import match_conditions, match_keys

if TYPE_CHECKING:
    from featurestore.features.effects.elsewhere import Elsewhere, Measured
    from featurestore.features.selection import Source
    from featurestore.features.spec import Allow
    from featurestore.query.warehouse import Warehouse


def signature_block(
    warehouse: Warehouse,
    feature: SignatureFeature,
    source: Source,
    measured: Measured,
    elsewhere: Elsewhere,
    allow: Sequence[Allow] = (),
) -> Block:
    """Match, average and reduce one source, and add it to the mean elsewhere.

    A source that cannot say anything about the rows is skipped, and the block's facts say why.

    Raises
    ------
    LeakageError
        The source looks like the target under another name.
    FeatureError
        A dataset that the spec names has no effect of the wanted kind.
    """
    facts, n_rows = source_facts(source), measured.rows.height
    matches = match_conditions(measured.rows, source.conditions, feature.combination, feature.reduce)
    if matches.is_empty():
        return skipped(facts, n_rows, "no perturbation in common with the rows")
    matrix = read_source(warehouse, feature, source)
    if isinstance(matrix, str):
        return skipped(facts, n_rows, matrix)
    likeness = check_lookalikes(source, matrix, measured, allow)
    elsewhere.add(source, matrix, matches)
    values, genes, said = chosen_effects(feature, source, matrix, measured)
    facts |= said
    matched = mean_of_matches(values, matches, n_rows)
    return make_block(facts, matches, values, matched, genes, components=feature.components, likeness=[likeness])


def response_block(
    warehouse: Warehouse, feature: ResponseFeature, source: Source, measured: Measured, allow: Sequence[Allow] = ()
) -> Block:
    """Give each row the effects of a source's conditions on the row's target gene; components are over its genes.

    Raises
    ------
    LeakageError
        The source looks like the target under another name: it would hold other rows' effects on the gene.
    FeatureError
        A dataset that the spec names has no effect of the wanted kind.
    """
    facts, n_rows = source_facts(source), measured.rows.height
    matrix = read_source(warehouse, feature, source)
    if isinstance(matrix, str):
        return skipped(facts, n_rows, matrix)
    likeness = check_lookalikes(source, matrix, measured, allow)
    values, genes, said = chosen_effects(feature, source, matrix, measured)
    facts |= said
    responses = np.ascontiguousarray(values.T)
    matches = match_keys(measured.rows, genes["gene_id"].to_list(), feature.combination)
    names = source.conditions.select(gene_id=pl.lit(None, pl.String()), suffix="condition_id")
    matched = mean_of_matches(responses, matches, n_rows)
    return make_block(facts, matches, responses, matched, names, components=feature.components, likeness=[likeness])


def read_source(warehouse: Warehouse, feature: ExternalEffects, source: Source) -> SignatureMatrix | str:
    """Read a source's effects, and standard errors where they are needed.

    The reason in words where a source that was searched for has none of them.
    """
    wanted = (warehouse, source.dataset_id, source.conditions["condition_id"], source.effect_kind)
    try:
        matrix = signature_matrix(*wanted)
        return matrix if feature.shrink is None else replace(matrix, errors=standard_errors(*wanted))
    except FeatureError as error:
        if feature.datasets is not None:
            raise
        return error.what


def chosen_effects(
    feature: ExternalEffects, source: Source, matrix: SignatureMatrix, measured: Measured
) -> tuple[Any, pl.DataFrame, dict[str, Any]]:
    """Return the effects of the genes that a feature asks for, shrunk as it asks, those genes, and facts on shrinking.

    What effects are shrunk by is fitted to all conditions and genes of the source: to other experiments alone.
    """
    picked = pick_genes(matrix.values, matrix.genes, feature.genes, measured.genes)
    values, said = matrix.values, {}
    if matrix.errors is not None:
        values = empirical_bayes(matrix.values, matrix.errors)
        said = {"shrunk": _shrunk(matrix.values, values)}
    values = values if len(picked) == values.shape[1] else values[:, picked]
    if feature.shrinkage is not None:
        values = by_cells(values, source.conditions["n_cells"], feature.shrinkage)
    return values, matrix.genes[picked], said


def _shrunk(before: Any, after: Any) -> dict[str, Any]:
    """Say what shrinking left of the effects: the share of their squares, and how many became missing."""
    total, left = (float(np.nansum(values.astype(np.float64) ** 2)) for values in (before, after))
    n_lost = int(np.isfinite(before).sum() - np.isfinite(after).sum())
    return {"share_of_squares_left": left / total if total > 0 else None, "n_without_standard_error": n_lost}
