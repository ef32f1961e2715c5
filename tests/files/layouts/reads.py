"""A small genome, its annotation, and reads of cells and of samples over it: what programs that count reads are given.

Each gene has three exons and two transcripts, and HBA2 is HBA1 but for its end, so that some reads map to two genes.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

GENES = {
    "TP53": "ENSG00000141510",
    "MYC": "ENSG00000136997",
    "STAT1": "ENSG00000115415",
    "GAPDH": "ENSG00000111640",
    "JAK2": "ENSG00000096968",
    "IRF1": "ENSG00000125347",
    "CDKN1A": "ENSG00000124762",
    "ACTB": "ENSG00000075624",
    "CD274": "ENSG00000120217",
    "HBA1": "ENSG00000206172",
    "HBA2": "ENSG00000188536",
    "SPI1": "ENSG00000066336",
}
SYMBOLS = list(GENES)
SAMPLES = ("ctrl_1", "ctrl_2", "kd_1", "kd_2")
EXON, INTRON, BETWEEN = 400, 900, 1500
SPAN = 3 * EXON + 2 * INTRON
CELL_READ, SAMPLE_READ = 91, 75
BASES = np.frombuffer(b"ACGT", np.uint8)
PAIRS = str.maketrans("ACGT", "TGCA")


@dataclass(frozen=True)
class Reads:
    """Where the files are; ``cells`` has barcodes with UMIs (10x, version 3) and then the transcripts' reads."""

    genome: Path
    gtf: Path
    transcripts: Path
    whitelist: Path
    cells: tuple[Path, Path]
    samples: dict[str, tuple[Path, Path]]


def simulate(folder: Path, *, n_cells: int = 24, n_molecules: int = 120, n_pairs: int = 1000, seed: int = 7) -> Reads:
    """Write all files; a third of the cells has few molecules, and TP53 is low in two of the samples."""
    rng = np.random.default_rng(seed)
    genome = _letters(rng, BETWEEN + len(GENES) * (SPAN + BETWEEN))
    starts = {symbol: BETWEEN + at * (SPAN + BETWEEN) for at, symbol in enumerate(SYMBOLS)}
    alike = genome[starts["HBA1"] :][: SPAN - 150]
    genome = genome[: starts["HBA2"]] + alike + genome[starts["HBA2"] + len(alike) :]
    paths = [folder / name for name in ("genome.fa", "genes.gtf", "transcripts.fa", "whitelist.txt")]
    lines = "\n".join(genome[at : at + 60] for at in range(0, len(genome), 60))
    paths[0].write_text(f">1 dna:chromosome\n{lines}\n")
    paths[1].write_text("".join(_annotation(starts)))
    named = (f">{_transcript(at, form)}.1\n{_spliced(genome, starts[s], form)}\n" for at, s, form in _transcripts())
    paths[2].write_text("".join(named))
    barcodes = sorted({_letters(rng, 16) for _ in range(3 * n_cells)})
    paths[3].write_text("".join(f"{barcode}\n" for barcode in barcodes))
    weights = rng.gamma(2, 1, len(GENES))
    weights[[SYMBOLS.index("HBA1"), SYMBOLS.index("HBA2")]] = 3
    cells = list(_of_cells(rng, genome, starts, weights, barcodes[::3], n_molecules))
    of_cells = _fastq(folder, "cells", cells)
    samples = {}
    for at, sample in enumerate(SAMPLES):
        of_sample = weights / np.where(np.arange(len(GENES)) == 0, 8 if at > 1 else 1, 1)
        samples[sample] = _fastq(folder, sample, list(_of_sample(rng, genome, starts, of_sample, n_pairs)))
    return Reads(paths[0], paths[1], paths[2], paths[3], of_cells, samples)


def _letters(rng: np.random.Generator, n: int) -> str:
    return BASES[rng.integers(0, 4, n)].tobytes().decode()


def _transcripts() -> Iterator[tuple[int, str, tuple[int, ...]]]:
    """Give the place and symbol of each gene, with the exons of each of its transcripts."""
    return ((at, symbol, form) for at, symbol in enumerate(SYMBOLS) for form in ((0, 1, 2), (0, 2)))


