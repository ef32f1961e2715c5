"""Effects of one dataset as a matrix of conditions and genes, filled by the release's integer keys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import polars as pl

from featurestore.errors import FeatureError
from featurestore.features.effects.tiles import fill_from_tiles
from featurestore.query.sqlfiles import sql_files
from featurestore.storage.release import release_files

if TYPE_CHECKING:
    from featurestore.query.warehouse import Warehouse

_BATCH = 1_000_000
"""Rows that are in flight between DuckDB and the matrix."""

_CONDITIONS = "select condition_index, condition_id from release.condition where dataset_id = ?"
_GENES = "select gene_index, gene_id, gene_symbol from release.gene where dataset_id = ? order by gene_index"
_KINDS = "select distinct effect_kind from release.signature where dataset_id = ? order by all"


@dataclass(frozen=True, slots=True)
class SignatureMatrix:
    """Effects of conditions on genes.

    Parameters
    ----------
    values
        float32, shape (conditions, genes), in units of ``effect_kind``; NaN where a pair has no effect.
    conditions
        condition_id of each row.
    genes
        gene_id and gene_symbol of each column.
    effect_kind
        Scale of the values.
    errors
        Their standard errors, where they were asked for; NaN where a pair has none.
    """

    values: npt.NDArray[np.float32]
    conditions: pl.DataFrame
    genes: pl.DataFrame
    effect_kind: str
    errors: npt.NDArray[np.float32] | None = None


def signature_matrix(
    warehouse: Warehouse, dataset_id: str, condition_ids: Sequence[str] | pl.Series, effect_kind: str
) -> SignatureMatrix:
    """Read the effects of some conditions of one dataset, rows in the order asked for, genes in the release's order.

    Raises
    ------
    UnknownDatasetError
        The snapshot has no such dataset.
    FeatureError
        The dataset has none of the conditions, or no effect of that kind.
    """
    warehouse.snapshot.release_of(dataset_id)
    conditions, genes, values = _read(warehouse, dataset_id, condition_ids, effect_kind, "effect")
    if conditions.height and np.isnan(values).all():
        raise _no_such_effect(warehouse, dataset_id, effect_kind)
    return SignatureMatrix(values, conditions, genes, effect_kind)


def standard_errors(
    warehouse: Warehouse, dataset_id: str, condition_ids: Sequence[str] | pl.Series, effect_kind: str
) -> npt.NDArray[np.float32]:
    """Read the standard errors of :func:`signature_matrix`, in its shape and order; NaN where one is unknown.

    Raises
    ------
    FeatureError
        It is unknown for all of them.
    """
    values = _read(warehouse, dataset_id, condition_ids, effect_kind, "standard_error")[2]
    if np.isnan(values).all():
        raise FeatureError(
            f"The {effect_kind} of '{dataset_id}' have no standard errors, so they cannot be shrunk by them.",
            where='shrink = "empirical_bayes"',
            do="set shrinkage, which goes by numbers of cells, or leave the effects as they are",
        )
    return values


def _read(
    warehouse: Warehouse, dataset_id: str, condition_ids: Sequence[str] | pl.Series, effect_kind: str, column: str
) -> tuple[pl.DataFrame, pl.DataFrame, npt.NDArray[np.float32]]:
    """Return conditions and genes, and one column of the signatures, shape (conditions, genes)."""
    conditions = pl.DataFrame({"condition_id": condition_ids}, schema={"condition_id": pl.String()})
    genes = _frame(warehouse, _GENES, dataset_id).with_row_index("column")
    known = _frame(warehouse, _CONDITIONS, dataset_id)
    rows = conditions.with_row_index("row").join(known, on="condition_id", how="inner")
    if rows.height < conditions.height:
        unknown = conditions.join(known, on="condition_id", how="anti")["condition_id"]
        raise FeatureError(f"'{dataset_id}' has no condition '{unknown[0]}'.", got=f"{len(unknown)} unknown conditions")
    values = np.full((conditions.height, genes.height), np.nan, dtype=np.float32)
    row_of = _positions(rows["condition_index"], rows["row"])
    column_of = _positions(genes["gene_index"], genes["column"])
    if not fill_from_tiles(_files(warehouse, dataset_id), effect_kind, row_of, column_of, values, column):
        query = sql_files("features")["effects"]
        parameters = {
            "dataset_id": dataset_id,
            "effect_kind": effect_kind,
            "condition_indices": rows["condition_index"].to_list(),
        }
        with warehouse.cursor([dataset_id], query) as cursor:
            for batch in cursor.sql(query, params=parameters).to_arrow_reader(_BATCH):
                wanted = ("condition_index", "gene_index", column)
                condition, gene, value = (batch.column(name).to_numpy(zero_copy_only=False) for name in wanted)
                values[row_of[condition], column_of[gene]] = value
    return conditions, genes.drop("column", "gene_index"), values


def _files(warehouse: Warehouse, dataset_id: str) -> list[Path]:
    """List the files of the dataset's signatures."""
    files = release_files(warehouse.path, dataset_id, warehouse.snapshot.release_of(dataset_id))
    return [path for table, path in files if table == "signature"]


def _frame(warehouse: Warehouse, query: str, dataset_id: str) -> pl.DataFrame:
    with warehouse.cursor([dataset_id], query) as cursor:
        frame: pl.DataFrame = cursor.sql(query, params=[dataset_id]).pl()
    return frame


def _positions(keys: pl.Series, positions: pl.Series) -> npt.NDArray[np.intp]:
    """Map keys to positions by a table, since the keys of a release are small integers."""
    index = keys.to_numpy()
    table = np.full(index.max(initial=-1) + 1, -1, dtype=np.intp)
    table[index] = positions.to_numpy()
    return table


def _no_such_effect(warehouse: Warehouse, dataset_id: str, effect_kind: str) -> FeatureError:
    kinds = _frame(warehouse, _KINDS, dataset_id)["effect_kind"]
    return FeatureError(
        f"The selected conditions of '{dataset_id}' have no {effect_kind}.",
        got=f"effect kinds of the dataset: {', '.join(kinds) or 'none'}",
        do="set effect_kind in the section of the feature spec that names it",
    )
