"""Reader of quantified samples, one file each: as salmon, kallisto, RSEM, featureCounts, HTSeq and STAR write them.

Lengths differ between samples and are no part of the genes. Where a program writes counts of transcripts and of genes,
those of genes are taken. Counts of reads outside of genes (``__no_feature``) are named like no gene, as published.
STAR counts each sample thrice, and has a matrix for each strand.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import polars as pl

from featurestore.errors import SourceFormatError, unlike
from ingest.reader import BLOCK_BYTES, INDEX, DenseBlock
from ingest.readers.columns import rows_of_keys
from ingest.readers.one_matrix import refuse_name
from ingest.readers.sample_files import QUANTIFIERS, SampleFile, samples_of
from ingest.readers.star import STRANDS, Stranded


class QuantifiedReader:
    """Samples of one program, open: a row is a sample."""

    def __init__(self, path: Path, name: str, samples: list[SampleFile]) -> None:
        self.path, self._samples = path, samples
        self.files = tuple(sample.path for sample in samples)
        self.program = samples[0].program
        self.matrices = STRANDS if isinstance(self.program, Stranded) else ()
        self.format = f"{name} ({self.program.name})"
        self._keys, _ = samples[0].read()
        self.n_rows, self.n_genes = len(samples), self._keys.len()

    def row_columns(self) -> list[str]:
        """Names of the samples are all that is known of them."""
        return [INDEX]

    def rows(self, columns: list[str] | None = None) -> pl.DataFrame:
        """Read the names of the samples."""
        return rows_of_keys(pl.Series([sample.name for sample in self._samples]), columns, str(self.path))

    def genes(self) -> pl.DataFrame:
        """Read the names of the genes, or transcripts."""
        return pl.DataFrame({INDEX: self._keys})

    def blocks(self, block_bytes: int = BLOCK_BYTES) -> Iterator[DenseBlock]:
        """Stream the samples."""
        height = max(1, block_bytes // (np.dtype(np.float64).itemsize * self.n_genes))
        for start in range(0, self.n_rows, height):
            samples = self._samples[start : start + height]
            yield DenseBlock(start, np.stack([self._counts(sample) for sample in samples]))

    def close(self) -> None:
        """Nothing is open."""

    def _counts(self, sample: SampleFile) -> npt.NDArray[np.float64]:
        """Read the counts of a sample in the order of the first one's genes."""
        keys, counts = sample.read()
        if keys.equals(self._keys):
            return counts
        order = pl.DataFrame({INDEX: self._keys}).join(
            pl.DataFrame({INDEX: keys, "at": np.arange(keys.len())}), on=INDEX, how="left", maintain_order="left"
        )["at"]
        if order.null_count() or not order.len() == keys.len() == keys.n_unique():
            raise SourceFormatError(
                "the samples were not counted over the same genes",
                where=str(sample.path),
                expected=f"the {self.n_genes:,} of {self._samples[0].path}, each once",
                got=f"{keys.len():,}{unlike(keys.to_list(), self._keys.to_list()) or ', some of them twice'}",
                do="quantify all samples with one index, or ingest them as separate datasets",
            )
        return np.asarray(counts[order.to_numpy()])


class QuantifiedFormat:
    """Quantified samples: one file, or a folder of them."""

    name: ClassVar[str] = "quantified"

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """Say whether this is the table of a sample, or a folder in which there are some."""
        return bool(samples_of(path))

    @classmethod
    def open(cls, path: Path, *, matrix: str | None = None) -> QuantifiedReader:
        """Open a sample, or all of a folder; of STAR's three counts, those that ``matrix`` names, else unstranded.

        Raises
        ------
        SourceFormatError
            It holds no sample, or two of one name; or a matrix is named that there is not.
        """
        samples = samples_of(path)
        if samples and isinstance(samples[0].program, Stranded):
            samples = _of_strand(samples, samples[0].program, path, matrix or STRANDS[0])
        else:
            refuse_name(cls.name, path, matrix)
        if not samples:
            raise SourceFormatError(
                "the table is not one of a quantified sample",
                where=str(path),
                expected=" or ".join(", ".join(program.header) for program in QUANTIFIERS),
            )
        names = [sample.name for sample in samples]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise SourceFormatError(
                "two samples have one name",
                where=", ".join(str(sample.path) for sample in samples if sample.name == twice),
                expected="a name for each sample",
                got=repr(twice),
                do="keep one of the files",
            )
        return QuantifiedReader(path, cls.name, samples)


def _of_strand(samples: list[SampleFile], program: Stranded, path: Path, strand: str) -> list[SampleFile]:
    """Read STAR's samples by a strand.

    Raises
    ------
    SourceFormatError
        There is none of this name.
    """
    if strand not in STRANDS:
        raise SourceFormatError(
            f"there is no matrix '{strand}'",
            where=str(path),
            expected=f"the strand that STAR counted: {', '.join(STRANDS)}",
        )
    return [replace(sample, program=replace(program, strand=strand)) for sample in samples]