def _transcript(at: int, form: Sequence[int]) -> str:
    return f"ENST00000{100_000 + 10 * at + 3 - len(form)}"


def _exon(start: int, number: int) -> tuple[int, int]:
    first = start + number * (EXON + INTRON)
    return first, first + EXON


def _spliced(genome: str, start: int, form: Sequence[int]) -> str:
    return "".join(genome[slice(*_exon(start, number))] for number in form)


def _annotation(starts: dict[str, int]) -> Iterator[str]:
    """Give the lines of a GTF as Ensembl writes them."""
    for at, symbol, form in _transcripts():
        own = f'gene_id "{GENES[symbol]}"; gene_version "{at + 3}";'
        named = f'gene_name "{symbol}"; gene_biotype "protein_coding";'
        start, whole = starts[symbol], f"{starts[symbol] + 1}\t{starts[symbol] + SPAN}\t.\t+\t.\t{own}"
        if len(form) > 2:
            yield f"1\thavana\tgene\t{whole} {named}\n"
        of = f'transcript_id "{_transcript(at, form)}"; transcript_version "1"; {named}'
        yield f"1\thavana\ttranscript\t{whole} {of}\n"
        for number in form:
            first, last = _exon(start, number)
            yield f'1\thavana\texon\t{first + 1}\t{last}\t.\t+\t.\t{own} {of} exon_number "{number + 1}";\n'


def _of_cells(
    rng: np.random.Generator,
    genome: str,
    starts: dict[str, int],
    weights: npt.NDArray[np.float64],
    barcodes: Sequence[str],
    n_molecules: int,
) -> Iterator[tuple[str, str]]:
    """Give barcode with UMI, and read: of exons, of the first intron, or of no gene; some molecules are read twice."""
    for at, barcode in enumerate(barcodes):
        for gene in rng.choice(len(GENES), n_molecules if at % 3 else 8, p=weights / weights.sum()):
            start, kind = starts[SYMBOLS[gene]], rng.random()
            source = _spliced(genome, start, (0, 1, 2) if rng.random() < 0.7 else (0, 2))
            if kind > 0.8:
                source = genome[start + EXON :][:INTRON] if kind < 0.95 else genome[:BETWEEN]
            first = rng.integers(0, len(source) - CELL_READ)
            pair = (barcode + _letters(rng, 12), source[first : first + CELL_READ])
            yield from [pair] * (1 + int(rng.random() < 0.3))


def _of_sample(
    rng: np.random.Generator, genome: str, starts: dict[str, int], weights: npt.NDArray[np.float64], n_pairs: int
) -> Iterator[tuple[str, str]]:
    """Give both ends of fragments, of either strand; one of twenty is of no gene."""
    for gene in rng.choice(len(GENES), n_pairs, p=weights / weights.sum()):
        source = _spliced(genome, starts[SYMBOLS[gene]], (0, 1, 2) if rng.random() < 0.7 else (0, 2))
        source = genome[:BETWEEN] if rng.random() < 0.05 else source
        length = int(np.clip(rng.normal(220, 20), 150, 300))
        first = rng.integers(0, len(source) - length)
        fragment = source[first : first + length]
        ends = (fragment[:SAMPLE_READ], fragment[-SAMPLE_READ:].translate(PAIRS)[::-1])
        yield ends if rng.random() < 0.5 else ends[::-1]


def _fastq(folder: Path, name: str, pairs: Sequence[tuple[str, str]]) -> tuple[Path, Path]:
    paths = (folder / f"{name}_R1.fastq.gz", folder / f"{name}_R2.fastq.gz")
    for end, path in enumerate(paths):
        text = "".join(
            f"@{name}.{at} {end + 1}\n{pair[end]}\n+\n{'I' * len(pair[end])}\n" for at, pair in enumerate(pairs)
        )
        path.write_bytes(gzip.compress(text.encode(), mtime=0))
    return paths
