"""Files of labs that look like matrices of counts and are none: what they are is said, and drafts do not take them."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from drafting import drafted

from ingest.inspection.inspect import inspect_file
from ingest.layouts import write_h5ad

GENES = ["TP53", "MYC", "ABL1", "STAT1", "TYK2", "ISG15", "GAPDH", "ACTB", "KLF1", "CEBPE", "JAK2", "SET"]
SAMPLES = ["nontargeting_1", "nontargeting_2", "nontargeting_3", "TP53_1", "TP53_2", "TP53_3"]
COUNTS = np.random.default_rng(2).poisson(6.0, (len(GENES), len(SAMPLES)))


def write(path, values, samples=SAMPLES, more=None):
    table = {"gene": GENES, **(more or {})} | {name: values[:, at] for at, name in enumerate(samples)}
    pl.DataFrame(table).write_csv(path, separator="\t")
    return path


@pytest.mark.parametrize("name", ["fpkm.tsv", "GSE1_RPKM_matrix.tsv", "salmon.merged.gene_lengths.tsv", "LFQ.tsv"])
def test_values__that_the_file_is_called_after_are_asked_for(name, tmp_path):
    values = COUNTS * 3.17
    plain, named = (drafted(write(tmp_path / each, values)) for each in ("matrix.tsv", name))
    assert 'values = "estimated_counts"' in plain.text
    assert "dataset.values" in named.missing
    assert "the name says" in named.text


def test_normalised_counts__are_to_be_checked(tmp_path):
    values = np.where(COUNTS > 3, 7 * COUNTS * np.array([1.1, 0.9, 1.05, 0.95, 1.02, 0.98]), 0)
    plain, named = (drafted(write(tmp_path / each, values)) for each in ("counts.tsv", "normalized_counts.tsv"))
    assert 'values = "estimated_counts"\n' in plain.text
    assert 'values = "estimated_counts"  # CHECK' in named.text


@pytest.mark.parametrize("name", ["counts.tsv", "star_counts_length_filtered.tsv", "fpkm_filtered_counts.tsv"])
def test_counts__whatever_their_name_are_counts(name, tmp_path):
    assert inspect_file(write(tmp_path / name, COUNTS)).values.kind == "counts"


def test_matrix__of_a_file_with_several_is_doubted_by_its_own_name(tmp_path):
    rows = pl.DataFrame({"index": SAMPLES, "gene": [name.split("_")[0] for name in SAMPLES]})
    scaled = (COUNTS.T * 3.17).astype(np.float32)
    path = tmp_path / "a.h5ad"
    write_h5ad(path, scaled, rows, pl.DataFrame({"index": GENES}), layers={"fpkm": scaled}, layout="dense")
    assert inspect_file(path).values.kind == "estimated_counts"
    assert inspect_file(path, matrix="layers/fpkm").values.kind is None


def test_samples__all_named_after_one_scale_are_of_it(tmp_path):
    named = [f"{name}.FPKM" for name in SAMPLES]
    assert inspect_file(write(tmp_path / "a.tsv", COUNTS * 3.17, named)).values.kind is None
    named = [f"{name}.counts" for name in SAMPLES]
    assert inspect_file(write(tmp_path / "b.tsv", COUNTS * 3.17, named)).values.kind == "estimated_counts"


@pytest.mark.parametrize("column", ["Protein.Group", "Majority protein IDs"])
def test_proteins__are_no_rna(column, tmp_path):
    path = write(tmp_path / "report.pg_matrix.tsv", COUNTS * 1234.5, more={column: [f"P{at}" for at in range(12)]})
    found = inspect_file(path)
    assert found.values.kind is None
    assert f"proteins, as column '{column}' says" in found.values.evidence[0]


def test_counts_of_gdc__are_of_one_sample_and_thrice(tmp_path):
    names = ["unstranded", "stranded_first", "stranded_second", "tpm_unstranded"]
    path = write(tmp_path / "a.tsv", COUNTS[:, :4], names)
    path.write_text("# gene-model: GENCODE v36\n" + path.read_text())
    found = inspect_file(path)
    assert found.values.kind is None
    assert "counts of STAR as GDC publishes them" in found.values.evidence[0]


def test_features_of_images__are_no_genes(tmp_path):
    named = [f"{part}_Texture_Contrast_{at}" for part in ("Cells", "Nuclei") for at in range(4)]
    values = np.random.default_rng(3).normal(size=(12, 8))
    table = {"Metadata_Well": [f"A{at}" for at in range(12)], "Metadata_gene": GENES}
    path = tmp_path / "profiles.csv"
    pl.DataFrame(table | {name: values[:, at] for at, name in enumerate(named)}).write_csv(path)
    assert "features of images" in inspect_file(path).values.evidence[0]


def test_counts__with_a_line_for_each_cell_and_gene_say_what_to_write(tmp_path):
    path = tmp_path / "long.csv"
    lines = [(sample, gene, int(COUNTS[g, s])) for s, sample in enumerate(SAMPLES) for g, gene in enumerate(GENES)]
    pl.DataFrame(lines, ["cell_barcode", "gene", "umi_count"], orient="row").write_csv(path)
    found = inspect_file(path)
    assert found.values.kind is None
    assert "a line for each cell and gene: write them as a matrix first" in found.values.evidence[0]
