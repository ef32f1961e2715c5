"""Reader of quantified samples, one file each: as salmon, kallisto and RSEM write them.

A folder holds a file for each sample, or a folder for each with the file in it. A sample is called as its folder or
its file. Lengths differ between samples and are no part of the genes. Where a program writes counts of transcripts and
of genes, those of genes are taken.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import polars as pl

from featurestore.errors import SourceFormatError
from ingest.reader import BLOCK_BYTES, INDEX, DenseBlock
from ingest.readers.columns import decode, rows_of_keys
from ingest.readers.damage import telling_damage
from ingest.readers.one_matrix import refuse_name
from ingest.readers.plain_text import first_line, whole_text

MOST_FILES = 20_000
ENDING = r"(\.gz)?"


@dataclass(frozen=True, slots=True)
class Program:
    """What a program calls its files, and the columns of its table: names, counts, and the first as its header has it.

    ``by_sample`` says that files are called as samples, not all alike in a folder for each.
    """

    name: str
    file: re.Pattern[str]
    key: str
    counts: str
    header: tuple[str, ...]
    by_sample: bool = False


SALMON = ("Name", "Length", "EffectiveLength", "TPM", "NumReads")
KALLISTO = ("target_id", "length", "eff_length", "est_counts", "tpm")
RSEM = ("length", "effective_length", "expected_count", "TPM", "FPKM")
PROGRAMS = (
    Program("salmon, genes", re.compile(r"quant\.genes\.sf" + ENDING), "Name", "NumReads", SALMON),
    Program("salmon", re.compile(r"quant\.sf" + ENDING), "Name", "NumReads", SALMON),
    Program("kallisto", re.compile(r"abundance\.tsv" + ENDING), "target_id", "est_counts", KALLISTO),
    Program(
        *("RSEM, genes", re.compile(r"(?P<sample>.+)\.genes\.results" + ENDING), "gene_id", "expected_count"),
        header=("gene_id", "transcript_id(s)", *RSEM),
        by_sample=True,
    ),
    Program(
        *("RSEM", re.compile(r"(?P<sample>.+)\.isoforms\.results" + ENDING), "transcript_id", "expected_count"),
        header=("transcript_id", "gene_id", *RSEM, "IsoPct"),
        by_sample=True,
    ),
)
"""Of two programs whose files are in a folder, the first is read."""


@dataclass(frozen=True, slots=True)
class QuantifiedSample:
    """One sample: its name, its file and the program that wrote it."""

    name: str
    path: Path
    program: Program

    def read(self) -> tuple[pl.Series, npt.NDArray[np.float64]]:
        """Read the names of genes or transcripts, and the counts of each.

        Raises
        ------
        SourceFormatError
            The file is damaged.
        """
        program = self.program
        with telling_damage(self.path, "the table", expected=f"columns {', '.join(program.header)}, tabs between them"):
            table = pl.read_csv(
                decode(whole_text(self.path)).encode(),
                separator="\t",
                quote_char=None,
                schema_overrides={program.key: pl.String, program.counts: pl.Float64},
                columns=[program.key, program.counts],
                null_values=[],
            )
        keys, counts = table[program.key], table[program.counts]
        missing = (keys.is_null() | counts.is_null() | counts.is_nan()).arg_true()
        if len(missing) or table.is_empty():
            raise SourceFormatError(
                "the table has a gene without a name or a count" if len(missing) else "the table has no genes",
                where=f"line {missing[0] + 2:,} of {self.path}" if len(missing) else str(self.path),
                expected=f"'{program.key}' and '{program.counts}' on each line",
                do="fetch the file again",
            )
        return keys, counts.to_numpy()


class QuantifiedReader:
    """Samples of one program, open: a row is a sample."""

    def __init__(self, path: Path, name: str, samples: list[QuantifiedSample]) -> None:
        self.path, self._samples = path, samples
        self.files = tuple(sample.path for sample in samples)
        self.program = samples[0].program
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

    def _counts(self, sample: QuantifiedSample) -> npt.NDArray[np.float64]:
        """Read the counts of a sample in the order of the first one's genes."""
        keys, counts = sample.read()
        if keys.equals(self._keys):
            return counts
        order = pl.DataFrame({INDEX: self._keys}).join(
            pl.DataFrame({INDEX: keys, "at": np.arange(keys.len())}), on=INDEX, how="left", maintain_order="left"
        )["at"]
        if order.null_count() or not order.len() == keys.len() == keys.n_unique():
            n_shared = self._keys.is_in(keys.implode()).sum()
            raise SourceFormatError(
                "the samples were not counted over the same genes",
                where=str(sample.path),
                expected=f"the {self.n_genes:,} of {self._samples[0].path}, each once",
                got=f"{keys.len():,}, {n_shared:,} of them shared",
                do="quantify all samples with one index, or ingest them as separate datasets",
            )
        return np.asarray(counts[order.to_numpy()])


class QuantifiedFormat:
    """Quantified samples: one file, or a folder of them."""

    name: ClassVar[str] = "quantified"

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """Say whether this is the table of a sample, or a folder in which there are some."""
        return bool(_samples_of(path))

    @classmethod
    def open(cls, path: Path, *, matrix: str | None = None) -> QuantifiedReader:
        """Open a sample, or all of a folder."""
        refuse_name(cls.name, path, matrix)
        samples = _samples_of(path)
        if not samples:
            raise SourceFormatError(
                "the table is not one of a quantified sample",
                where=str(path),
                expected=" or ".join(", ".join(program.header) for program in PROGRAMS),
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


def is_quantified(path: Path) -> bool:
    """Say whether a file is the table of one quantified sample."""
    return path.is_file() and any(_wrote(program, path) for program in PROGRAMS)


def _samples_of(path: Path) -> list[QuantifiedSample]:
    """Find the samples that a file or folder holds; none where it is another thing."""
    if path.is_dir():
        return _samples_in(path)
    written = [program for program in PROGRAMS if path.is_file() and _wrote(program, path)]
    named = [program for program in written if program.file.fullmatch(path.name)]
    return [_sample(path, program) for program in (named or written[-1:])]


def _samples_in(path: Path) -> list[QuantifiedSample]:
    """Find the samples of one program in a folder, or in the folders in it."""
    try:
        entries = sorted(path.iterdir())[:MOST_FILES]
        below = [each for entry in entries if entry.is_dir() for each in sorted(entry.iterdir())[:MOST_FILES]]
    except OSError:
        return []
    for program in PROGRAMS:
        for files in (entries, below):
            named = [file for file in files if program.file.fullmatch(file.name) and file.is_file()]
            if any(_wrote(program, file) for file in named):
                return [_sample(file, program) for file in named]
    return []


def _sample(path: Path, program: Program) -> QuantifiedSample:
    """Name a sample: by its file where that is called as it is, else by its folder."""
    named = program.file.fullmatch(path.name)
    if not program.by_sample:
        name = path.resolve().parent.name if named else path.name.split(".")[0]
    else:
        name = named["sample"] if named else path.name.split(".")[0]
    return QuantifiedSample(name, path, program)


def _wrote(program: Program, path: Path) -> bool:
    """Say whether a table has the header of a program."""
    try:
        header = first_line(path).decode("utf-8")
    except UnicodeDecodeError:
        return False
    return tuple(header.split("\t")) == program.header
