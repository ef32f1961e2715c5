"""Genes that a file pads with zeros, to have the columns of another."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ingest.reader import CsrBlock, DenseBlock, Reader


def zero_genes(reader: Reader) -> npt.NDArray[np.bool_]:
    """Find the genes that are zero in every row of a file, in one pass over its matrix. Shape (genes,)."""
    is_zero = np.ones(reader.n_genes, bool)
    for block in reader.blocks():
        if isinstance(block, DenseBlock):
            is_zero &= ~(block.values != 0).any(axis=0)
        elif isinstance(block, CsrBlock):
            is_zero[block.indices[block.data != 0]] = False
        else:
            columns = np.repeat(np.arange(block.start, block.start + block.indptr.size - 1), np.diff(block.indptr))
            is_zero[columns[block.data != 0]] = False
    return is_zero
