"""Folders with a file a sample, as featureCounts and HTSeq leave them, are one matrix without lengths and counters."""

from __future__ import annotations

import tomllib

import numpy as np
import polars as pl
import pytest

from featurestore.errors import SourceFormatError, SpecError
from featurestore.query.warehouse import Warehouse
from ingest.inspection.draft import draft_spec
from ingest.inspection.inspect import inspect_file
from ingest.pipeline import ingest_dataset
from ingest.readers.open import open_source
from ingest.testing import assemble
from layouts.quantified import write_by_strand, write_counted
from layouts.tables import AFTER_HTSEQ, write_genes_by_samples

GENES = ["ENSG00000141510.18", "ENSG00000136997.22", "ENSG00000115415.20", "ENSG00000111640.15"]
SAMPLES = ["ctrl.1", "ctrl.2", "kd_1", "kd_2"]
COUNTS = np.random.default_rng(7).poisson(300, (4, 4))
OUTSIDE = {"HTSeq": AFTER_HTSEQ, "featureCounts": ()}


def sheet(folder):
    table = {"sample": SAMPLES, "target": ["control"] * 2 + ["TP53"] * 2, "kind": "CRISPRi", "cell_line": "K562"}
    pl.DataFrame(table).reverse().write_csv(folder / "samples.csv")


@pytest.mark.parametrize("program", ["HTSeq", "featureCounts"])
@pytest.mark.parametrize("name", ["{sample}.txt", "{sample}_counts.tsv.gz", "{sample}.htseq.counts", "{sample}/counts"])
def test_folder__is_one_matrix_of_samples_called_as_their_files(tmp_path, program, name):
    name = f"{name}.txt" if name.endswith("/counts") else name
    paths = write_counted(tmp_path / "counts", COUNTS, SAMPLES, GENES, program, name)
    sheet(tmp_path / "counts")
    reader = open_source(tmp_path / "counts")
    assert reader.format == f"quantified ({program})"
    assert reader.files == tuple(paths)
    assert reader.rows()["index"].to_list() == SAMPLES
    assert reader.genes()["index"].to_list() == [*GENES, *OUTSIDE[program]]
    np.testing.assert_array_equal(assemble(reader)[:, :4], COUNTS)


@pytest.mark.parametrize("program", ["HTSeq", "featureCounts"])
def test_draft__ingests_to_the_sums_of_numpy_with_lengths_and_counters_kept_out(tmp_path, program):
    write_counted(tmp_path / "counts", COUNTS, SAMPLES, GENES, program, "{sample}.txt")
    sheet(tmp_path)
    found = inspect_file(tmp_path / "counts")
    assert found.values.kind == "counts"
    draft = draft_spec(found, tmp_path)
    assert draft.missing == (), draft.text
    assert tomllib.loads(draft.text)["rows"] == {"table": "samples.csv", "key": "sample"}
    (tmp_path / "draft.toml").write_text(draft.text)
    ingest_dataset(tmp_path / "draft.toml", tmp_path / "warehouse")
    logs = np.log1p(1e4 * COUNTS / COUNTS.sum(axis=1, keepdims=True))
    with Warehouse(tmp_path / "warehouse") as store:
        sums = store.frame(
            "select is_control, gene_symbol, sum_log1p, count from statistics join condition using (dataset_id, "
            "condition_id) join gene using (gene_id)"
        ).rows()
        ledger = dict(store.frame("select original, status from mapping where target_id is null").rows())
    assert len(sums) == 8
    at = {symbol: column for column, symbol in enumerate(("TP53", "MYC", "STAT1", "GAPDH"))}
    for is_control, symbol, total, count in sums:
        rows = slice(0, 2) if is_control else slice(2, 4)
        assert count == COUNTS[rows, at[symbol]].sum()
        assert total == pytest.approx(logs[rows, at[symbol]].sum(), abs=1e-6)
    assert {name for name, status in ledger.items() if status == "non_gene"} == set(OUTSIDE[program])


