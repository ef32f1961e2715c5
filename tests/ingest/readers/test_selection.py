from __future__ import annotations

import numpy as np
import pytest

from featurestore.errors import SourceFormatError
from ingest.reader import CsrBlock, DenseBlock
from ingest.readers.selection import of_height, selected_blocks

MATRIX = np.arange(70.0).reshape(10, 7)


class Whole:
    """A reader that can only stream all of its matrix."""

    path = "whole"

    def __init__(self, height):
        self.height = height

    def blocks(self, block_bytes=0):
        for start in range(0, 10, self.height):
            yield DenseBlock(start, MATRIX[start : start + self.height])


@pytest.mark.parametrize("height", [1, 3, 4, 10])
def test_selected_blocks__of_any_reader_are_those_rows_and_genes(height):
    rows, genes = np.array([0, 3, 4, 9]), np.array([5, 0, 6])
    blocks = list(selected_blocks(Whole(height), rows, genes))
    assert [block.start for block in blocks] == np.cumsum([0, *(len(block.values) for block in blocks)])[:-1].tolist()
    np.testing.assert_array_equal(np.concatenate([block.values for block in blocks]), MATRIX[np.ix_(rows, genes)])


def test_selected_blocks__of_a_sparse_matrix_are_refused():
    class Sparse(Whole):
        def blocks(self, block_bytes=0):
            yield CsrBlock(0, np.zeros(1), np.zeros(0), np.zeros(0))

    with pytest.raises(SourceFormatError, match="sparse"):
        list(selected_blocks(Sparse(1), np.array([0]), np.array([0])))


@pytest.mark.parametrize("height", [1, 3, 4, 10])
@pytest.mark.parametrize("wanted", [1, 2, 5, 10, 20])
def test_of_height__cuts_and_joins_without_changing_a_value(height, wanted):
    blocks = list(of_height(Whole(height).blocks(), wanted))
    assert [block.start for block in blocks] == list(range(0, 10, wanted))
    assert [len(block.values) for block in blocks[:-1]] == [wanted] * (len(blocks) - 1)
    np.testing.assert_array_equal(np.concatenate([block.values for block in blocks]), MATRIX)
