"""Embeddings from files: vectors or sets of genes or compounds, brought to the warehouse's identifiers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from featurestore.errors import FeatureError, first_of
from featurestore.features.blocks.block import FeatureBlock, make_block
from featurestore.features.blocks.inputs import BlockInputs
from featurestore.features.blocks.vector_files import read_vectors
from featurestore.features.effects.signature import mean_of_matches
from featurestore.features.identifiers import harmonise
from featurestore.features.kinds.embedding import EmbeddingFeature
from featurestore.features.matching import match_keys
from featurestore.features.perturbations import gene_rows
from featurestore.storage.checksums import file_sha256

if TYPE_CHECKING:
    from featurestore.query.warehouse import Warehouse

_MOST_LISTED = 1_000


def embedding_blocks(feature: EmbeddingFeature, given: BlockInputs) -> list[FeatureBlock]:
    """Give each row the vector of its target, or each measured gene its own; of both, either.

    Raises
    ------
    FeatureError
        As :func:`embedding_block`.
    """
    given.report(f"reading {feature.file}")
    rows = gene_rows(given.measured.genes["gene_id"]) if feature.is_of_genes else given.measured.rows
    genes = gene_rows(given.measured.genes["gene_id"]) if feature.is_of_both else None
    return [embedding_block(given.warehouse, feature, rows, genes)]


def embedding_block(
    warehouse: Warehouse, feature: EmbeddingFeature, rows: pl.DataFrame, genes: pl.DataFrame | None = None
) -> FeatureBlock:
    """Give each row the vector of its target, and genes as :func:`gene_rows` describes them, if any, their own.

    Vectors that become one identifier are averaged, sets united.

    Raises
    ------
    FeatureError
        The file cannot be read, holds no vectors, or none of its keys maps.
    """
    path = Path(feature.file)
    vectors = read_vectors(path, feature.key)
    ledger = harmonise(warehouse, vectors.keys.to_list())
    mapped = ledger["target_id"].is_not_null().to_numpy()
    if not mapped.any():
        raise FeatureError(
            "No key of the embedding maps to a gene or compound.",
            where=str(path),
            got=first_of(list(map(repr, vectors.keys)), 3),
            do="name the column of gene ids, symbols or compounds: key = ...",
        )
    names, place = np.unique(ledger["target_id"].filter(mapped).to_numpy(), return_inverse=True)
    total = np.zeros((len(names), vectors.values.shape[1]))
    np.add.at(total, place, vectors.values[mapped])
    merged = total > 0 if vectors.is_sets else total / np.bincount(place)[:, None]
    values = merged.astype(np.float32)
    matches = match_keys(rows, names.tolist(), feature.combination)
    lost = ledger.filter(pl.col("target_id").is_null())
    facts: dict[str, Any] = {
        "source": feature.block,
        "kind": feature.kind,
        "dataset_id": f"file:{path.name}",
        "release_id": file_sha256(path),
        "context_id": None,
        "context_label": None,
        "effect_kind": "embedding",
        "licence": feature.licence,
        "n_conditions": len(names),
        "keys": {
            "n_keys": len(vectors.keys),
            "n_merged": int(mapped.sum()) - len(names),
            "by_method": dict(ledger.drop_nulls("target_id").group_by("method").len().sort("method").iter_rows()),
            "n_not_mapped": lost.height,
            "not_mapped": dict(lost.head(_MOST_LISTED).select("original", "status").iter_rows()),
        },
    }
    columns = pl.DataFrame({"suffix": vectors.dimensions}).with_columns(gene_id=pl.lit(None, pl.String()))
    matched, of_genes = mean_of_matches(values, matches, rows.height), None
    if genes is not None:
        of_genes = mean_of_matches(values, match_keys(genes, names.tolist()), genes.height)
    return make_block(facts, matches, values, matched, columns, components=feature.components, of_genes=of_genes)