@pytest.mark.parametrize("program", ["HTSeq", "featureCounts"])
def test_folder__attributes_of_genes_are_passed_over(tmp_path, program):
    """As ``htseq-count --additional-attr`` and ``featureCounts --extraAttributes`` write them, before the counts."""
    for path in write_counted(tmp_path, COUNTS, SAMPLES, GENES, program, "{sample}.txt"):
        lines = [line.split("\t") for line in path.read_text().splitlines()]
        named = [[*line[:-1], "" if line[0].startswith("__") else "NAME", line[-1]] for line in lines if line[1:]]
        path.write_text("".join("\t".join(line) + "\n" for line in [*(line for line in lines if not line[1:]), *named]))
        path.with_name(f"{path.name}.jcounts").write_text("PrimaryGene\tSite1_chr\n")
    reader = open_source(tmp_path)
    assert reader.format == f"quantified ({program})"
    np.testing.assert_array_equal(assemble(reader)[:, :4], COUNTS)


def test_featurecounts__samples_in_one_table_are_no_attributes(tmp_path):
    for name in ("a.txt", "b.txt"):
        write_genes_by_samples(tmp_path / name, COUNTS, SAMPLES, pl.DataFrame({"index": GENES}), "featurecounts")
    with pytest.raises(SourceFormatError, match="several matrices"):
        open_source(tmp_path)


def test_folder__headers_that_people_add_are_no_genes_and_fractions_are_estimates(tmp_path):
    for sample, counts in zip(SAMPLES, COUNTS, strict=True):
        lines = [f"{gene}\t{count / 2}" for gene, count in zip(GENES, counts, strict=True)]
        head = [["gene\tcount"], ["# mapped with STAR", f"gene_id\t{sample}"], []][len(sample) % 3]
        (tmp_path / f"{sample}.txt").write_text("\n".join([*head, *lines]) + "\n")
    np.testing.assert_array_equal(assemble(open_source(tmp_path)), COUNTS / 2)
    assert inspect_file(tmp_path).values.kind == "estimated_counts"


@pytest.mark.parametrize("content", ["", "\x1f\x8b\x08\x00", f"{GENES[0]}\t5\n{GENES[1]}\t\n", f"{GENES[0]}\t5\n"])
def test_folder__a_sample_that_cannot_be_read_is_refused_by_name(tmp_path, content):
    write_counted(tmp_path, COUNTS, SAMPLES, GENES, "HTSeq", "{sample}.txt")
    (tmp_path / "kd_1.txt").write_bytes(content.encode("latin-1"))
    with pytest.raises(SourceFormatError, match="kd_1"):
        assemble(open_source(tmp_path))


def test_folder__samples_called_alike_are_refused(tmp_path):
    for name in ("{sample}.txt", "{sample}_counts.txt"):
        write_counted(tmp_path, COUNTS, SAMPLES, GENES, "HTSeq", name)
    with pytest.raises(SourceFormatError, match="Two samples have one name"):
        open_source(tmp_path)


STAR = "{sample}ReadsPerGene.out.tab"
NAMES = (STAR, "{sample}_ReadsPerGene.out.tab.gz", "{sample}/ReadsPerGene.out.tab", "{sample}.txt")


def by_strand(folder, share, name=STAR):
    forward = np.random.default_rng(3).binomial(COUNTS, share)
    return forward, write_by_strand(folder, forward, COUNTS - forward, SAMPLES, GENES, name)


@pytest.mark.parametrize("name", NAMES)
def test_star__is_one_matrix_for_each_strand(tmp_path, name):
    forward, paths = by_strand(tmp_path / "star", 0.3, name)
    (tmp_path / "star" / "kd_1.SJ.out.tab").write_text("1\t14830\t14969\t2\t2\t1\t0\t6\t38\n")
    for strand, counts in {"unstranded": COUNTS, "forward": forward, "reverse": COUNTS - forward}.items():
        reader = open_source(tmp_path / "star", matrix=strand)
        assert (reader.format, reader.files) == ("quantified (STAR)", tuple(paths))
        assert reader.rows()["index"].to_list() == SAMPLES
        np.testing.assert_array_equal(assemble(reader)[:, 4:], counts)
        assert reader.genes()["index"].to_list()[4:] == GENES
    with pytest.raises(SourceFormatError, match="forward"):
        open_source(tmp_path / "star", matrix="stranded")
    assert open_source(paths[0], matrix="reverse").rows()["index"].to_list() == SAMPLES[:1]


