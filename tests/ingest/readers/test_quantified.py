"""Quantified samples, a file each: salmon, kallisto and RSEM; transcripts are summed to genes by what is given."""

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
from ingest.readers.transcripts import GenesOfTranscripts, read_transcripts
from ingest.spec import parse_spec
from ingest.testing import assemble
from layouts.quantified import write_gtf, write_quantified

GENES = ["ENSG00000141510.18", "ENSG00000136997.22", "ENSG00000115415.20", "ENSG00000111640.15"]
SYMBOLS = ["TP53", "MYC", "STAT1", "GAPDH"]
OF = [0, 0, 1, 2, 2, 2, 3]
TRANSCRIPTS = [f"ENST0000000{at:04d}.{1 + at}" for at in range(len(OF))]
SAMPLES = ["ctrl_1", "ctrl_2", "kd_1", "kd_2"]
COUNTS = np.random.default_rng(5).gamma(2, 400, (len(SAMPLES), len(OF)))
COUNTS[2:, :2] /= 16
COUNTS = np.round(COUNTS, 2)  # as many digits as every program writes
SUMMED = np.stack([COUNTS[:, np.array(OF) == gene].sum(axis=1) for gene in range(len(GENES))], axis=1)
PIPED = [f"{t}|{GENES[OF[at]]}|OTTHUMG0|OTTHUMT0|X-201|X|900|protein_coding|" for at, t in enumerate(TRANSCRIPTS)]


def of_genes(names):
    return [names[at] for at in OF]


def tx2gene(path, *, header="", version=True, separator="\t"):
    ids = [TRANSCRIPTS, of_genes(GENES)]
    ids = ids if version else [[name.split(".")[0] for name in names] for names in ids]
    lines = [separator.join(line) for line in zip(*ids, of_genes(SYMBOLS), strict=True)]
    path.write_text("".join(f"{line}\n" for line in [*([header] if header else []), *lines]))
    return path


@pytest.fixture
def salmon(tmp_path):
    """A folder of samples, transcripts beside genes, with a sample sheet and a table of transcripts beside it."""
    write_quantified(tmp_path / "salmon", COUNTS, SAMPLES, TRANSCRIPTS, "salmon")
    sheet = pl.DataFrame(
        {"sample": SAMPLES, "target": ["non-targeting"] * 2 + ["TP53"] * 2, "kind": "CRISPRi", "cell_line": "K562"}
    )
    sheet.reverse().write_csv(tmp_path / "samples.csv")
    tx2gene(tmp_path / "tx2gene.tsv")
    return tmp_path / "salmon"


@pytest.mark.parametrize("program", ["salmon", "kallisto", "RSEM", "RSEM, genes"])
def test_folder__is_read_sample_by_sample(tmp_path, program):
    paths = write_quantified(tmp_path, COUNTS, SAMPLES, TRANSCRIPTS, program, of_genes(GENES))
    reader = open_source(tmp_path)
    assert reader.rows()["index"].to_list() == SAMPLES
    assert reader.genes()["index"].to_list() == TRANSCRIPTS
    assert reader.files == tuple(paths)
    for block_bytes in (1, 2**20):
        np.testing.assert_allclose(assemble(reader, block_bytes), COUNTS, rtol=1e-5)
    one = open_source(paths[2])
    assert (one.n_rows, one.rows()["index"].to_list()) == (1, ["kd_1"])
    np.testing.assert_array_equal(assemble(one), assemble(reader)[2:3])


def test_folder__genes_are_taken_where_rsem_wrote_both(tmp_path):
    write_quantified(tmp_path, COUNTS, SAMPLES, TRANSCRIPTS, "RSEM")
    write_quantified(tmp_path, SUMMED, SAMPLES, GENES, "RSEM, genes")
    assert open_source(tmp_path).format == "quantified (RSEM, genes)"


