"""Files of one sample each: which program wrote them, what the sample is called, and what was counted.

A folder holds a file for each sample, or a folder for each with the file in it. Programs that quantify transcripts call
their files alike, and a file is told by its header. Those that count reads (featureCounts, HTSeq) leave names to the
user, and one file is a table like others: a folder is told by two of them that begin with the same genes. STAR's are
told by their first line.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl

from featurestore.errors import SourceFormatError
from ingest.readers.columns import decode
from ingest.readers.damage import telling_damage
from ingest.readers.plain_text import UNREADABLE, first_line, open_text, text_lines, whole_text
from ingest.readers.star import Stranded
from ingest.readers.text_numbers import is_number

MOST_FILES = 20_000
ENDING = r"(\.gz)?"
KEY, COUNT = "name", "count"
COMMENT = "#"
SUMMARY = "Status"
"""How the header of featureCounts' summary begins, which lies beside each of its tables."""
MOST_BEFORE = 2
"""Lines before the first gene: featureCounts' comment and its header."""


@dataclass(frozen=True, slots=True)
class Quantifier:
    """What a program calls its files, and its columns: names, counts, and all as the header begins with them.

    RSEM has more where it is asked for posterior means and intervals. ``by_sample`` says that files are called as
    samples, not all alike in a folder for each.
    """

    name: str
    file: re.Pattern[str]
    key: str
    counts: str
    header: tuple[str, ...]
    by_sample: bool = False

    def wrote(self, path: Path) -> bool:
        """Say whether a table has its header."""
        try:
            return tuple(first_line(path).decode("utf-8").split("\t"))[: len(self.header)] == self.header
        except UnicodeDecodeError:
            return False

    def among(self, paths: Sequence[Path]) -> list[Path]:
        """Choose its files: those that are called so, where it wrote one of them."""
        named = [path for path in paths if self.file.fullmatch(path.name) and path.is_file()]
        return named if any(self.wrote(path) for path in named) else []

    def sample_of(self, path: Path) -> str:
        """Name a sample: by its file where that is called as it is, else by its folder."""
        named = self.file.fullmatch(path.name)
        if named and not self.by_sample:
            return path.resolve().parent.name
        return named["sample"] if named else path.name.split(".")[0]

    def read(self, text: str) -> pl.DataFrame:
        """Take names and counts from a table."""
        types = {self.key: pl.String, self.counts: pl.Float64}
        table = pl.read_csv(
            text.encode(),
            separator="\t",
            quote_char=None,
            columns=list(types),
            schema_overrides=types,
            null_values=[],
            glob=False,
        )
        return table.select(pl.col(self.key).alias(KEY), pl.col(self.counts).alias(COUNT))


@dataclass(frozen=True, slots=True)
class Counter:
    """A program that counts reads: the columns before the one of counts, none where it writes no header.

    Both write attributes of a gene, where they are asked to, between these and the counts: text. What people put in
    place of a header is passed over. Reads outside of genes stay in their lines, as published.
    """

    name: str
    header: tuple[str, ...]

    @property
    def n_fields(self) -> int:
        """How many fields a line has at least: of the gene, and the count."""
        return max(1, len(self.header)) + 1

    def fits(self, fields: Sequence[str]) -> bool:
        """Say whether a line is of a gene and one count."""
        attributes = fields[self.n_fields - 1 : -1]
        return len(fields) >= self.n_fields and not any(is_number(field.encode()) for field in attributes)

    def wrote(self, path: Path) -> bool:
        """Say whether its header, or a gene and a number, are in the first lines."""
        lines = [line.split("\t") for line in _beginning(path)]
        if not lines or lines[0][0] == SUMMARY or tuple(lines[0][: len(self.header)]) != self.header:
            return False
        return all(len(line) == len(lines[0]) and self.fits(line) for line in lines) and is_number(
            lines[-1][-1].encode()
        )

    def among(self, paths: Sequence[Path]) -> list[Path]:
        """Choose its files, where two begin alike; one that is damaged stays, to be refused by its name."""
        beginnings = {path: _beginning(path) for path in paths if COUNTED.fullmatch(path.name) and path.is_file()}
        written = {path for path in beginnings if self.wrote(path)}
        genes = [line.split("\t")[0] for path in written for line in beginnings[path][-1:]]
        if len(genes) == len(set(genes)):
            return []
        known = {line.split("\t")[0] for path in written for line in beginnings[path]}
        return [
            path
            for path, lines in beginnings.items()
            if path in written or not lines or lines[0].split("\t")[0] in known
        ]

    def sample_of(self, path: Path) -> str:
        """Name a sample by what its file is called before words such as ``counts``."""
        named = COUNTED.fullmatch(path.name)
        return named["sample"] if named else path.name

    def read(self, text: str) -> pl.DataFrame:
        """Take names and counts from a table.

        Raises
        ------
        ValueError
            It has another number of fields.
        """
        first = [line.rstrip("\r").split("\t") for line in text.split("\n", MOST_BEFORE)[:MOST_BEFORE]]
        n_before = sum(line[0].startswith(COMMENT) or not is_number(line[-1].encode()) for line in first)
        table = pl.read_csv(
            text.encode(),
            separator="\t",
            quote_char=None,
            has_header=False,
            skip_lines=n_before,
            infer_schema=False,
            null_values=[],
            glob=False,
        )
        if not self.fits(table.row(0)):
            raise ValueError(f"expected {self.n_fields} fields, got {table.width}")
        names, counts = table[:, 0], table[:, -1].str.strip_chars().cast(pl.Float64)
        return pl.DataFrame([names.alias(KEY), counts.alias(COUNT)])


