"""STAR's ``ReadsPerGene.out.tab``: the reads of each gene of one sample, counted thrice, by strand.

No line names the columns: the gene, the reads of either strand, those on the strand of the gene (forward, htseq-count's
``-s yes``) and those on the other (reverse, as most stranded kits make them). Four lines of reads outside of genes come
first. Which of the three is right depends on the library; the sums of the two strands tell.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from ingest.readers.columns import decode
from ingest.readers.damage import telling_damage
from ingest.readers.plain_text import first_line, whole_text

STRANDS = ("unstranded", "forward", "reverse")
"""What the counts are called in a spec, in the order of their columns."""
FIRST = b"N_unmapped"
"""What the file begins with: the first kind of reads outside of genes."""
OUTSIDE = "^N_(unmapped|multimapping|noFeature|ambiguous)$"
FILE = re.compile(
    r"(?P<sample>.*?)(ReadsPerGene|[._-](ReadsPerGene|star|counts?|out|tab|tsv|txt))+(\.gz)?", re.IGNORECASE
)
"""What the files are called: as the sample, and some of these words; nothing but these in a folder for each."""
OF_ONE_STRAND, OF_BOTH = 0.8, (0.4, 0.6)
"""Part of the reads that are on one strand, at least, of a stranded library; and that are forward, of another."""
MOST_SUMMED = 40
"""How many samples are summed to tell the strand."""


@dataclass(frozen=True, slots=True)
class Stranded:
    """The program, and which of its three counts are read."""

    strand: str = STRANDS[0]
    name: str = "STAR"

    def wrote(self, path: Path) -> bool:
        """Say whether a table begins as it writes them."""
        fields = first_line(path).split(b"\t")
        return fields[0] == FIRST and len(fields) == 1 + len(STRANDS)

    def among(self, paths: Sequence[Path]) -> list[Path]:
        """Choose its files; one that is called so and damaged stays, to be refused by its name."""
        named = [path for path in paths if FILE.fullmatch(path.name) and path.is_file()]
        written = {path for path in named if self.wrote(path)}
        return [path for path in named if path in written or (written and "ReadsPerGene" in path.name)]

    def sample_of(self, path: Path) -> str:
        """Name a sample by what its file is called before STAR's words, or by its folder where those are all."""
        named = FILE.fullmatch(path.name)
        sample = named["sample"] if named else path.name.split(".")[0]
        return sample or path.resolve().parent.name

    def read(self, text: str) -> pl.DataFrame:
        """Take names and counts from a table."""
        table = _table(text)
        return table.select(table.columns[0], self.strand)


def likely_strand(paths: Sequence[Path]) -> tuple[str, str]:
    """Say which counts are of all reads, by their sums over genes and samples, and what the sums are.

    Raises
    ------
    SourceFormatError
        A file is damaged.
    """
    tables = []
    for path in paths[:MOST_SUMMED]:
        with telling_damage(path, "the table", expected="a gene and three counts on each line, tabs between them"):
            tables.append(_table(decode(whole_text(path))))
    genes = pl.concat(tables).filter(~pl.col("gene").str.contains(OUTSIDE)).select(STRANDS)
    sums = dict(zip(STRANDS, genes.sum().row(0), strict=True))
    told = ", ".join(f"{count:,.0f} {strand}" for strand, count in sums.items())
    forward = sums["forward"] / max(sums["forward"] + sums["reverse"], 1)
    strand = "forward" if forward > OF_ONE_STRAND else "reverse" if forward < 1 - OF_ONE_STRAND else "unstranded"
    is_clear = strand != "unstranded" or OF_BOTH[0] <= forward <= OF_BOTH[1]
    doubt = "" if is_clear else ", which tells neither a stranded library nor an unstranded one"
    return strand, f"reads of genes: {told}; {forward:.0%} of those of one strand are forward{doubt}"


def _table(text: str) -> pl.DataFrame:
    types = {"gene": pl.String} | dict.fromkeys(STRANDS, pl.Float64)
    return pl.read_csv(
        text.encode(),
        separator="\t",
        quote_char=None,
        has_header=False,
        new_columns=list(types),
        schema=types,
        glob=False,
    )
