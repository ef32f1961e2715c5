"""salmon, kallisto, RSEM, featureCounts, HTSeq and STAR, run on simulated reads: read as NumPy does, miniatures alike.

Run by ``make test-writers``; programs that are not installed are skipped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("kb_python", reason="part of make test-writers")

import kb_python.config

from ingest.inspection.inspect import inspect_file
from ingest.readers.open import open_source
from ingest.readers.star import STRANDS
from ingest.readers.transcripts import GenesOfTranscripts
from ingest.testing import assemble
from layouts.programs import require_sums, run, star_index
from layouts.quantified import COLUMNS, FILES, write_by_strand, write_counted, write_quantified
from layouts.reads import GENES, SAMPLES, Reads
from layouts.tables import AFTER_HTSEQ

pytestmark = pytest.mark.filterwarnings("ignore")


def columns(path: Path) -> dict[str, list[str]]:
    """A table with a header, as text."""
    header, *lines = (line.split("\t") for line in path.read_text().splitlines() if not line.startswith("#"))
    return dict(zip(header, map(list, zip(*lines, strict=True)), strict=True))


def ends(reads: Reads) -> Iterator[tuple[str, Path, Path]]:
    return ((sample, *pair) for sample, pair in reads.samples.items())


def by_salmon(reads: Reads, folder: Path) -> None:
    run("salmon", "index", "-t", reads.transcripts, "-i", "index", within=folder.parent)
    for sample, one, two in ends(reads):
        given = ("-i", "index", "-l", "A", "-1", one, "-2", two, "-p", "1")
        run("salmon", "quant", *given, "-o", folder / sample, within=folder.parent)


def by_kallisto(reads: Reads, folder: Path, program: str = "kallisto") -> None:
    run(program, "index", "-i", "index", reads.transcripts, within=folder.parent)
    for sample, *pair in ends(reads):
        run(program, "quant", "-i", "index", "-o", folder / sample, *pair, within=folder.parent)


def by_kallisto_of_kb(reads: Reads, folder: Path) -> None:
    by_kallisto(reads, folder, kb_python.config.get_kallisto_binary_path())


def by_rsem(reads: Reads, folder: Path, *options: str) -> None:
    for program in ("bowtie2", "samtools"):  # rsem-calculate-expression calls both
        run(program, "--version", within=folder.parent)
    given = ("--gtf", reads.gtf, "--bowtie2", reads.genome, "reference")
    run("rsem-prepare-reference", *given, within=folder.parent)
    for sample, *pair in ends(reads):
        how = ("--paired-end", "--bowtie2", "--no-bam-output", *options)
        run("rsem-calculate-expression", *how, *pair, "reference", folder / sample, within=folder.parent)


def by_rsem_with_intervals(reads: Reads, folder: Path) -> None:
    by_rsem(reads, folder, "--calc-pme", "--calc-ci", "--ci-memory", "200")


@pytest.fixture(scope="module")
def quantified(reads, tmp_path_factory):
    """The folder of a program, by what runs it once."""
    made: dict[Callable[[Reads, Path], None], Path] = {}

    def folder_of(program: Callable[[Reads, Path], None]) -> Path:
        if program not in made:
            folder = tmp_path_factory.mktemp("quantified") / "samples"
            folder.mkdir()
            program(reads, folder)
            made[program] = folder
        return made[program]

    return folder_of


PROGRAMS = {
    by_salmon: ("salmon", "NumReads"),
    by_kallisto: ("kallisto", "est_counts"),
    by_kallisto_of_kb: ("kallisto", "est_counts"),
    by_rsem: ("RSEM, genes", "expected_count"),
    by_rsem_with_intervals: ("RSEM, genes", "expected_count"),
}


@pytest.mark.parametrize("program", PROGRAMS)
def test_quantified__is_read_as_numpy_reads_it_and_ingested_to_its_sums(quantified, reads, program):
    folder, (name, column) = quantified(program), PROGRAMS[program]
    read = [columns(folder / FILES[name].format(sample=sample)) for sample in SAMPLES]
    keys = read[0][COLUMNS[name][0]]
    counts = np.array([table[column] for table in read], np.float64)
    reader = open_source(folder)
    assert reader.format == f"quantified ({name})"
    assert reader.rows()["index"].to_list() == list(SAMPLES)
    assert reader.genes()["index"].to_list() == keys
    np.testing.assert_array_equal(assemble(reader), counts)
    assert inspect_file(folder).values.kind == "estimated_counts"
    if name in {"salmon", "kallisto"}:
        (folder.parent / "genes.gtf").write_text(reads.gtf.read_text())
        counts = counts[:, ::2] + counts[:, 1::2]  # two transcripts a gene, in order
        np.testing.assert_allclose(assemble(GenesOfTranscripts(reader, reads.gtf)), counts)
        keys = list(GENES.values())
    symbols = {of: symbol for symbol, of in GENES.items()}
    require_sums(folder, counts, SAMPLES, [symbols[key] for key in keys])


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("of", ["all", "transcripts"])
def test_quantified__miniature_has_the_same_header_names_and_counts(quantified, tmp_path, program, of):
    folder, (name, column) = quantified(program), PROGRAMS[program]
    name = "RSEM" if of == "transcripts" and name == "RSEM, genes" else name
    read = columns(folder / FILES[name].format(sample=SAMPLES[0]))
    counts = np.array([read[column]], np.float64)
    first = COLUMNS[name][0]
    [path] = write_quantified(tmp_path, counts, SAMPLES[:1], read[first], name)
    assert path.relative_to(tmp_path) == (folder / FILES[name].format(sample=SAMPLES[0])).relative_to(folder)
    written = columns(path)
    assert list(written) == list(read)[: len(written)]
    assert len(read) == len(written) or program is by_rsem_with_intervals
    assert (written[first], written[column]) == (read[first], read[column])


@pytest.fixture(scope="module")
def aligned(reads, tmp_path_factory):
    """Alignments of the samples, by STAR, called as the samples."""
    folder = tmp_path_factory.mktemp("aligned")
    index = star_index(reads, folder)
    how = ["--readFilesCommand", "zcat", "--outSAMtype", "BAM", "SortedByCoordinate", "--limitBAMsortRAM", "300000000"]
    how += ["--quantMode", "GeneCounts"]
    for sample, *pair in ends(reads):
        given = ("--genomeDir", index, "--readFilesIn", *pair, "--outFileNamePrefix", f"{folder}/{sample}.")
        run("STAR", *given, *how, within=folder)
        (folder / f"{sample}.Aligned.sortedByCoord.out.bam").rename(folder / f"{sample}.bam")
    return folder


STAR = "{sample}.ReadsPerGene.out.tab"


def test_star__counts_by_strand_are_read_as_numpy_reads_them_and_ingested_to_their_sums(aligned, tmp_path):
    folder = tmp_path / "star"
    folder.mkdir()
    paths = [folder / STAR.format(sample=sample) for sample in SAMPLES]
    for path in paths:
        path.write_bytes((aligned / path.name).read_bytes())
    tables = [[line.split("\t") for line in path.read_text().splitlines()] for path in paths]
    names = [fields[0] for fields in tables[0]]
    counts = np.array([[line[1:] for line in table] for table in tables], np.int64)  # samples, genes, strands
    for at, strand in enumerate(STRANDS):
        for place in (folder, aligned):
            reader = open_source(place, matrix=strand)
            assert reader.format == "quantified (STAR)"
            assert (reader.rows()["index"].to_list(), reader.genes()["index"].to_list()) == (list(SAMPLES), names)
            np.testing.assert_array_equal(assemble(reader), counts[:, :, at])
    assert names[:4] == ["N_unmapped", "N_multimapping", "N_noFeature", "N_ambiguous"]
    assert "tells neither" not in inspect_file(folder).strands
    symbols = {of: symbol for symbol, of in GENES.items()}
    require_sums(folder, counts[:, 4:, 0], SAMPLES, [symbols[name] for name in names[4:]])
    written = write_by_strand(tmp_path, *counts[:, 4:, 1:].transpose(2, 0, 1), SAMPLES, names[4:], STAR)
    assert written[0].read_text().splitlines()[4:] == paths[0].read_text().splitlines()[4:]


def by_featurecounts(reads: Reads, aligned: Path, output: Path, samples: tuple[str, ...], *options: str) -> None:
    given = ("-p", "--countReadPairs", *options, "-a", reads.gtf, "-o", output)
    run("featureCounts", *given, *(f"{sample}.bam" for sample in samples), within=aligned)


def by_htseq(reads: Reads, aligned: Path, output: Path, samples: tuple[str, ...], *options: str) -> None:
    given = ("-q", "-f", "bam", "-r", "pos", "-s", "no", *options, *(f"{sample}.bam" for sample in samples), reads.gtf)
    output.write_text(run("htseq-count", *given, within=aligned))


COUNTERS = {"featureCounts": by_featurecounts, "HTSeq": by_htseq}
ATTRIBUTES = {"featureCounts": ("--extraAttributes", "gene_name"), "HTSeq": ("--additional-attr", "gene_name")}


def counted(path: Path) -> tuple[list[str], np.ndarray]:
    """Names and counts of one sample, the last field of each line."""
    lines = [line.split("\t") for line in path.read_text().splitlines()]
    lines = [line for line in lines if line[-1].isdigit()]
    return [line[0] for line in lines], np.array([int(line[-1]) for line in lines])


@pytest.mark.parametrize("counter", COUNTERS)
@pytest.mark.parametrize("options", ["plain", "attributes"])
def test_counted__a_file_a_sample_is_read_as_numpy_reads_it_and_ingested_to_its_sums(
    reads, aligned, tmp_path, counter, options
):
    folder = tmp_path / "counts"
    folder.mkdir()
    for sample in SAMPLES:
        more = ATTRIBUTES[counter] if options == "attributes" else ()
        COUNTERS[counter](reads, aligned, folder / f"{sample}.txt", (sample,), *more)
    names, _ = counted(folder / f"{SAMPLES[0]}.txt")
    counts = np.stack([counted(folder / f"{sample}.txt")[1] for sample in SAMPLES])
    reader = open_source(folder)
    assert reader.format == f"quantified ({counter})"
    assert reader.genes()["index"].to_list() == names
    np.testing.assert_array_equal(assemble(reader), counts)
    of_genes = [at for at, name in enumerate(names) if not name.startswith("__")]
    assert [name for name in names if name.startswith("__")] == list(AFTER_HTSEQ if counter == "HTSeq" else ())
    symbols = {of: symbol for symbol, of in GENES.items()}
    require_sums(folder, counts[:, of_genes], SAMPLES, [symbols[names[at]] for at in of_genes])


@pytest.mark.parametrize("counter", COUNTERS)
def test_counted__all_samples_in_one_table(reads, aligned, tmp_path, counter):
    named = {"featureCounts": (), "HTSeq": ("--with-header",)}
    COUNTERS[counter](reads, aligned, tmp_path / "all.tsv", SAMPLES, *named[counter])
    table = columns(tmp_path / "all.tsv")
    counts = np.array([table[f"{sample}.bam"] for sample in SAMPLES], np.int64)
    reader = open_source(tmp_path / "all.tsv", layout={"genes_in": "rows"})
    np.testing.assert_array_equal(assemble(reader), counts)
    assert reader.rows()["index"].to_list() == [f"{sample}.bam" for sample in SAMPLES]
    assert reader.genes()["index"].to_list() == next(iter(table.values()))


@pytest.mark.parametrize("counter", COUNTERS)
def test_counted__miniature_has_the_same_lines(reads, aligned, tmp_path, counter):
    COUNTERS[counter](reads, aligned, tmp_path / "real.txt", SAMPLES[:1])
    names, counts = counted(tmp_path / "real.txt")
    of_genes = [name for name in names if not name.startswith("__")]
    write_counted(tmp_path, counts[None, : len(of_genes)], SAMPLES[:1], of_genes, counter, "written.txt")
    real, written = ((tmp_path / name).read_text().splitlines() for name in ("real.txt", "written.txt"))
    n = len(of_genes)
    if counter == "HTSeq":
        assert written[:n] == real[:n]
        assert [line.split("\t")[0] for line in written] == [line.split("\t")[0] for line in real]
        return
    assert written[0].split('"')[0] == real[0].split('"')[0]
    assert (written[0][-2:], written[0].count("\t")) == (real[0][-2:], real[0].count("\t"))
    apart = [[(line.split("\t")[:-1] if at == 1 else line.split("\t")[::6]) for at, line in enumerate(lines)][1:]
             for lines in (written, real)]  # fmt: skip
    assert apart[0] == apart[1], "the header but for the sample, then names and counts"
    assert [len(line.split("\t")) for line in written] == [len(line.split("\t")) for line in real]
    summaries = [(tmp_path / f"{name}.txt.summary").read_text().splitlines() for name in ("written", "real")]
    statuses = [[line.split("\t")[0] for line in lines] for lines in summaries]
    assert set(statuses[0]) <= set(statuses[1])
