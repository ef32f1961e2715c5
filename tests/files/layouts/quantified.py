"""Samples, a file each, as programs that quantify or count reads write them.

Headers, names and numbers are compared with those of salmon 1.10.1, kallisto 0.48.0 and 0.52.0, RSEM 1.3.1,
featureCounts 2.0.3, HTSeq 2.1.2 and STAR 2.7.10b by ``make test-writers``.
"""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import polars as pl

from ingest.layouts.h5ad import Matrix
from layouts.tables import AFTER_HTSEQ, BEFORE

Counter = Literal["featureCounts", "HTSeq"]
Quantifier = Literal["salmon", "kallisto", "RSEM", "RSEM, genes"]
COLUMNS = {
    "salmon": ("Name", "Length", "EffectiveLength", "TPM", "NumReads"),
    "kallisto": ("target_id", "length", "eff_length", "est_counts", "tpm"),
    "RSEM": (
        *("transcript_id", "gene_id", "length", "effective_length", "expected_count"),
        *("TPM", "FPKM", "IsoPct"),
    ),
    "RSEM, genes": (
        *("gene_id", "transcript_id(s)", "length", "effective_length"),
        *("expected_count", "TPM", "FPKM"),
    ),
}
FILES = {
    "salmon": "{sample}/quant.sf",
    "kallisto": "{sample}/abundance.tsv",
    "RSEM": "{sample}.isoforms.results",
    "RSEM, genes": "{sample}.genes.results",
}
NUMBERS = {"salmon": "{:.3f}", "kallisto": "{:.6g}", "RSEM": "{:.2f}", "RSEM, genes": "{:.2f}"}
"""How counts are written."""
KINDS = {
    **dict.fromkeys(("numreads", "est_counts", "expected_count"), "counts"),
    **dict.fromkeys(("effectivelength", "eff_length", "effective_length"), "effective"),
    **dict.fromkeys(("gene_id", "transcript_id(s)"), "others"),
    "length": "length",
    "isopct": "share",
}
"""What a column holds, by its name in lower case; any other counts per million."""


def write_quantified(
    folder: Path,
    matrix: Matrix,
    samples: Sequence[str],
    names: Sequence[str],
    program: Quantifier,
    genes: Sequence[str] = (),
) -> list[Path]:
    """Write the file of each sample, a matrix of shape (samples, transcripts or genes), and return their paths.

    ``genes`` are those of the transcripts, as RSEM has them beside; lengths differ between samples, as estimated.
    """
    paths = []
    for at, (sample, counts) in enumerate(zip(samples, matrix, strict=True)):
        path = folder / FILES[program].format(sample=sample)
        path.parent.mkdir(parents=True, exist_ok=True)
        total = max(float(counts.sum()), 1.0)
        per_million = [f"{1e6 * value / total:.6g}" for value in counts]
        values = {
            "counts": [NUMBERS[program].format(value) for value in counts],
            "length": [str(900 + column) for column in range(len(counts))],
            "effective": [f"{700.5 + at}"] * len(counts),
            "others": list(genes) or list(names),
            "share": ["100.00"] * len(counts),
        }
        named = {column: values.get(KINDS.get(column.lower(), ""), per_million) for column in COLUMNS[program]}
        table = pl.DataFrame(named | {COLUMNS[program][0]: list(names)})
        table.write_csv(path, separator="\t", quote_style="never")
        paths.append(path)
    return paths


def write_counted(
    folder: Path, matrix: Matrix, samples: Sequence[str], genes: Sequence[str], program: Counter, name: str
) -> list[Path]:
    """Write the file of each sample as a program does that counts reads, and return their paths.

    ``name`` is what a file is called, with the place of the ``{sample}``; reads outside of genes are 1,000 of a kind.
    """
    paths = []
    for sample, counts in zip(samples, matrix, strict=True):
        path = folder / name.format(sample=sample)
        path.parent.mkdir(parents=True, exist_ok=True)
        if program == "HTSeq":
            lines = [f"{gene}\t{value}" for gene, value in zip(genes, counts, strict=True)]
            lines += [f"{kind}\t1000" for kind in AFTER_HTSEQ]
        else:
            described = "1;1\t1;500\t300;900\t+;+\t"
            lines = [*BEFORE["featurecounts"], f"Geneid\tChr\tStart\tEnd\tStrand\tLength\t/bam/{sample}.sorted.bam"]
            lines += [
                f"{gene}\t{described}{900 + at}\t{value}"
                for at, (gene, value) in enumerate(zip(genes, counts, strict=True))
            ]
            summary = f"Status\t/bam/{sample}.sorted.bam\nAssigned\t{counts.sum()}\nUnassigned_Unmapped\t1000\n"
            path.with_name(f"{path.name}.summary").write_text(summary)
        text = "".join(f"{line}\n" for line in lines).encode()
        path.write_bytes(gzip.compress(text, mtime=0) if path.suffix == ".gz" else text)
        paths.append(path)
    return paths


def write_by_strand(
    folder: Path, forward: Matrix, backward: Matrix, samples: Sequence[str], genes: Sequence[str], name: str
) -> list[Path]:
    """Write the file of each sample as STAR does, by the reads of either strand, and return their paths.

    ``name`` is what a file is called, with the place of the ``{sample}``; reads outside of genes are 1,000 of a kind.
    """
    paths = []
    for sample, *strands in zip(samples, forward, backward, strict=True):
        path = folder / name.format(sample=sample)
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = [f"N_{kind}\t1000\t1000\t1000" for kind in ("unmapped", "multimapping", "noFeature", "ambiguous")]
        lines += [f"{gene}\t{one + two}\t{one}\t{two}" for gene, one, two in zip(genes, *strands, strict=True)]
        text = "".join(f"{line}\n" for line in lines).encode()
        path.write_bytes(gzip.compress(text, mtime=0) if path.suffix == ".gz" else text)
        paths.append(path)
    return paths


def write_gtf(path: Path, transcripts: Sequence[str], genes: Sequence[str], symbols: Sequence[str]) -> Path:
    """Write an annotation as Ensembl does, versions in attributes of their own; gzip where the name ends in ``.gz``."""
    lines = ["#!genome-build GRCh38.p14"]
    for at, (transcript, gene, symbol) in enumerate(zip(transcripts, genes, symbols, strict=True)):
        (gene_id, of_gene), (transcript_id, of_transcript) = (name.split(".") for name in (gene, transcript))
        named = f'gene_id "{gene_id}"; gene_version "{of_gene}"; gene_name "{symbol}"; gene_biotype "protein_coding";'
        own = f'{named} transcript_id "{transcript_id}"; transcript_version "{of_transcript}";'
        place = f"{1000 * at + 1}\t{1000 * at + 900}\t.\t+\t."
        lines += [f"1\thavana\tgene\t{place}\t{named}"] if gene not in genes[:at] else []
        lines += [f"1\thavana\t{feature}\t{place}\t{own}" for feature in ("transcript", "exon")]
    text = "".join(f"{line}\n" for line in lines).encode()
    path.write_bytes(gzip.compress(text, mtime=0) if path.suffix == ".gz" else text)
    return path
