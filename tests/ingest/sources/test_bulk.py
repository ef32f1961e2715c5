"""Bulk RNA-Seq: a sample is a replicate, and coverage is no count until it is divided by what a read covers."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from featurestore.errors import SourceError, SpecError
from featurestore.query.warehouse import Warehouse
from ingest.commands.ingest import shipped_specs
from ingest.pipeline import ingest_dataset
from layouts.tables import write_archs4, write_genes_by_samples, write_wide

SPECS = shipped_specs()
GENES = pl.DataFrame(
    {"index": ["TP53", "MYC", "ENSG00000136997.18", "1-Mar", "STAT1", "JAK2", "IRF1", "GAPDH", "ERCC-00002"]}
)
SAMPLES = [f"s{i}" for i in range(8)]
LABELS = ["control", "MYC"] * 4
SPEC = """
[dataset]
id = "bulk"
files = ["counts.csv"]
values = "counts"
assay = "bulk_rna_seq"
genes_in = "{genes_in}"
[condition]
perturbation = "perturbation"
kind = "shrna"
controls = ["control"]
context = {{ value = "K562" }}
batch = "batch"
[rows]
table = "samples.tsv"
key = "sample"
[genes]
duplicates = "collapse"
"""


@pytest.fixture(scope="module")
def counts():
    mean = np.array([50, 400, 20, 30, 100, 80, 60, 1000, 500])
    counts = np.random.default_rng(2).poisson(mean, (8, 9))
    counts[1::2, 1] //= 4
    return counts


def sheet(folder, **columns):
    table = pl.DataFrame({"sample": SAMPLES, "perturbation": LABELS, "batch": ["a", "a", "b", "b"] * 2} | columns)
    table.reverse().write_csv(folder / "samples.tsv", separator="\t")


def ingested(folder, text=SPEC, genes_in="rows"):
    (folder / "bulk.toml").write_text(text.format(genes_in=genes_in))
    ingest_dataset(folder / "bulk.toml", folder / "warehouse")
    return Warehouse(folder / "warehouse")


def tables(store):
    return [
        store.frame(f"select * from {view} order by all")
        for view in ("condition", "statistics", "signature", "quality")
    ]


@pytest.mark.parametrize("habit", ["plain", "r", "featurecounts", "htseq", "wide"])
def test_counts__are_the_same_whichever_program_wrote_them(tmp_path, counts, habit):
    sheet(tmp_path)
    if habit == "wide":
        write_wide(tmp_path / "counts.csv", counts, pl.DataFrame({"index": SAMPLES}), GENES)
    else:
        write_genes_by_samples(tmp_path / "counts.csv", counts, SAMPLES, GENES, habit)
    with ingested(tmp_path, genes_in="columns" if habit == "wide" else "rows") as store:
        total = counts[:, :8].sum(axis=1, keepdims=True)  # the spike-in is no part of the library
        logs = np.log1p(counts / total * 1e4)
        sums = store.frame(
            "select gene_symbol, sum_log1p, count from statistics join condition using (dataset_id, condition_id) "
            "join gene using (gene_id) where is_control"
        )
        found = {symbol: (value, count) for symbol, value, count in sums.rows()}
        assert found["STAT1"][0] == pytest.approx(logs[::2, 4].sum(), abs=1e-6)
        assert found["STAT1"][1] == counts[::2, 4].sum()
        both = np.log1p((counts[:, 1] + counts[:, 2]) / total[:, 0] * 1e4)
        assert found["MYC"][0] == pytest.approx(both[::2].sum(), abs=1e-6)
        quality = store.frame("select n_cells, knockdown_ratio, is_responder, reason from quality").row(0, named=True)
        assert quality["n_cells"] == 4
        assert 0.2 < quality["knockdown_ratio"] < 0.45
        ledger = dict(store.frame("select original, status from mapping where target_id is null").rows())
        assert ledger["1-Mar"] == "excel_date"
        assert ledger["ERCC-00002"] == "non_gene"
        assert ("__no_feature" in ledger) == (habit == "htseq")


def test_replicates__two_are_enough_for_a_verdict_and_one_is_not(tmp_path, counts):
    sheet(tmp_path, perturbation=["control", "MYC", "control", "TP53", "control", "MYC", "control", "none"])
    write_genes_by_samples(tmp_path / "counts.csv", counts, SAMPLES, GENES, "plain")
    text = SPEC.replace('controls = ["control"]', 'controls = ["control"]\nunassigned = ["none"]')
    with ingested(tmp_path, text) as store:
        verdicts = dict(
            store.frame(
                "select perturbation_label, reason from quality join condition using (dataset_id, condition_id)"
            ).rows()
        )
        assert "genes at q < 0.05" in verdicts["MYC"]
        assert verdicts["TP53"].startswith("1 cells (needs 2); ")
        assert store.frame("select label, n_cells from rejected").rows() == [("none", 1)]


def test_coverage__becomes_reads_by_either_way_of_telling_their_length(tmp_path, counts):
    lengths = np.array([36.0, 50, 36, 50, 36, 50, 36, 100])
    write_genes_by_samples(tmp_path / "counts.csv", np.rint(counts * lengths[:, None]), SAMPLES, GENES, "recount3")
    found = []
    for way, columns in (
        ('read_length = "avg"', {"avg": lengths}),
        ('auc = "auc"\nmapped_reads = "n"', {"auc": lengths * 1e6, "n": np.full(8, 1e6)}),
    ):
        folder = tmp_path / way[:3]
        folder.mkdir()
        sheet(folder, **columns)
        (folder / "counts.csv").write_bytes((tmp_path / "counts.csv").read_bytes())
        text = SPEC.replace('values = "counts"', 'values = "bp_coverage"') + f"[coverage]\n{way}\n"
        with ingested(folder, text) as store:
            found.append(tables(store))
            assert store.frame("select value_kind from dataset").item() == "bp_coverage"
    sheet(tmp_path)
    write_genes_by_samples(tmp_path / "counts.csv", counts, SAMPLES, GENES, "recount3")
    with ingested(tmp_path) as store:
        expected = tables(store)
    for other in found:
        for left, right in zip(expected, other, strict=True):
            assert left.equals(right)


def test_coverage__without_a_read_length_is_refused(tmp_path, counts):
    write_genes_by_samples(tmp_path / "counts.csv", counts, SAMPLES, GENES, "recount3")
    sheet(tmp_path, avg=[36.0] * 7 + [None])
    text = SPEC.replace('values = "counts"', 'values = "bp_coverage"')
    with pytest.raises(SourceError, match="length of reads") as caught:
        ingested(tmp_path, text + '[coverage]\nread_length = "avg"\n')
    assert "'s7'" in str(caught.value)
    with pytest.raises(SpecError, match=r"\[coverage\]"):
        ingested(tmp_path, text)
    with pytest.raises(SpecError, match="either 'read_length'"):
        ingested(tmp_path, text + '[coverage]\nauc = "avg"\n')


@pytest.mark.parametrize("version", [1, 2])
def test_archs4__only_the_samples_of_the_sheet_are_taken(tmp_path, counts, version):
    genes = pl.DataFrame(
        {"index": ["ENSG00000141510", "ENSG00000136997", "ENSG00000115415"], "symbol": ["TP53", "MYC", "MYC"]}
    )
    many = np.vstack([counts[:, [0, 1, 4]], np.full((20, 3), 77)])
    rows = pl.DataFrame(
        {
            "index": [f"GSM{i}" for i in range(28)],
            "series_id": ["GSE1,GSE2"] * 28,
            "singlecellprobability": [0.1] * 7 + [0.9] + [0.2] * 20,
        }
    )
    write_archs4(tmp_path / "human_gene_v2.5.h5", many, rows, genes, version=version)
    table = pl.DataFrame(
        {
            "geo_accession": [f"GSM{i}" for i in range(8)],
            "perturbation": LABELS,
            "kind": ["control", "shrna"] * 4,
            "cell_line": ["K562"] * 8,
            "batch": ["a"] * 8,
        }
    )
    table.write_csv(tmp_path / "archs4_samples.tsv", separator="\t")
    ingest_dataset(SPECS["archs4_human"], tmp_path / "warehouse", tmp_path)
    with Warehouse(tmp_path / "warehouse") as store:
        assert store.frame("select perturbation_label, n_cells from condition order by 1").rows() == [
            ("MYC", 3),
            ("control", 4),
        ]
        total = store.frame("select sum(count)::int from statistics").item()
        assert total == counts[:7][:, [0, 1, 4]].sum()
        assert store.frame("select sum(n_cells)::int from rejected").item() == 21


def test_real_recount2__three_knockdowns_work(real_data, tmp_path):
    ingest_dataset(SPECS["recount2_srp009615"], tmp_path / "warehouse", real_data / "bulk")
    with Warehouse(tmp_path / "warehouse") as store:
        ratios = store.frame(
            "select target_symbols[1] as target, q.n_cells, knockdown_ratio from quality q "
            "join condition using (dataset_id, condition_id) order by 1"
        )
        assert ratios["target"].to_list() == ["ATF3", "EGR1", "SRF"]
        assert ratios["n_cells"].to_list() == [2, 2, 2]
        assert ratios["knockdown_ratio"].is_between(0.35, 0.6).all()
        reads = store.frame(
            "select sum(count)::double from statistics join condition using (dataset_id, condition_id) "
            "where perturbation_label = 'SRF'"
        ).item()
        assert reads == pytest.approx(
            861_190_907 / (1184877985 / 33170281) + 929_878_016 / (1073178116 / 29970735), rel=0.01
        )
        mapped = store.frame(
            "select count(*) filter (target_id is not null) / count(*) from mapping where entity = 'gene'"
        )
        assert mapped.item() > 0.97
