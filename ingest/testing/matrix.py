"""A matrix put together from its blocks, each held to what the protocol promises."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import scipy.sparse

from ingest.reader import BLOCK_BYTES, Block, CscBlock, CsrBlock, DenseBlock, Reader
from ingest.testing.case import require


def assemble(reader: Reader, block_bytes: int = BLOCK_BYTES) -> npt.NDArray[np.float64]:
    """Put a matrix together from its blocks, checking what the protocol promises of each; shape (rows, genes).

    Raises
    ------
    AssertionError
        A block is out of turn, too large, empty, or not what it says it is.
    """
    matrix = np.full((reader.n_rows, reader.n_genes), np.nan)
    done, kinds = 0, set()
    for block in reader.blocks(block_bytes):
        kinds.add(type(block))
        require(block.start == done, f"a block begins at {block.start}, the one before it ended at {done}")
        part = _part(block, reader, block_bytes)
        if isinstance(block, CscBlock):
            matrix[:, done : done + len(part)] = part.T
        else:
            matrix[done : done + len(part)] = part
        done += len(part)
    require(len(kinds) == 1, f"all blocks are of one class: got {kinds}")
    end = reader.n_genes if kinds == {CscBlock} else reader.n_rows
    require(done == end, f"blocks end at {done} of {end}")
    return matrix


def _part(block: Block, reader: Reader, block_bytes: int) -> npt.NDArray[np.float64]:
    """Check a block and give its rows, or its genes, in full."""
    if isinstance(block, DenseBlock):
        values, height, held = np.asarray(block.values), len(block.values), block.values.nbytes
        width = reader.n_genes
        require(values.shape == (height, width), f"a dense block has shape {values.shape}, {width} genes wide")
        room = block_bytes
    else:
        values, height = block.data, len(block.indptr) - 1
        held = sum(array.nbytes for array in (block.data, block.indices, block.indptr))
        room = block_bytes + block.indptr.itemsize
    require(values.dtype.kind in "iuf" and values.dtype.isnative, f"values are native numbers: got {values.dtype}")
    require(height > 0, "no block is empty")
    require(held <= room or height == 1, f"a block of {height} holds {held} bytes; {block_bytes} were allowed")
    return np.asarray(values, np.float64) if isinstance(block, DenseBlock) else _full(block, reader)


def _full(block: CsrBlock | CscBlock, reader: Reader) -> npt.NDArray[np.float64]:
    shape = (len(block.indptr) - 1, reader.n_genes if isinstance(block, CsrBlock) else reader.n_rows)
    part = scipy.sparse.csr_array((block.data, block.indices, block.indptr), shape=shape)
    try:
        part.check_format(full_check=True)
    except ValueError as error:
        raise AssertionError(f"a sparse block is not one: {error}") from error
    sorted_part = part.sorted_indices()
    require(bool(sorted_part.has_canonical_format), "a sparse block gives no value twice")
    return np.asarray(part.toarray(), np.float64)