Program: TypeAlias = Quantifier | Counter | Stranded
SALMON = ("Name", "Length", "EffectiveLength", "TPM", "NumReads")
KALLISTO = ("target_id", "length", "eff_length", "est_counts", "tpm")
KALLISTO_GENES = ("gene_id", "gene_name", "est_counts", "tpm")
RSEM = ("length", "effective_length", "expected_count", "TPM", "FPKM")
FEATURE_COUNTS = ("Chr", "Start", "End", "Strand", "Length")
QUANTIFIERS = (
    Quantifier("salmon, genes", re.compile(r"quant\.genes\.sf" + ENDING), "Name", "NumReads", SALMON),
    Quantifier("salmon", re.compile(r"quant\.sf" + ENDING), "Name", "NumReads", SALMON),
    Quantifier(
        "kallisto, genes", re.compile(r"abundance\.gene\.tsv" + ENDING), "gene_id", "est_counts", KALLISTO_GENES
    ),
    Quantifier("kallisto", re.compile(r"abundance\.tsv" + ENDING), "target_id", "est_counts", KALLISTO),
    Quantifier(
        *("RSEM, genes", re.compile(r"(?P<sample>.+)\.genes\.results" + ENDING), "gene_id", "expected_count"),
        header=("gene_id", "transcript_id(s)", *RSEM),
        by_sample=True,
    ),
    Quantifier(
        *("RSEM", re.compile(r"(?P<sample>.+)\.isoforms\.results" + ENDING), "transcript_id", "expected_count"),
        header=("transcript_id", "gene_id", *RSEM, "IsoPct"),
        by_sample=True,
    ),
)
COUNTED = re.compile(
    r"(?P<sample>.+?)([._-](ht[._-]?seq([._-]counts?)?|feature_?counts?|((gene|read|exon|raw)[._-]?)?counts?|reads?|"
    r"sorted|bam|tabular|txt|tsv|tab|out))+" + ENDING,
    re.IGNORECASE,
)
"""What files of counted reads are called: as the sample, and some of these words."""
STAR = Stranded()
PROGRAMS: tuple[Program, ...] = (
    *QUANTIFIERS,
    STAR,
    Counter("featureCounts", ("Geneid", *FEATURE_COUNTS)),
    Counter("HTSeq", ()),
)
"""Of two programs whose files are in a folder, the first is read."""
ONE_SAMPLE = (*QUANTIFIERS, STAR)
"""Programs of which one file is told by its first line."""


@dataclass(frozen=True, slots=True)
class SampleFile:
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
        with telling_damage(self.path, "the table", expected="a name and a count on each line, tabs between them"):
            table = self.program.read(decode(whole_text(self.path)))
        keys, counts = table.get_columns()
        missing = (keys.is_null() | counts.is_null() | ~counts.is_finite()).arg_true()
        if len(missing) or table.is_empty():
            raise SourceFormatError(
                "the table has a gene without a name or a count" if len(missing) else "the table has no genes",
                where=f"gene {missing[0] + 1:,} of {self.path}" if len(missing) else str(self.path),
                expected="a name and a count on each line",
                do="fetch the file again",
            )
        return keys, counts.to_numpy()


def is_quantified(path: Path) -> bool:
    """Say whether a file is the table of one quantified sample."""
    return path.is_file() and any(program.wrote(path) for program in ONE_SAMPLE)


def samples_of(path: Path) -> list[SampleFile]:
    """Find the samples that a file or folder holds; none where it is another thing."""
    if path.is_dir():
        return _samples_in(path)
    written = [program for program in ONE_SAMPLE if path.is_file() and program.wrote(path)]
    named = [program for program in written if isinstance(program, Quantifier) and program.file.fullmatch(path.name)]
    return [SampleFile(program.sample_of(path), path, program) for program in (named or written[-1:])]


def _samples_in(path: Path) -> list[SampleFile]:
    """Find the samples of one program in a folder, or in the folders in it."""
    try:
        entries = sorted(path.iterdir())[:MOST_FILES]
        below = [each for entry in entries if entry.is_dir() for each in sorted(entry.iterdir())[:MOST_FILES]]
    except OSError:
        return []
    for program in PROGRAMS:
        for files in (entries, below):
            if found := program.among(files):
                return [SampleFile(name, file, program) for name, file in _named(found, program)]
    return []


def _named(paths: Sequence[Path], program: Program) -> list[tuple[str, Path]]:
    """Name the samples of files; those that are all called alike, each in a folder of its own, by their folders."""
    are_alike = len(paths) > 1 and len({path.name for path in paths}) == 1
    return [(path.resolve().parent.name if are_alike else program.sample_of(path), path) for path in paths]


def _beginning(path: Path) -> list[str]:
    """Give the first two lines that are no comments; nothing where they cannot be read."""
    try:
        with open_text(path) as file:
            lines = [decode(line).rstrip("\r\n") for line in islice(text_lines(file, path), MOST_BEFORE + 1)]
    except UNREADABLE:
        return []
    return [line for line in lines if line and not line.startswith(COMMENT)][:MOST_BEFORE]
