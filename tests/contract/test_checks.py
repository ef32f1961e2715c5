"""The checks of the reader contract find a reader that breaks one of its promises."""

from __future__ import annotations

import dataclasses

import numpy as np
import polars as pl
import pytest

from ingest.reader import BLOCK_BYTES, CsrBlock, DenseBlock
from ingest.readers.h5ad import H5adFormat, H5adReader
from ingest.testing import CHECKS, Case, assemble, check_reader
from layouts.examples import COUNTS, EXAMPLES


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return EXAMPLES["h5ad"]["csr"](tmp_path_factory.mktemp("h5ad"))


def faulty(reader=H5adReader, recognises=H5adFormat.recognises):
    """A format that opens files with another class of reader, or tells them otherwise."""

    class Faulty(H5adFormat):
        @classmethod
        def open(cls, path, *, matrix=None):
            return reader(path, matrix)

    Faulty.recognises = staticmethod(recognises)
    return Faulty


class GoesBySuffix(H5adFormat):
    @classmethod
    def recognises(cls, path):
        return path.suffix == ".h5ad"


class CallsItselfOtherwise(H5adReader):
    format = property(lambda self: "other", lambda self, value: None)


class KeepsFileToItself(H5adReader):
    files = property(lambda self: (self.path, self.path), lambda self, value: None)


class ListsNoIndex(H5adReader):
    def row_columns(self):
        return super().row_columns()[1:]


class GivesNan(H5adReader):
    def rows(self, columns=None):
        return super().rows(columns).with_columns(pl.col(pl.Float64).fill_null(float("nan")))


class LosesAGene(H5adReader):
    def genes(self):
        return super().genes().head(-1)


class KeysGenesByNumber(H5adReader):
    def genes(self):
        return super().genes().with_row_index("number").select(index="number", gene_name="gene_name")


class IgnoresUnknownColumns(H5adReader):
    def rows(self, columns=None):
        return super().rows([name for name in columns or self.row_columns() if name in self.row_columns()])


class TakesAnyMatrix(H5adReader):
    def __init__(self, path, matrix=None):
        super().__init__(path)


class SkipsTheLastBlock(H5adReader):
    def blocks(self, block_bytes=BLOCK_BYTES):
        *most, _ = super().blocks(block_bytes)
        yield from most


class OverlapsBlocks(H5adReader):
    def blocks(self, block_bytes=BLOCK_BYTES):
        for block in super().blocks(block_bytes):
            yield dataclasses.replace(block, start=0)


class IgnoresTheBlockSize(H5adReader):
    def blocks(self, block_bytes=BLOCK_BYTES):
        return super().blocks()


class StreamsOnce(H5adReader):
    def blocks(self, block_bytes=BLOCK_BYTES):
        if not hasattr(self, "stream"):
            self.stream = super().blocks(1)
        return self.stream


class RoundsSmallBlocks(H5adReader):
    def blocks(self, block_bytes=BLOCK_BYTES):
        for block in super().blocks(block_bytes):
            yield block if block_bytes > 1 else dataclasses.replace(block, data=block.data * 0)


class MixesKinds(H5adReader):
    def blocks(self, block_bytes=BLOCK_BYTES):
        for at, block in enumerate(super().blocks(block_bytes)):
            yield DenseBlock(block.start, COUNTS[[block.start]]) if at == 0 and len(block.indptr) == 2 else block


class GivesAGeneTwice(H5adReader):
    def blocks(self, block_bytes=BLOCK_BYTES):
        for block in super().blocks(block_bytes):
            yield CsrBlock(block.start, block.indptr * 2, np.repeat(block.indices, 2), np.repeat(block.data, 2))


class GivesText(H5adReader):
    def blocks(self, block_bytes=BLOCK_BYTES):
        for block in super().blocks(block_bytes):
            yield dataclasses.replace(block, data=block.data.astype(str))


class LetsDamageThrough(H5adFormat):
    @classmethod
    def recognises(cls, path):
        return path.is_file() and path.read_bytes()[:4] == b"\x89HDF" and path.stat().st_size > 4096

    @classmethod
    def open(cls, path, *, matrix=None):
        try:
            return super().open(path, matrix=matrix)
        except ValueError as error:
            raise RuntimeError from error if "damaged" in str(error) else None


FAULTS = [
    (GoesBySuffix, "suffix"),
    (faulty(recognises=lambda path: path.exists()), "recognises an empty file"),
    (faulty(recognises=lambda path: False), "does not recognise"),
    (faulty(CallsItselfOtherwise), "format is the name"),
    (faulty(KeepsFileToItself), "distinct"),
    (faulty(ListsNoIndex), "row_columns"),
    (faulty(GivesNan), "NaN"),
    (faulty(LosesAGene), "genes() has 7 lines"),
    (faulty(KeysGenesByNumber), "is text"),
    (faulty(IgnoresUnknownColumns), "names the column"),
    (faulty(TakesAnyMatrix), "a matrix that is not there"),
    (faulty(SkipsTheLastBlock), "blocks"),
    (faulty(OverlapsBlocks), "begins at 0"),
    (faulty(IgnoresTheBlockSize), "were allowed"),
    (faulty(StreamsOnce), "block"),
    (faulty(RoundsSmallBlocks), "depends on the size"),
    (faulty(MixesKinds), "one class"),
    (faulty(GivesAGeneTwice), "twice"),
    (faulty(GivesText), "native numbers"),
]


@pytest.mark.parametrize(("kind", "message"), FAULTS, ids=lambda value: getattr(value, "__name__", str(value)))
def test_check_reader__finds_the_fault(kind, message, path):
    with pytest.raises(AssertionError) as raised:
        check_reader(kind, path)
    assert message in str(raised.value)


def test_check_reader__lets_no_other_error_through(path):
    with pytest.raises(RuntimeError):
        check_reader(LetsDamageThrough, path)


def test_check_reader__is_all_of_the_checks(path):
    check_reader(H5adFormat, path)
    assert len(CHECKS) == 6


def test_assemble__gives_the_matrix(path):
    with Case(H5adFormat, path).open() as reader:
        np.testing.assert_array_equal(assemble(reader), COUNTS)