@pytest.mark.parametrize(("program", "counts"), [("RSEM", COUNTS), ("RSEM, genes", SUMMED)])
def test_rsem__may_write_posterior_means_and_intervals_too(tmp_path, program, counts):
    """As with ``--calc-pme`` and ``--calc-ci``, and in every file of ENCODE."""
    names = TRANSCRIPTS if program == "RSEM" else GENES
    for path in write_quantified(tmp_path, counts, SAMPLES, names, program):
        table = pl.read_csv(path, separator="\t")
        table.with_columns(posterior_mean_count=7.0, pme_TPM=8.0, TPM_ci_lower_bound=9.0).write_csv(
            path, separator="\t"
        )
    reader = open_source(tmp_path)
    assert reader.format == f"quantified ({program})"
    np.testing.assert_allclose(assemble(reader), counts, rtol=1e-5)


def test_kallisto__genes_are_taken_where_kb_python_wrote_both(tmp_path):
    """As ``kb count -x BULK --tcc --matrix-to-directories`` leaves them."""
    for path, counts in zip(write_quantified(tmp_path, COUNTS, SAMPLES, TRANSCRIPTS, "kallisto"), SUMMED, strict=True):
        table = pl.DataFrame({"gene_id": GENES, "gene_name": SYMBOLS, "est_counts": counts, "tpm": counts})
        table.write_csv(path.with_name("abundance.gene.tsv"), separator="\t")
    reader = open_source(tmp_path)
    assert reader.format == "quantified (kallisto, genes)"
    assert reader.genes()["index"].to_list() == GENES
    np.testing.assert_allclose(assemble(reader), SUMMED)


def test_samples__of_another_order_are_put_in_order_and_of_other_genes_refused(tmp_path):
    write_quantified(tmp_path, COUNTS[:1], SAMPLES[:1], TRANSCRIPTS, "salmon")
    write_quantified(tmp_path, COUNTS[1:2, ::-1], SAMPLES[1:2], TRANSCRIPTS[::-1], "salmon")
    np.testing.assert_allclose(assemble(open_source(tmp_path)), COUNTS[:2], rtol=1e-5)
    write_quantified(tmp_path, COUNTS[2:3, :5], SAMPLES[2:3], TRANSCRIPTS[:5], "salmon")
    with pytest.raises(SourceFormatError, match=rf"same genes(.|\n)*5, without {TRANSCRIPTS[5]}"):
        assemble(open_source(tmp_path))


@pytest.mark.parametrize(
    "header", ["", "Name\tLength\n", "Name\tLength\tEffectiveLength\tTPM\tNumReads\n\t9\t9\t9\t9\n"]
)
def test_folder__a_damaged_sample_is_not_left_out(salmon, header):
    (salmon / "kd_1" / "quant.sf").write_text(header)
    with pytest.raises(SourceFormatError, match="kd_1"):
        assemble(open_source(salmon))


@pytest.mark.parametrize(
    ("names", "write"),
    [
        (TRANSCRIPTS, tx2gene),
        (TRANSCRIPTS, lambda path: tx2gene(path, header="transcript_id\tgene_id\tgene_name")),
        (
            TRANSCRIPTS,
            lambda path: tx2gene(path, header='"","TXNAME","GENEID","SYMBOL"'.replace('"",', ""), separator=","),
        ),
        (TRANSCRIPTS, lambda path: tx2gene(path, version=False)),
        ([name.split(".")[0] for name in TRANSCRIPTS], tx2gene),
        (PIPED, tx2gene),
        (TRANSCRIPTS, lambda path: write_gtf(path, TRANSCRIPTS, of_genes(GENES), of_genes(SYMBOLS))),
        (
            TRANSCRIPTS,
            lambda path: write_gtf(path.with_suffix(".gtf.gz"), TRANSCRIPTS, of_genes(GENES), of_genes(SYMBOLS)),
        ),
    ],
    ids=["bare", "headed", "tximport", "without versions", "index without versions", "GENCODE", "GTF", "GTF, gzip"],
)
def test_transcripts__are_summed_by_a_table_or_an_annotation(tmp_path, names, write):
    write_quantified(tmp_path, COUNTS, SAMPLES, names, "kallisto")
    reader = GenesOfTranscripts(open_source(tmp_path), write(tmp_path / "tx2gene"))
    assert [name.split(".")[0] for name in reader.genes()["index"]] == [name.split(".")[0] for name in GENES]
    assert reader.genes()["gene_name"].to_list() == SYMBOLS
    np.testing.assert_allclose(assemble(reader, 1), SUMMED, rtol=1e-5)


