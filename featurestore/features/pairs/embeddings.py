"""Embeddings where rows are pairs: the vector of what is perturbed, or of the gene that is measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from featurestore.features.blocks.embedding import embedding_block
from featurestore.features.perturbations import gene_rows

if TYPE_CHECKING:
    import polars as pl

    from featurestore.features.kinds.embedding import EmbeddingFeature
    from featurestore.features.pairs.calls import Axes, Positions
    from featurestore.query.warehouse import Warehouse


@dataclass(frozen=True, slots=True)
class Vectors:
    """The vectors of one embedding along one axis of the pairs.

    Parameters
    ----------
    feature
        The feature of the spec.
    axis
        0 where vectors are of perturbations, 1 where they are of genes.
    values
        float32, shape (perturbations or genes, features); NaN where there is no vector.
    suffixes
        What ends the name of each column.
    facts
        What the manifest says of the embedding.
    """

    feature: EmbeddingFeature
    axis: int
    values: npt.NDArray[np.float32]
    suffixes: tuple[str, ...]
    facts: dict[str, Any]


def embed(
    warehouse: Warehouse, feature: EmbeddingFeature, conditions: pl.DataFrame, axes: Axes, position: Positions
) -> Vectors:
    """Find the vector of every perturbation of the target, or of every gene of its pairs.

    Parameters
    ----------
    warehouse, feature
        Where identifiers are harmonised, and the embedding.
    conditions
        The target's conditions.
    axes
        Perturbations and genes.
    position
        Perturbation and gene of each pair on them, shape (pairs, 2).

    Raises
    ------
    FeatureError
        As of :func:`featurestore.features.blocks.embedding.embedding_block`.
    """
    axis = 1 if feature.of == "gene" else 0
    if axis:
        place = np.unique(position[:, 1])
        rows = gene_rows(axes.genes[place])
    else:
        place, first = np.unique(axes.perturbation_of(conditions), return_index=True)
        rows = conditions[first]
    block = embedding_block(warehouse, feature, rows)
    values = np.full((axes.shape[axis], block.values.shape[1]), np.nan, dtype=np.float32)
    values[place] = block.values
    has_vector = np.asarray(np.isfinite(values).any(axis=1))
    about_rows = {"n_genes", "n_rows_covered", "skipped"}
    facts = {name: fact for name, fact in block.facts.items() if name not in about_rows} | {
        "of": feature.of,
        "n_asked": len(place),
        "n_covered": int(has_vector.sum()),
        "n_pairs": int(has_vector[position[:, axis]].sum()),
    }
    if "skipped" in block.facts:
        facts["skipped"] = "no gene in common with the pairs" if axis else block.facts["skipped"]
    suffixes = tuple(name.removeprefix(f"{feature.block}/") for name in block.columns["name"])
    return Vectors(feature, axis, values, suffixes, facts)


def shuffled_vectors(embeddings: Sequence[Vectors], seed: int) -> list[Vectors]:
    """Deal the vectors of each embedding anew to the perturbations, or genes, that have one: its null."""
    dealt = []
    for i, vectors in enumerate(embeddings):
        values = vectors.values.copy()
        known = np.flatnonzero(np.isfinite(values).any(axis=1))
        values[known] = values[np.random.default_rng([seed, i, vectors.axis + 1]).permutation(known)]
        dealt.append(replace(vectors, values=values))
    return dealt
