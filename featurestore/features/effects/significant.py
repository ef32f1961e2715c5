"""Which genes respond to a condition: the calls that predictions of differential expression are held against."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
import numpy.typing as npt
import polars as pl

from featurestore.contract import FALSE_DISCOVERY_RATE
from featurestore.query.sqlfiles import sql_files

if TYPE_CHECKING:
    from featurestore.query.warehouse import Warehouse


@dataclass(frozen=True, slots=True)
class Calls:
    """Which genes respond to which conditions, and which were tested at all, shape (rows, genes)."""

    significant: npt.NDArray[np.bool_]
    tested: npt.NDArray[np.bool_]

    def __getitem__(self, rows: npt.NDArray[np.intp]) -> Self:
        return type(self)(self.significant[rows], self.tested[rows])


def read_calls(
    warehouse: Warehouse, dataset_id: str, effect_kind: str, rows: pl.DataFrame, genes: pl.DataFrame
) -> Calls | None:
    """Read which genes respond at a false discovery rate of 5 %; None where nothing was tested.

    A gene without a q-value was not tested: it is neither a responder nor none.

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
    placed = tested.join(row, on="condition_index").join(column, on="gene_index")
    at = placed["row"].to_numpy(), placed["column"].to_numpy()
    calls = Calls(*(np.zeros((rows.height, genes.height), dtype=bool) for _ in range(2)))
    calls.tested[at] = True
    calls.significant[at] = (placed["q_value"] < FALSE_DISCOVERY_RATE).to_numpy()
    return calls