def test_transcripts__without_a_gene_keep_their_name(tmp_path):
    write_quantified(tmp_path, COUNTS, SAMPLES, [*TRANSCRIPTS[:-1], "ERCC-00002"], "salmon")
    reader = GenesOfTranscripts(open_source(tmp_path), tx2gene(tmp_path / "tx2gene.tsv"))
    assert reader.genes()["index"].to_list() == [*GENES[:3], "ERCC-00002"]
    np.testing.assert_allclose(assemble(reader), SUMMED, rtol=1e-5)


@pytest.mark.parametrize(
    ("text", "message"),
    [("a\tb\n", "No transcript of the matrix"), ("\n", "names no transcripts"), ("t\tA\nt\tB\n", "two genes")],
)
def test_transcripts__that_do_not_fit_are_refused(salmon, tmp_path, text, message):
    (tmp_path / "t2g.txt").write_text(text)
    with pytest.raises(SourceFormatError, match=message):
        GenesOfTranscripts(open_source(salmon), tmp_path / "t2g.txt")


def test_read_transcripts__of_exons_alone(tmp_path):
    path = write_gtf(tmp_path / "a.gtf", TRANSCRIPTS, of_genes(GENES), of_genes(SYMBOLS))
    path.write_text("".join(line for line in path.read_text().splitlines(keepends=True) if "\texon\t" in line))
    assert read_transcripts(path)["transcript"].to_list() == TRANSCRIPTS


def test_draft__of_a_folder_of_samples_ingests_to_the_sums_of_numpy(salmon, tmp_path):
    found = inspect_file(salmon)
    assert found.values.kind == "estimated_counts"
    draft = draft_spec(found, tmp_path)
    content = tomllib.loads(draft.text)
    assert draft.missing == ()
    assert content["dataset"]["files"] == ["salmon"]
    assert content["dataset"]["assay"] == "bulk_rna_seq"
    assert content["rows"] == {"table": "samples.csv", "key": "sample"}
    assert content["genes"] == {"transcripts": "tx2gene.tsv", "id": "index", "symbol": "gene_name", "kind": "ensembl"}
    (tmp_path / "draft.toml").write_text(draft.text)
    manifest = ingest_dataset(tmp_path / "draft.toml", tmp_path / "warehouse").manifest
    assert {each["name"] for each in manifest["inputs"]} == {"samples.csv", "tx2gene.tsv", "salmon"}
    logs = np.log1p(1e4 * SUMMED / SUMMED.sum(axis=1, keepdims=True))
    with Warehouse(tmp_path / "warehouse") as store:
        sums = store.frame(
            "select is_control, gene_symbol, sum_log1p, count from statistics join condition using (dataset_id, "
            "condition_id) join gene using (gene_id)"
        )
    for is_control, rows in ((True, [0, 1]), (False, [2, 3])):
        of = sums.filter(pl.col("is_control") == is_control)
        got = dict(zip(of["gene_symbol"], of["sum_log1p"], strict=True))
        np.testing.assert_allclose([got[symbol] for symbol in SYMBOLS], logs[rows].sum(axis=0), rtol=1e-6)
    assert sums["count"].null_count() == sums.height


def test_draft__asks_for_the_genes_of_transcripts(salmon, tmp_path):
    (tmp_path / "tx2gene.tsv").unlink()
    draft = draft_spec(inspect_file(salmon), tmp_path)
    assert draft.missing == ("genes.transcripts",)


def test_spec__takes_transcripts_of_counts_only():
    content = {
        "dataset": {"id": "a", "files": ["a"], "values": "log1p", "assay": "bulk_rna_seq"},
        "condition": {"perturbation": "p", "kind": "crispri", "controls": ["c"], "context": {"value": "K562"}},
        "genes": {"transcripts": "tx2gene.tsv"},
    }
    with pytest.raises(SpecError, match=r"genes.transcripts: counts are summed; log1p are not"):
        parse_spec(content)
    assert parse_spec(content | {"dataset": content["dataset"] | {"values": "counts"}}).genes.transcripts
