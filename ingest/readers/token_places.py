"""Bring cells given as tokens to genes, in one sweep: markers and tokens without a gene are left out on the way."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from ingest.reader import Integers, Numbers


@njit(cache=True, nogil=True)
def place_tokens(
    indptr: Integers,
    tokens: Integers,
    values: Numbers,
    position: npt.NDArray[np.int32],
    genes: npt.NDArray[np.int32],
    kept: Any,
    ends: npt.NDArray[np.int64],
) -> tuple[int, int, int]:
    """Write the gene and value of every token that has a gene, and where each cell ends.

    Parameters
    ----------
    indptr
        Where each cell begins. Shape (cells + 1,).
    tokens, values
        Of all cells. A first value below 0 is of a marker. Shape (tokens,).
    position
        Gene by token, -1 for none.
    genes, kept
        Filled: gene and value. Shape (tokens,).
    ends
        Filled: where each cell begins now. Shape (cells + 1,).

    Returns
    -------
    How many are kept, how many tokens have no gene, and where the first is that its cell holds twice, -1 for nowhere.
    """
    cell_of = np.full(position.size, -1, np.int64)
    n_kept, n_unknown, repeat = 0, 0, -1
    ends[0] = 0
    for cell in range(indptr.size - 1):
        for k in range(indptr[cell], indptr[cell + 1]):
            if k == indptr[cell] and values[k] < 0:
                continue
            token = tokens[k]
            gene = position[token] if 0 <= token < position.size else -1
            if gene < 0:
                n_unknown += 1
                continue
            if cell_of[gene] == cell and repeat < 0:
                repeat = k
            cell_of[gene] = cell
            genes[n_kept] = gene
            kept[n_kept] = values[k]
            n_kept += 1
        ends[cell + 1] = n_kept
    return n_kept, n_unknown, repeat
