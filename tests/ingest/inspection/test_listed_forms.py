"""Tables of results with decimal commas, titles and fold changes that are ratios: the draft holds the right effect."""

from __future__ import annotations

import numpy as np
import pytest

from featurestore.query.warehouse import Warehouse
from ingest.inspection.draft import draft_spec
from ingest.inspection.inspect import inspect_file
from ingest.pipeline import ingest_dataset

GENES = ["TP53", "EGFR", "MYC", "PTEN", "ACTB", "GAPDH", "STAT1", "JAK1", "KRAS", "BRAF", "CD4", "CD8A"]
EFFECTS = np.random.default_rng(4).normal(0, 1, len(GENES)).round(4)
HEAD = ["target", "feature", "logFC", "P.Value"]


def effects_of(path):
    """Draft, fill in what the file cannot say, ingest, and read the effects of STAT1."""
    text = draft_spec(inspect_file(path), path.parent).text.replace("# FILL IN: context", "context")
    (path.parent / "x.toml").write_text(text)
    ingest_dataset(path.parent / "x.toml", path.parent / "warehouse")
    found = Warehouse(path.parent / "warehouse").frame("select gene_symbol, effect from signature")
    return dict(found.iter_rows())


def table(separator=",", title=(), head=HEAD, write=lambda effect: f"{effect}", p="0.01"):
    lines = [separator.join(["STAT1", gene, write(effect), p]) for gene, effect in zip(GENES, EFFECTS, strict=True)]
    return "\n".join([*title, separator.join(head), *lines]) + "\n"


def with_comma(effect):
    return f"{effect}".replace(".", ",")


RATIO = ["target", "feature", "fold_change", "p_value"]


@pytest.mark.parametrize(
    "text",
    [
        table(";", write=with_comma, p="0,01"),
        table("\t", write=with_comma, p="0,01"),
        table(title=["Table S3. Results", ""]),
        table(title=["Table S3. Results,,,"]),
        table(";", title=["Tabelle 3;;;"], write=with_comma, p="0,01"),
        table(head=RATIO, write=lambda effect: f"{2.0**effect:.8f}"),
        table(head=[*RATIO[:2], "FoldChange", "P.Value"], write=lambda effect: f"{2.0**effect:.8f}"),
        table(";", head=RATIO, write=lambda effect: with_comma(f"{2.0**effect:.8f}"), p="0,01"),
        table(head=RATIO, write=lambda effect: f"{np.sign(effect) * 2.0 ** abs(effect):.8f}"),
    ],
    ids=["semicolons", "tabs", "title", "padded", "all", "ratio", "ratio, other name", "ratio, commas", "signed ratio"],
)
def test_effects__are_those_of_the_table(tmp_path, text):
    (tmp_path / "results.csv").write_text(text)
    assert effects_of(tmp_path / "results.csv") == pytest.approx(dict(zip(GENES, EFFECTS, strict=True)), abs=1e-6)


SAMPLES = ["ctrl_1", "ctrl_2", "kd_1", "kd_2"]
COUNTS = np.random.default_rng(8).poisson(30, (len(GENES), len(SAMPLES)))


def merged(counts, names=SAMPLES, genes=GENES):
    """Write DESeq2's table with further columns of numbers."""
    head = ["gene", "baseMean", "log2FoldChange", "lfcSE", "stat", "pvalue", "padj", *names]
    lines = [
        [gene, counts[at].mean(), EFFECTS[at], 0.5, EFFECTS[at] / 0.5, 0.01 * (at + 1), 0.02 * (at + 1), *counts[at]]
        for at, gene in enumerate(genes)
    ]
    return "\n".join(",".join(map(str, line)) for line in [head, *lines]) + "\n"


@pytest.mark.parametrize("counts", [COUNTS, COUNTS * np.array([1.1, 0.9, 1.03, 0.97])], ids=["counts", "normalised"])
def test_counts__beside_a_result_are_said_and_not_read(tmp_path, counts):
    (tmp_path / "STAT1_vs_ctrl.csv").write_text(merged(counts, genes=[*GENES[:-1], "TP53"]))
    found = inspect_file(tmp_path / "STAT1_vs_ctrl.csv")
    assert (found.samples, found.table["effect"]) == (tuple(SAMPLES), "log2FoldChange")
    told = "columns that look like counts of samples are not read: ctrl_1, ctrl_2, kd_1, kd_2"
    assert told in " ".join(draft_spec(found, tmp_path).text.replace("#", "").split())


def test_counts__beside_a_result_leave_its_effects(tmp_path):
    (tmp_path / "STAT1_vs_ctrl.csv").write_text(merged(COUNTS))
    assert effects_of(tmp_path / "STAT1_vs_ctrl.csv") == pytest.approx(dict(zip(GENES, EFFECTS, strict=True)))


@pytest.mark.parametrize("names", [["start", "end"], ["n_cells_kd", "n_cells_ctrl"], ["entrezgene_id", "gene_length"]])
def test_numbers_of_genes__are_no_samples(tmp_path, names):
    (tmp_path / "STAT1_vs_ctrl.csv").write_text(merged(COUNTS[:, :2], names))
    assert inspect_file(tmp_path / "STAT1_vs_ctrl.csv").samples == ()


@pytest.mark.parametrize(
    ("head", "write", "is_doubtful"),
    [
        (HEAD, lambda effect: f"{effect}", False),
        (HEAD, lambda effect: f"{abs(effect)}", True),
        (RATIO, lambda effect: f"{2.0**effect:.6f}", True),
        (RATIO, lambda effect: f"{2.0 ** abs(effect):.6f}", True),
        (RATIO, lambda effect: f"{effect}", True),
    ],
)
def test_fold_changes__of_which_it_is_not_sure_what_they_are_are_to_be_checked(tmp_path, head, write, is_doubtful):
    (tmp_path / "results.csv").write_text(table(head=head, write=write))
    draft = draft_spec(inspect_file(tmp_path / "results.csv"), tmp_path)
    assert ("table.effect" in draft.doubtful) == is_doubtful
