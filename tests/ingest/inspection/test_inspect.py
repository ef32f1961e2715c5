"""What inspect sees: numbers, genes, labels and columns, judged by their content, within a bounded look."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
import polars as pl
import pytest
import scipy.sparse
from click.testing import CliRunner

from featurestore.cli import featurestore
from featurestore.errors import SourceFormatError, SpecError
from ingest import reference
from ingest.harmonise.words import LOOKS_LIKE_CONTROL
from ingest.inspection.beside import _distinct
from ingest.inspection.columns import summarise
from ingest.inspection.gene_ids import judge_genes
from ingest.inspection.inspect import inspect_file
from ingest.inspection.known import CONTROLS
from ingest.inspection.labels import judge_labels
from ingest.inspection.report import as_json
from ingest.inspection.roles import SURE, guess_roles
from ingest.inspection.sample import BLOCK, SAMPLE_BYTES, Sample, take_sample
from ingest.inspection.values import judge_values
from ingest.layouts import write_gctx, write_h5ad
from ingest.reader import DenseBlock, Peeking
from ingest.readers.open import open_source
from ingest.testing import assemble
from ingest.values import VALUES
from layouts.examples import COUNTS, EXAMPLES, GENES, N
from layouts.gct import write_gct
from layouts.mtx import write_mtx

EVERY = [(name, layout) for name, layouts in EXAMPLES.items() for layout in layouts]
RNG = np.random.default_rng(9)
FILE = Path("a.h5ad")


@pytest.mark.parametrize(("name", "layout"), EVERY)
def test_inspect_file__says_what_every_example_is(name, layout, tmp_path):
    path = EXAMPLES[name][layout](tmp_path)
    found = inspect_file(path)
    with_reader = open_source(path)
    assert (found.n_rows, found.n_genes) == (with_reader.n_rows, with_reader.n_genes)
    assert found.format == with_reader.format
    assert found.files == with_reader.files
    with_reader.close()
    assert found.n_bytes == sum(file.stat().st_size for file in found.files)
    assert found.values.is_known
    assert found.genes.id is not None
    json.dumps(as_json(found), allow_nan=False)


# The look is bounded


class Endless:
    """A reader of a matrix that never ends, counting what is asked of it."""

    n_rows, n_genes, n_given = 10**9, 1000, 0

    def genes(self):
        return pl.DataFrame({"index": [str(at) for at in range(self.n_genes)]})

    def blocks(self, block_bytes):
        start = 0
        while True:
            values = np.ones((block_bytes // 8 // self.n_genes, self.n_genes))
            self.n_given += values.nbytes
            yield DenseBlock(start, values)
            start += len(values)


def test_take_sample__reads_no_more_than_its_budget():
    reader = Endless()
    sample = take_sample(reader)
    assert SAMPLE_BYTES <= reader.n_given <= SAMPLE_BYTES + BLOCK
    assert sample.has_whole_rows
    assert not sample.has_whole_genes
    assert sample.n_rows * reader.n_genes * 8 == reader.n_given


def test_take_sample__stops_when_time_is_up(monkeypatch):
    monkeypatch.setattr("ingest.inspection.sample.SAMPLE_SECONDS", -1.0)
    reader = Endless()
    take_sample(reader)
    assert reader.n_given <= BLOCK


@pytest.mark.parametrize(("order", "by_row", "by_gene"), [("cell", True, False), ("gene", False, True)])
def test_peek__into_a_triplet_gives_whole_cells_or_genes(order, by_row, by_gene, tmp_path, monkeypatch):
    path = EXAMPLES["mtx"]["scPerturb"](tmp_path)
    write_mtx(path, COUNTS, order=order)
    monkeypatch.setattr("ingest.inspection.sample.SAMPLE_VALUES", 40)
    reader = open_source(path)
    assert isinstance(reader, Peeking)
    sample = take_sample(reader)
    assert (sample.has_whole_rows, sample.has_whole_genes) == (by_row, by_gene)
    rows, genes = sample.matrix.shape
    assert 0 < rows * genes < COUNTS.size
    np.testing.assert_array_equal(sample.matrix.toarray(), COUNTS[:rows, :genes])


def test_peek__into_a_shuffled_triplet_says_that_nothing_is_whole(tmp_path, monkeypatch):
    path = EXAMPLES["mtx"]["scPerturb"](tmp_path)
    write_mtx(path, COUNTS, order="shuffled", seed=3)
    monkeypatch.setattr("ingest.inspection.sample.SAMPLE_VALUES", 40)
    sample = take_sample(open_source(path))
    assert (sample.has_whole_rows, sample.has_whole_genes) == (False, False)
    assert sample.matrix.nnz == 40
    assert judge_values(sample, FILE, None, None).kind == "counts"


def test_peek__into_text_gives_the_first_genes_and_their_table(tmp_path, monkeypatch):
    n_genes, n_rows = 3000, 4
    matrix = RNG.normal(size=(n_rows, n_genes))
    rows = pl.DataFrame({"index": [f"s{at}" for at in range(n_rows)]})
    genes = pl.DataFrame({"index": [str(at + 1) for at in range(n_genes)], "pr_gene_symbol": "A"})
    path = write_gct(tmp_path / "a.gct", matrix, rows, genes)
    monkeypatch.setattr("ingest.readers.gct_text.TEXT_BYTES", 2**14)
    with_reader = open_source(path)
    peek = with_reader.peek(10)
    seen = peek.genes.height
    assert 0 < seen < n_genes
    assert peek.genes.equals(with_reader.genes().head(seen))
    np.testing.assert_allclose(take_sample(with_reader).matrix.toarray()[:, :seen], assemble(with_reader)[:, :seen])
    with_reader.close()


# Values


def sample_of(matrix, genes=None):
    matrix = np.asarray(matrix, np.float64)
    table = pl.DataFrame({"index": [f"g{at}" for at in range(matrix.shape[1])]}) if genes is None else genes
    return Sample(scipy.sparse.csr_array(matrix), table, has_whole_rows=True, has_whole_genes=True)


def log_normalised(counts):
    return np.log1p(1e4 * counts / counts.sum(axis=1, keepdims=True))


POISSON = RNG.poisson(2.0, (50, 30)).astype(float) + (np.arange(30) == 0)
NORMAL = RNG.normal(size=(50, 30))
THOUSANDS = RNG.integers(1, 40_000, (50, 30)).astype(float)


@pytest.mark.parametrize(
    ("matrix", "kind", "says"),
    [
        (POISSON, "counts", "all whole"),
        (log_normalised(POISSON), "log1p", "rows add up to 10,000"),
        (log_normalised(POISSON) / np.log(2), "log1p", "base 2: rows add up to 10,000; they become natural logarithms"),
        (log_normalised(POISSON)[:, :20], "log1p", "come again in it"),
        (NORMAL, "zscore", "standard deviation of"),
        (np.sign(NORMAL), "de_call", "only -1, 0 and 1"),
        (NORMAL * 0.1, "log2_fold_change", "which, the file does not say"),
        (POISSON * 5.7, "estimated_counts", "above 20"),
        (8 + NORMAL.clip(-3, 3), None, "no zeros"),
        (np.zeros((5, 5)), None, "no value but zero"),
        (np.where(THOUSANDS < 1000, THOUSANDS, THOUSANDS / 1000), None, "do points part thousands?"),
        (np.round(THOUSANDS / 7, 2), "estimated_counts", "intensities?"),
        (8 + 5 * NORMAL, None, "edgeR's cpm, voom"),
    ],
)
def test_judge_values__by_the_numbers_alone(matrix, kind, says):
    values = judge_values(sample_of(matrix), FILE, None, None)
    assert values.kind == kind
    assert says in values.evidence[-1]
    assert values.is_known == (kind in VALUES)


def test_judge_values__counts_what_is_missing_or_infinite():
    matrix = POISSON.copy()
    matrix[0, :3] = np.nan, np.inf, -np.inf
    values = judge_values(sample_of(matrix), FILE, None, None)
    assert values.kind is None  # no count is: an ingest refuses them
    assert "3 missing or infinite" in values.evidence[0]
    assert "values are NaN or infinite (nan at row " in values.evidence[1]
    assert values.evidence[1].endswith("the others are counts: all whole, none below 0")


@pytest.mark.parametrize(
    ("name", "matrix", "kind"),
    [
        ("modzs.gctx", None, "moderated_z"),
        ("de_train.h5ad", None, "signed_log10_p"),
        ("a.h5ad", "layers/logFC", "log2_fold_change"),
        ("level4_plate.gctx", None, "zscore"),
        ("REP.A001_A549_24H_X1_ZSPCINF_n3x978.gctx", None, "zscore"),
    ],
)
def test_judge_values__by_the_name_where_differences_look_alike(name, matrix, kind):
    assert judge_values(sample_of(NORMAL), Path(name), matrix, None).kind == kind


def test_judge_values__takes_differences_of_the_genes_of_l1000_for_moderated_z():
    genes = pl.DataFrame({"index": [str(at) for at in range(30)], "pr_gene_symbol": "A"})
    assert judge_values(sample_of(3 * NORMAL, genes), FILE, None, None).kind == "moderated_z"


def test_judge_values__takes_intensities_of_the_genes_of_l1000_for_log2_expression():
    genes = pl.DataFrame({"index": [str(at) for at in range(30)], "pr_gene_symbol": "A"})
    assert judge_values(sample_of(8 + NORMAL.clip(-3, 3), genes), FILE, None, None).kind == "log2_expression"


def test_judge_values__takes_intensities_for_no_counts():
    level_2 = np.exp(8 + NORMAL)
    genes = pl.DataFrame({"index": [str(at) for at in range(30)], "pr_gene_symbol": "A"})
    of_l1000, of_others = (
        judge_values(sample_of(level_2, genes), FILE, None, None),
        judge_values(sample_of(level_2), FILE, None, None),
    )
    assert (of_l1000.kind, "level 3" in of_l1000.evidence[-1]) == (None, True)
    assert (of_others.kind, of_others.score < SURE) == ("estimated_counts", True)


@pytest.mark.parametrize(
    ("written", "where"), [("{}_counts", "ends_with(index, '_counts')"), ("Reads.{}", "starts_with(index, 'Reads.')")]
)
def test_inspect_file__takes_counts_beside_tpm_for_no_samples_of_one_scale(written, where, tmp_path):
    names = [written.format(f"s{at}") for at in range(3)] + [f"s{at}_TPM" for at in range(3)]
    lines = [f"{gene},1,2,900,1.5,20.25,1000000" for gene in ("TP53", "MYC", "ABL1", "STAT1", "TYK2", "JAK2", "KLF1")]
    (tmp_path / "a.csv").write_text("\n".join(["gene," + ",".join(names), *lines]) + "\n")
    values = inspect_file(tmp_path / "a.csv").values
    assert (values.kind, where in values.evidence[-1]) == (None, True)


def test_columns_of_a_table_beside__are_told_apart_where_two_have_one_name():
    assert _distinct(["cell", "batch", "cell", "", "batch", "cell", ""]) == [
        *("cell", "batch", "cell_2", "", "batch_4", "cell_5", "_6")
    ]


def test_judge_values__takes_columns_of_compounds_for_no_genes():
    compounds = pl.DataFrame({"index": [f"BRD-K{at:08d}-001-01-1::2.5::HTS" for at in range(30)]})
    values = judge_values(sample_of(NORMAL, compounds), FILE, None, None)
    assert (values.kind, "of compounds, such as 'BRD-K00000000" in values.evidence[-1]) == (None, True)


def test_inspect_file__takes_wells_of_l1000_for_replicates(tmp_path):
    rows = pl.DataFrame({"index": [f"w{at}" for at in range(50)], "cmap_name": ["DMSO"] * 10 + ["vorinostat"] * 40})
    genes = pl.DataFrame({"index": [str(at) for at in range(1, 31)], "pr_gene_symbol": "A"})
    for name, column in (("wells", "rna_plate"), ("signatures", "det_plates")):
        described = rows.with_columns(pl.Series(column, ["P1", "P2"] * 25))
        path = write_gctx(tmp_path / f"{name}.gctx", 3 * NORMAL, described, genes)
        assert inspect_file(path).values.kind == ("zscore" if name == "wells" else "moderated_z")


def test_judge_values__knows_means_of_counts_by_their_numbers_of_cells():
    cells = RNG.integers(20, 90, 50).astype(float)
    means = (np.round(POISSON * 9) / cells[:, None]).astype(np.float32)
    cells[3] = np.nan
    assert judge_values(sample_of(means), FILE, None, cells).kind == "mean_counts"
    assert judge_values(sample_of(means), FILE, None, cells + 1).kind != "mean_counts"
    assert judge_values(sample_of(means), FILE, None, None).kind == "log1p"


def test_inspect_file__believes_uns_of_x_only(tmp_path):
    logs = log_normalised(POISSON)[:, :20]
    rows = pl.DataFrame({"index": [str(at) for at in range(50)]})
    genes = pl.DataFrame({"index": [f"g{at}" for at in range(20)]})
    path = write_h5ad(tmp_path / "a.h5ad", logs, rows, genes, layers={"scaled": logs})
    with h5py.File(path, "a") as file:
        file.create_group("uns/log1p")
    assert inspect_file(path).values.score == 1.0
    assert inspect_file(path, matrix="layers/scaled").values.score < 1.0


# Genes


def test_judge_genes__prefers_identifiers_to_symbols_and_keeps_both():
    genes = judge_genes(GENES.rename({"index": "ensembl_id", "gene_name": "index"}), GENES.height)
    assert (genes.id.name, genes.id.kind, genes.symbol.name) == ("ensembl_id", "ensembl", "index")


def test_judge_genes__fits_a_release_by_what_it_holds():
    names = ["MARCH8", "SEPT9", "TP53", "MYC", "QARS"]
    releases = judge_genes(pl.DataFrame({"index": names}), 5).releases
    assert releases["coverage"][0] == 1.0
    assert releases["release"][0] in reference.manifest()["annotation_releases"]
    assert releases["n_found"].is_sorted(descending=True)


@pytest.mark.parametrize(
    ("table", "name", "kind"),
    [
        ({"index": ["200814_at", "222103_at"], "pr_gene_id": [5720, 466]}, "pr_gene_id", "entrez"),
        ({"index": ["TP53", "MYC"], "n_cells": [7157, 4609]}, "index", "symbol"),
        ({"index": ["0", "1"], "feature_name": ["TP53", "MYC"]}, "feature_name", "symbol"),
        ({"index": ["TP53_ENSG00000141510", "MYC_ENSG00000136997"]}, "index", "symbol_ensembl"),
    ],
)
def test_judge_genes__knows_measurements_and_row_numbers_from_identifiers(table, name, kind):
    genes = judge_genes(pl.DataFrame(table), 2)
    assert (genes.id.name, genes.id.kind) == (name, kind)


def test_judge_genes__says_where_nothing_identifies_them():
    genes = judge_genes(pl.DataFrame({"index": ["peak_1", "peak_2", "peak_3"]}), 3)
    assert genes.id is None
    assert genes.symbol is None


def test_judge_genes__counts_what_is_given_again():
    assert judge_genes(pl.DataFrame({"index": ["TP53", "TP53", "MYC", "MYC", "MYC"]}), 5).columns[0].n_repeated == 3


# Labels and columns


def column(labels, name="perturbation"):
    return summarise(pl.Series(name, labels, strict=False))


def test_judge_labels__takes_no_compound_apart():
    labels = judge_labels(
        column(["control", "(+)-JQ1", "ENMD-2076 L-(+)-Tartaric acid", "Trametinib (DMSO_TF solvate)"])
    )
    assert labels.separator is None
    assert labels.strip is None
    assert labels.controls == {"control": 1}
    assert labels.gene_share == 0


@pytest.mark.parametrize(
    ("names", "sign"),
    [
        (["ctrl", "MYC+ctrl", "ctrl+STAT1"], "+"),
        (["control", "SET_KLF1", "KLF1"], "_"),
        (["non-targeting", "MYC", "STAT1"], None),
        (["control", "CREB1_pDS1", "XBP1_x", "MYC_y"], None),
        (["NT", "MYC,STAT1", "MYC"], ","),
    ],
)
def test_judge_labels__finds_what_joins_known_names(names, sign):
    labels = judge_labels(column(names))
    assert (labels.separator[0] if labels.separator else None) == sign


@pytest.mark.parametrize(
    ("names", "pattern"),
    [
        (["control", "ZAP70_1", "ZAP70_2", "LCK_1"], r"_\d+$"),
        (["62(mod)_pBA581", "CREB1_pDS269", "XBP1_pBA578"], r"_(pM|pD|pB|only).*$"),
        (["NT", "IFNGR2g1", "STAT1g1", "STAT1g2"], r"g\d+$"),
        (["control", "MYC", "STAT1"], None),
        (["control", "HLA-A", "MT-ND1", "NKX2-1"], None),
    ],
)
def test_judge_labels__strips_what_all_labels_end_with(names, pattern):
    labels = judge_labels(column(names))
    assert (labels.strip[0] if labels.strip else None) == pattern


def test_judge_labels__says_what_is_unassigned_and_how_many_rows_labels_have():
    labels = judge_labels(column(["control"] * 30 + ["MYC"] * 20 + ["STAT1"] * 4 + ["nan", "*", None]))
    assert labels.unassigned == {"*": 1, "nan": 1}
    assert labels.n_missing == 1
    assert labels.cells == {"fewest": 4.0, "median": 20.0, "most": 30.0, "labels below 10": 1.0}


@pytest.mark.parametrize("label", ["KNTC1", "Trametinib (DMSO_TF solvate)", "NTCP", "CTRL1", "CONTROLS"])
def test_controls__are_whole_labels(label):
    assert label not in CONTROLS
    assert judge_labels(column([label, "MYC"])).controls == {}


@pytest.mark.parametrize(("label", "looks"), [("NegCtrl3", True), ("my DMSO", True), ("KNTC1", False), ("PBSX", False)])
def test_looks_like_control__only_warns(label, looks):
    assert bool(LOOKS_LIKE_CONTROL.search(label)) == looks


def best(role, **columns):
    n = max(len(values) for values in columns.values())
    given = [column((values * n)[:n], name) for name, values in columns.items()]
    found = guess_roles(given)[role]
    return found[0].column if found else None


def test_guess_roles__takes_symbols_before_identifiers_and_guides():
    columns = {
        "gene_id": ["non-targeting", "ENSG00000136997", "ENSG00000115415"] * 3,
        "gene": ["non-targeting", "MYC", "STAT1"] * 3,
        "sgID_AB": ["non-targeting_1", "MYC_+_1", "STAT1_+_2"] * 3,
        "cell_barcode": [f"c{at}" for at in range(9)],
    }
    assert best("perturbation", **columns) == "gene"
    assert best("guide", **columns) == "sgID_AB"


def test_guess_roles__goes_by_content_where_names_mislead():
    assert best("perturbation", gene=["only one"] * 5) is None
    assert best("perturbation", condition=["K562", "A549", "HT29"] * 4) is None
    assert best("kind", perturbation_type=["TCR stimulation", "CRISPR"]) is None
    assert best("context", cell_id=[f"AAACCC-{at}" for at in range(30)]) is None
    assert best("time", age=["65", "61"]) is None


def test_guess_roles__finds_doses_in_other_columns():
    assert best("dose", treatment=["0.2 uM panobinostat", "vehicle (DMSO)"] * 3) == "treatment"


def test_guess_roles__takes_the_column_of_cell_lines_whatever_it_is_called():
    assert best("context", tissue=["lung", "blood"] * 3, mixture=["A549", "K562"] * 3) is not None
    assert best("context", cell_type=["T cells", "B cells"] * 3, cell_line=["A549", "K562"] * 3) == "cell_line"


# How genes were perturbed


@pytest.mark.parametrize(("factor", "kind"), [(0.1, "crispri"), (0.8, "crispr_knockout"), (4.0, "crispra")])
def test_inspect_file__tells_from_own_expression_how_genes_were_perturbed(factor, kind, tmp_path):
    symbols = GENES["gene_name"].to_list()
    labels = ["non-targeting", *symbols[:4]] * 80
    counts = RNG.poisson(6.0, (400, len(symbols))).astype(float)
    for at, label in enumerate(labels):
        if label in symbols:
            counts[at, symbols.index(label)] = RNG.poisson(6.0 * factor)
    rows = pl.DataFrame({"index": [str(at) for at in range(400)], "gene": labels})
    found = inspect_file(write_h5ad(tmp_path / "a.h5ad", counts, rows, GENES))
    guess = found.roles["kind"][0]
    assert guess.value == kind
    assert "4 targets, 320 rows" in " ".join(guess.reasons)


# The command


def run(*arguments):
    return CliRunner(env={"COLUMNS": "120"}).invoke(featurestore, ["inspect", *map(str, arguments)])


def test_inspect__prints_findings_and_what_a_draft_would_need(tmp_path):
    ran = run(EXAMPLES["h5ad"]["csr"](tmp_path))
    assert ran.exit_code == 0, ran.output
    assert f"h5ad (csr), {N} rows x {GENES.height} genes" in ran.stdout
    assert "holds the control label 'non-targeting' (4 rows)" in " ".join(ran.stdout.split())
    assert "A draft (--write SPEC) can be ingested as it is." in ran.stdout
    assert "needs condition.perturbation" in run(EXAMPLES["mtx"]["10x version 3"](tmp_path / "s")).stdout


def test_inspect__as_json_holds_the_draft(tmp_path):
    said = json.loads(run(EXAMPLES["gctx"]["LINCS"](tmp_path), "--format", "json").stdout)
    assert said["values"]["kind"] == "moderated_z"
    assert said["roles"]["kind"][0]["column"] == "pert_type"
    assert said["genes"]["kind"] == "entrez"
    assert said["draft"]["missing"] == []
    assert 'kind_column = "pert_type"' in said["draft"]["spec"]


def test_inspect__writes_a_draft_once(tmp_path):
    path, spec = EXAMPLES["h5ad"]["dense"](tmp_path), tmp_path / "cells.toml"
    assert run(path, "--write", spec).exit_code == 0
    before = spec.read_text()
    again = run(path, "--write", spec)
    assert isinstance(again.exception, SpecError)
    assert spec.read_text() == before


def test_inspect__shows_labels_with_brackets_as_they_are(tmp_path):
    rows = pl.DataFrame({"index": [str(at) for at in range(N)], "perturbation": ["control", "[red]MYC[/]", "[/x]"] * 8})
    path = write_h5ad(tmp_path / "a.h5ad", COUNTS, rows, GENES)
    ran = run(path)
    assert ran.exit_code == 0, ran.output


def test_inspect__of_no_known_format_is_one_message(tmp_path):
    (tmp_path / "a.h5ad").write_text("hello")
    assert isinstance(run(tmp_path / "a.h5ad").exception, SourceFormatError)
    assert isinstance(run(tmp_path / "none.h5ad").exception, SourceFormatError)