@pytest.mark.parametrize(("share", "strand"), [(0.5, "unstranded"), (0.97, "forward"), (0.04, "reverse")])
def test_star__draft_takes_the_strand_that_the_sums_tell_and_ingests_each_read_once(tmp_path, share, strand):
    forward, _ = by_strand(tmp_path / "star", share)
    sheet(tmp_path)
    draft = draft_spec(inspect_file(tmp_path / "star"), tmp_path)
    assert draft.missing == ()
    assert f'matrix = "{strand}"  # CHECK' in draft.text
    (tmp_path / "none.toml").write_text(draft.text.replace(f'matrix = "{strand}"', ""))
    with pytest.raises(SpecError, match=f'set matrix = "{strand}"'):
        ingest_dataset(tmp_path / "none.toml", tmp_path / "warehouse")
    (tmp_path / "draft.toml").write_text(draft.text)
    ingest_dataset(tmp_path / "draft.toml", tmp_path / "warehouse")
    counts = {"unstranded": COUNTS, "forward": forward, "reverse": COUNTS - forward}[strand]
    with Warehouse(tmp_path / "warehouse") as store:
        sums = store.frame(
            "select is_control, gene_symbol, count from statistics join condition using (dataset_id, condition_id) "
            "join gene using (gene_id)"
        ).rows()
        outside = store.frame("select original from mapping where status = 'non_gene'")["original"]
    genes = ("TP53", "MYC", "STAT1", "GAPDH")
    right = {(True, gene): n for gene, n in zip(genes, counts[:2].sum(axis=0), strict=True)}
    right |= {(False, gene): n for gene, n in zip(genes, counts[2:].sum(axis=0), strict=True)}
    assert {(is_control, gene): count for is_control, gene, count in sums} == right
    assert set(outside) == {"N_unmapped", "N_multimapping", "N_noFeature", "N_ambiguous"}


def test_star__library_of_doubtful_strand_is_said(tmp_path):
    by_strand(tmp_path, 0.7)
    assert "tells neither" in inspect_file(tmp_path).strands


@pytest.mark.parametrize("content", ["", "N_unmapped\t1\t2\t3\nTP53\t1\t2\n", "N_unmapped\t1\t2\t3\nTP53\t1\t2\tx\n"])
def test_star__a_sample_that_is_damaged_is_refused_by_name(tmp_path, content):
    by_strand(tmp_path, 0.5)
    (tmp_path / STAR.format(sample="kd_1")).write_text(content)
    with pytest.raises(SourceFormatError, match="kd_1"):
        assemble(open_source(tmp_path))
    with pytest.raises(SourceFormatError, match="kd_1"):
        inspect_file(tmp_path)


def test_table_of_featurecounts__calls_samples_as_alignments_and_the_sheet_finds_them(tmp_path):
    genes = pl.DataFrame({"index": GENES})
    aligned = ["/data/ctrl.1.sorted.bam", "/data/ctrl.2Aligned.sortedByCoord.out.bam", "kd_1.bam", "bam/kd_2.cram"]
    folder = tmp_path / "counts"
    folder.mkdir()
    write_genes_by_samples(folder / "all.txt", COUNTS, aligned, genes, "featurecounts")
    (folder / "all.txt.summary").write_text("\t".join(["Status", *aligned]) + "\nAssigned\t1\t2\t3\t4\n")
    sheet(folder)
    found = inspect_file(folder)
    draft = draft_spec(found, folder)
    assert (found.passed_over, draft.missing) == ((), ())
    (folder / "draft.toml").write_text(draft.text)
    ingest_dataset(folder / "draft.toml", tmp_path / "warehouse")
    with Warehouse(tmp_path / "warehouse") as store:
        counts = store.frame(
            "select sum(count)::double from statistics join condition using (dataset_id, condition_id) group by "
            "is_control order by is_control"
        )
    assert counts.to_series().to_list() == [COUNTS[2:].sum(), COUNTS[:2].sum()]
