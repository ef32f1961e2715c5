"""Which genes respond to a condition: the calls that predictions of differential expression are held against."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import polars as pl

from featurestore.contract import FALSE_DISCOVERY_RATE
from featurestore.query.sqlfiles import sql_files

if TYPE_CHECKING:
    from featurestore.query.warehouse import Warehouse


def read_significant(
    warehouse: Warehouse, dataset_id: str, effect_kind: str, rows: pl.DataFrame, genes: pl.DataFrame
) -> npt.NDArray[np.bool_] | None:
    """Say which genes respond at a false discovery rate of 5 %, shape (rows, genes); None where nothing was tested.

    Parameters
    ----------
    warehouse
        An open warehouse.
    dataset_id, effect_kind
        What the rows are of.
    rows, genes
        Conditions, with ``condition_id``, and genes, with ``gene_id``.
    """
    parameters = {"dataset_id": dataset_id}
    query = "select condition_index, condition_id from release.condition where dataset_id = $dataset_id"
    row = rows.select("condition_id").with_row_index("row").join(warehouse.frame(query, parameters), on="condition_id")
    query = "select gene_index, gene_id from release.gene where dataset_id = $dataset_id"
    column = genes.select("gene_id").with_row_index("column").join(warehouse.frame(query, parameters), on="gene_id")
    wanted = parameters | {"effect_kind": effect_kind, "condition_indices": row["condition_index"].to_list()}
    tested = warehouse.frame(sql_files("features")["significant"], wanted)
    if tested.is_empty():
        return None
    called = (
        tested.filter(pl.col("q_value") < FALSE_DISCOVERY_RATE)
        .join(row, on="condition_index")
        .join(column, on="gene_index")
    )
    significant = np.zeros((rows.height, genes.height), dtype=bool)
    significant[called["row"].to_numpy(), called["column"].to_numpy()] = True
    return significant
