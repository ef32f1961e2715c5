"""The effects of one source, as a feature asks for them: of which genes, and how they are shrunk."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from featurestore.errors import FeatureError
from featurestore.features.effects.shrinkage import by_cells, empirical_bayes
from featurestore.features.effects.signature import pick_genes
from featurestore.features.effects.signature_matrix import SignatureMatrix, signature_matrix, standard_errors
from featurestore.features.kinds.kind import ExternalEffects

if TYPE_CHECKING:
    from featurestore.features.effects.elsewhere import Measured
    from featurestore.features.selection import Source
    from featurestore.query.warehouse import Warehouse


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
