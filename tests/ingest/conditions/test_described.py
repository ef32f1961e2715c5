"""Columns of numbers beside counts that are no genes: they describe the rows, and change no value."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from featurestore.errors import SourceFormatError
from featurestore.query.warehouse import Warehouse
from ingest import reference
from ingest.commands.left_open import left_open
from ingest.harmonise.describing import WORDS, describing
from ingest.inspection.draft import draft_spec
from ingest.inspection.inspect import inspect_file
from ingest.pipeline import ingest_dataset

GENES = ["TP53", "EGFR", "MYC", "PTEN", "ACTB", "GAPDH", "STAT1", "JAK1"]
ENSEMBL = ["ENSG00000141510", "ENSG00000146648", "ENSG00000136997", "ENSG00000171862"]
MOUSE = ["Trp53", "Egfr", "Myc", "Pten", "Actb"]
LISTS = [
    (["total_reads", *GENES], ["total_reads"]),
    ([*GENES, "n_genes_by_counts", "pct_counts_mt", "S.Score"], ["n_genes_by_counts", "pct_counts_mt", "S.Score"]),
    (["Age", "RIN", "dose", "PMI", *GENES], ["Age", "RIN", "dose", "PMI"]),
    (["nCount_RNA", *GENES, "size factor"], ["nCount_RNA", "size factor"]),
    (["Unnamed: 0", *GENES], ["Unnamed: 0"]),
    ([*GENES, "PC", "PC_1", "PC2", "UMAP_1"], ["PC_1", "PC2", "UMAP_1"]),
    ([*ENSEMBL, "library_size", "DV200"], ["library_size", "DV200"]),
    (["7157", "1956", "4609", "5728", "depth"], ["depth"]),
    ([*MOUSE, "total_counts", "Dose"], ["total_counts", "Dose"]),
    (["TP53 (7157)", "EGFR (1956)", "MYC (4609)", "PTEN (5728)", "doubling_time"], ["doubling_time"]),
    # genes whatever they look like, known or not: clones, placeholders, reading frames, spike-ins, words that are genes
    ([*GENES, "AC004593.3", "RP11-34P13.7", "LOC124900163", "C1orf43", "C9orf999", "ERCC-00002", "Y_RNA"], []),
    ([*GENES, "SET", "REST", "MAX", "CELSR1", "T", "NOVELGENE1", "HLA-A", "HLA.A", "5S_rRNA"], []),
    # a letter that was a gene's name is one among genes, and a temperature before or after them
    (["T", *GENES], ["T"]),
    (["RIN", "T", *GENES, "temp"], ["RIN", "T", "temp"]),
    (["HLA_A", "NKX6_1", *GENES, "n_reads"], ["n_reads"]),  # hyphens that became underscores
    (["tp53", "egfr", "myc", "pten"], []),  # all of them in small letters
    (["baseMean", "lfcSE", "stat", "TP53"], []),  # no list of genes
    (["ctrl_1", "ctrl_2", "TP53_1", "TP53_2", "EGFR_1", "EGFR_2"], []),  # nor are samples called after targets
]


@pytest.mark.parametrize(("names", "expected"), LISTS)
def test_describing__is_what_is_called_like_no_gene_where_the_others_are(names, expected):
    assert describing(names) == expected


def test_describing__words_are_no_approved_symbols():
    symbols = reference.table("gene")["gene_symbol"].str.to_lowercase()
    assert not set(symbols) & WORDS


RNG = np.random.default_rng(2)
COUNTS = RNG.poisson(RNG.gamma(2, 100, len(GENES)), (9, len(GENES)))
TREATMENT = ["DMSO"] * 3 + ["vorinostat"] * 6
DOSE = [0] * 3 + [1] * 3 + [10] * 3
SPEC = """
[dataset]
id = "wells"
files = ["wells.{ending}"]
values = "counts"
assay = "drug_seq"
{more}
[condition]
perturbation = "treatment"
kind = "compound"
controls = ["DMSO"]
context = {{ value = "A549" }}
dose = {{ column = "dose", unit = "uM" }}
"""


def wells(folder, ending):
    described = {"well": [f"w{n}" for n in range(9)], "treatment": TREATMENT, "dose": DOSE}
    table = pl.DataFrame(described | {"total_reads": [31_000_000 + n for n in range(9)]})
    table = table.hstack(pl.DataFrame(COUNTS, schema=GENES)).with_columns(age=pl.lit(40))
    table.write_csv(folder / "wells.csv") if ending == "csv" else table.write_parquet(folder / "wells.parquet")
    return folder / f"wells.{ending}"


def expected(among=COUNTS):
    y = np.log1p(COUNTS / among.sum(axis=1, keepdims=True) * 1e4)
    return {dose: y[np.array(DOSE) == dose].mean(axis=0) - y[:3].mean(axis=0) for dose in (1, 10)}


def effects(spec, folder):
    (folder / "spec.toml").write_text(spec)
    done = ingest_dataset(folder / "spec.toml", folder / "warehouse")
    with Warehouse(folder / "warehouse") as store:
        table = store.frame("select dose_um, gene_symbol, effect from signature join condition using (condition_id)")
        ledger = dict(store.frame("select original, note from mapping where method = 'described_by'").rows())
    by_dose = {dose: dict(part.rows()) for (dose,), part in table.group_by("dose_um")
               for part in [part.select("gene_symbol", "effect")]}  # fmt: skip
    return by_dose, ledger, left_open(folder / "warehouse", done)


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_numbers__that_are_no_genes_describe_and_can_be_named(ending, tmp_path):
    wells(tmp_path, ending)
    found, ledger, said = effects(SPEC.format(ending=ending, more=""), tmp_path)
    for dose, effect in expected().items():
        np.testing.assert_allclose([found[dose][gene] for gene in GENES], effect, rtol=2e-5, atol=1e-6)
    assert set(ledger) == {"total_reads", "age"}
    assert "not named like genes, so taken to describe the rows: total_reads, age" in said[0]


def test_described_by__that_is_given_says_it_all(tmp_path):
    """Then ``age`` is taken for a gene that is not known: it counts towards a well's total."""
    wells(tmp_path, "csv")
    spec = SPEC.format(ending="csv", more='described_by = ["total_reads"]')
    found, ledger, _ = effects(spec, tmp_path)
    right = expected(np.hstack([COUNTS, np.full((9, 1), 40)]))[10]
    np.testing.assert_allclose([found[10.0][gene] for gene in GENES], right, rtol=2e-5, atol=1e-6)
    assert ledger == {}


