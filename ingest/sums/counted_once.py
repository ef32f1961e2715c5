"""What sums say of themselves: cells that express a gene are some of those that were labelled, and each counts once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from featurestore.errors import WarehouseError


def require_counted_once(
    conditions: npt.NDArray[np.int32], n_expressing: npt.NDArray[np.int64], n_cells: npt.NDArray[np.int64]
) -> None:
    """Refuse sums of more cells than a condition has: a part of a file was added twice, or to another condition.

    Parameters
    ----------
    conditions
        Indices of the conditions.
    n_expressing
        Cells summed that express a gene. Shape (conditions, genes).
    n_cells
        Rows labelled with each condition. Shape (conditions,).

    Raises
    ------
    WarehouseError
        Some gene is expressed in more cells than were labelled.
    """
    most = n_expressing.max(axis=1, initial=0)
    over = np.flatnonzero(most > n_cells)
    if over.size:
        at = int(over[0])
        raise WarehouseError(
            "Sums hold more cells than were labelled: some count more than once.",
            where=f"condition_index {conditions[at]}, the first of {over.size:,} such conditions",
            expected=f"a gene expressed in at most {n_cells[at]:,} cells",
            got=f"{most[at]:,} cells",
            do="nothing was published; report this, and ingest again without --dask into an empty staging folder",
        )
