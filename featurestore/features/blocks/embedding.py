"""Embeddings from files: any table of vectors keyed by gene or compound, brought to the warehouse's identifiers."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import polars as pl

from featurestore.errors import FeatureError
from featurestore.features.blocks.block import FeatureBlock, make_block
from featurestore.features.blocks.inputs import BlockInputs
from featurestore.features.effects.signature import mean_of_matches
from featurestore.features.identifiers import harmonise
from featurestore.features.kinds.embedding import EmbeddingFeature
from featurestore.features.perturbations import match_keys
from featurestore.storage.snapshot import file_sha256

if TYPE_CHECKING:
    from featurestore.query.warehouse import Warehouse

_MOST_LISTED = 1_000
_MATRIX = 2


def embedding_blocks(feature: EmbeddingFeature, given: BlockInputs) -> list[FeatureBlock]:
    """Give each row the vector of its target, or each measured gene its own.

    Raises
    ------
    FeatureError
        As :func:`embedding_block`.
    """
    given.report(f"reading {feature.file}")
    rows = gene_rows(given.measured.genes["gene_id"]) if feature.is_of_genes else given.measured.rows
    return [embedding_block(given.warehouse, feature, rows)]


def embedding_block(warehouse: Warehouse, feature: EmbeddingFeature, rows: pl.DataFrame) -> FeatureBlock:
    """Give each row the vector of its target; vectors that become one identifier are averaged.

    Raises
    ------
    FeatureError
        The file cannot be read, holds no vectors, or none of its keys maps.
    """
    path = Path(feature.file)
    keys, vectors = read_vectors(path, feature.key)
    ledger = harmonise(warehouse, keys.to_list())
    mapped = ledger["target_id"].is_not_null().to_numpy()
    if not mapped.any():
        raise FeatureError(
            "No key of the embedding maps to a gene or compound.",
            where=str(path),
            got=", ".join(map(repr, keys.head(3))),
            do="name the column of gene ids, symbols or compounds: key = ...",
        )
    names, place = np.unique(ledger["target_id"].filter(mapped).to_numpy(), return_inverse=True)
    total = np.zeros((len(names), vectors.shape[1]))
    np.add.at(total, place, vectors[mapped])
    values = (total / np.bincount(place)[:, None]).astype(np.float32)
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
            "n_keys": len(keys),
            "n_merged": int(mapped.sum()) - len(names),
            "by_method": dict(ledger.drop_nulls("target_id").group_by("method").len().sort("method").iter_rows()),
            "n_not_mapped": lost.height,
            "not_mapped": dict(lost.head(_MOST_LISTED).select("original", "status").iter_rows()),
        },
    }
    columns = pl.DataFrame(
        {
            "suffix": [f"dim_{i:04d}" for i in range(1, values.shape[1] + 1)],
            "gene_id": pl.Series([None] * values.shape[1], dtype=pl.String()),
        }
    )
    matched = mean_of_matches(values, matches, rows.height)
    return make_block(facts, matches, values, matched, columns, components=feature.components)


def gene_rows(gene_ids: pl.Series) -> pl.DataFrame:
    """Describe genes as rows that have them for their target, so that each is given its own vector."""
    text = pl.lit(None, pl.String())
    return pl.DataFrame({"perturbation_id": gene_ids}).with_columns(
        target_gene_ids=pl.concat_list("perturbation_id"), compound_id=text, perturbation_kind=text
    )


def read_vectors(path: Path, key: str | None = None) -> tuple[pl.Series, npt.NDArray[np.float32]]:
    """Read keys and vectors of a Parquet, CSV or npz file; nothing in it is ever executed.

    A table has one column of keys (``key``, else the first of text) and numbers, or one column of lists of numbers. An
    npz has an array of text and a matrix with as many rows.

    Returns
    -------
    The keys, and the vectors, float32, shape (keys, dimensions).

    Raises
    ------
    FeatureError
        The file cannot be read or holds something else.
    """
    try:
        keys, vectors = _read_npz(path, key) if path.suffix.lower() == ".npz" else _read_table(path, key)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile, pl.exceptions.PolarsError) as error:
        got = " ".join(str(error).split())
        raise _unusable(path, got or type(error).__name__) from None
    if len(keys) != len(vectors) or not vectors.size:
        raise _unusable(path, f"{len(keys)} keys and vectors of shape {vectors.shape}")
    if not np.isfinite(vectors).all():
        raise _unusable(path, f"{int((~np.isfinite(vectors)).any(axis=1).sum())} vectors with missing values")
    return keys.cast(pl.String()), vectors


def _read_table(path: Path, key: str | None) -> tuple[pl.Series, npt.NDArray[np.float32]]:
    is_text = path.suffix.lower() in {".csv", ".tsv", ".txt"}
    separator = "," if path.suffix.lower() == ".csv" else "\t"
    frame = pl.read_csv(path, separator=separator, infer_schema_length=None) if is_text else pl.read_parquet(path)
    text = [name for name, dtype in frame.schema.items() if dtype == pl.String()]
    name = key or (text[0] if text else frame.columns[0])
    keys = frame[name]
    numbers = frame.drop(name)
    lists = [column for column, dtype in numbers.schema.items() if dtype.base_type() in {pl.List, pl.Array}]
    if lists:
        return keys, np.asarray(numbers[lists[0]].to_list(), dtype=np.float32)
    chosen = numbers.select(column for column, dtype in numbers.schema.items() if dtype.is_numeric())
    return keys, np.asarray(chosen.cast(pl.Float32()).fill_null(float("nan")).to_numpy(), dtype=np.float32)


def _read_npz(path: Path, key: str | None) -> tuple[pl.Series, npt.NDArray[np.float32]]:
    with np.load(path, allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    texts = [name for name, array in arrays.items() if array.dtype.kind in "US" and array.ndim == 1]
    matrices = [array for array in arrays.values() if array.ndim == _MATRIX and array.dtype.kind in "fiu"]
    if key is None and not texts:
        raise ValueError(f"no array of text among {', '.join(arrays) or 'none'}")
    if not matrices:
        raise ValueError(f"no matrix of numbers among {', '.join(arrays) or 'none'}")
    return pl.Series(arrays[key or texts[0]].astype(str)), matrices[0].astype(np.float32)


def _unusable(path: Path, got: str) -> FeatureError:
    return FeatureError(
        "The embedding cannot be used.",
        where=str(path),
        expected="a table (Parquet, CSV) or npz of keys and finite vectors",
        got=got,
        do="write it as Parquet with one column of gene or compound names and the rest numbers",
    )