def test_draft__names_described_by_and_reads_dose_and_labels_among_the_numbers(tmp_path):
    draft = draft_spec(inspect_file(wells(tmp_path, "csv")), tmp_path)
    assert 'described_by = ["dose", "total_reads", "age"]' in draft.text
    assert 'dose = { column = "dose"' in draft.text
    assert draft.missing == ("condition.context",)


def test_genes_in_rows__may_be_identified_by_a_column_of_numbers(tmp_path):
    table = pl.DataFrame({"probe": list("abcd"), "number": [7157, 1956, 4609, 5728], "s1": [1, 2, 3, 4]})
    table = table.with_columns(Length=pl.lit(900), entrez_id=pl.col("number"))  # no samples either
    table.with_columns(s2=pl.Series([8, 2, 3, 4])).write_csv(tmp_path / "wells.csv")
    spec = SPEC.format(ending="csv", more='genes_in = "rows"').replace('"treatment"', '"index"')
    spec = spec.replace('"DMSO"', '"s1"').replace('dose = { column = "dose", unit = "uM" }', "")
    found, *_ = effects(spec + '[genes]\nid = "number"\nkind = "entrez"\n', tmp_path)
    right = np.log1p(np.array([8, 2, 3, 4]) / 17 * 1e4) - np.log1p(np.array([1, 2, 3, 4]) / 10 * 1e4)
    np.testing.assert_allclose([found[None][gene] for gene in ("TP53", "EGFR", "MYC", "PTEN")], right, rtol=2e-5)


def test_table__whose_first_column_is_a_gene_is_refused_rather_than_read_without_it(tmp_path):
    header = ",".join([*GENES, "treatment"])
    lines = [",".join([*map(str, row), label]) for row, label in zip(COUNTS, TREATMENT, strict=True)]
    path = tmp_path / "wells.csv"
    path.write_text("\n".join([header, *lines]) + "\n")
    with pytest.raises(SourceFormatError, match="named like a gene, 'TP53'"):
        inspect_file(path)
    spec = tmp_path / "wells.toml"
    spec.write_text(SPEC.format(ending="csv", more="described_by = []"))
    with pytest.raises(SourceFormatError, match="named like a gene, 'TP53'"):
        ingest_dataset(spec, tmp_path / "warehouse")
    path.write_text("\n".join([f"cell,{header}", *(f"{at},{line}" for at, line in enumerate(lines))]) + "\n")
    assert inspect_file(path).n_genes == len(GENES)
