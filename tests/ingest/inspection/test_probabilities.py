"""Columns of p-values as spreadsheets and volcano plots hold them: read as what they are, or said to be none."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from featurestore.query.warehouse import Warehouse
from ingest.inspection.draft import draft_spec
from ingest.inspection.inspect import inspect_file
from ingest.pipeline import ingest_dataset

GENES = ["TP53", "EGFR", "MYC", "PTEN", "ACTB", "GAPDH"]
P = np.array([0.01, 0.002, 0.5, 1e-30, 0.03, 0.2])
Q = np.array([0.03, 0.012, 0.5, 1e-29, 0.06, 0.24])
CONTEXT = 'context = { value = "K562" }'


def drafted(folder, p_name, q_name, p, q):
    lines = [f"target,gene,log2FC,{p_name},{q_name}"]
    lines += [f"STAT1,{gene},{at / 10 - 0.25},{x},{y}" for at, (gene, x, y) in enumerate(zip(GENES, p, q, strict=True))]
    (folder / "results.csv").write_text("\n".join(lines) + "\n")
    found = inspect_file(folder / "results.csv")
    return found, draft_spec(found, folder).text.replace(f"# FILL IN: {CONTEXT}", CONTEXT)


def listed(folder, text):
    (folder / "draft.toml").write_text(text)
    ingest_dataset(folder / "draft.toml", folder / "warehouse")
    with Warehouse(folder / "warehouse") as warehouse:
        table = warehouse.sql("select gene, p_value, q_value from effects").pl()
    return table.join(pl.DataFrame({"gene": GENES, "at": range(6)}), on="gene").sort("at")["p_value", "q_value"]


@pytest.mark.parametrize(
    ("p_name", "q_name", "sign"),
    [
        ("-log10(p)", "-log10(padj)", -1), ("neg_log10_pvalue", "neglog10_fdr", -1), ("nLog10P", "mlog10_q_value", -1),
        ("log10_pval", "log10_padj", 1),
    ],
)  # fmt: skip
def test_draft__takes_logarithms_of_p_values_back(p_name, q_name, sign, tmp_path):
    _, text = drafted(tmp_path, p_name, q_name, sign * np.log10(P), sign * np.log10(Q))
    np.testing.assert_allclose(listed(tmp_path, text).to_numpy(), np.column_stack([P, Q]), rtol=1e-6)
    assert "_value = " in text
    assert "  # CHECK" not in text.split("[table]")[1]


def test_draft__doubts_a_base_that_is_not_named(tmp_path):
    _, text = drafted(tmp_path, "log_pvalue", "padj", np.log10(P), Q)
    assert 'p_value = "pow(10, \\"log_pvalue\\")"  # CHECK' in text
    assert "to base 10, as its name does not say" in " ".join(text.replace("#", " ").split())


def test_draft__takes_a_spreadsheets_errors_for_missing(tmp_path):
    q = ["0.03", "#N/A", "0.5", "#DIV/0!", "", "0.24"]
    _, text = drafted(tmp_path, "pvalue", "padj", P, q)
    assert listed(tmp_path, text)["q_value"].to_list() == [0.03, None, 0.5, None, None, 0.24]


@pytest.mark.parametrize(
    ("q", "said"),
    [
        (["0.03", "0.012", "n.s.", "1e-29", "0.06", "n.s."], "'padj' is text in 2 lines, such as 'n.s.'"),
        (-np.log10(Q), "'padj' reaches from 0.301 to 29: these are no p-values; if they are their -log10: 'pow(10, "),
        (-Q, "'padj' reaches from -0.5 to -1e-29: these are no p-values"),
    ],
)
def test_inspect__says_why_a_column_named_like_q_values_is_not_taken(q, said, tmp_path):
    found, text = drafted(tmp_path, "pvalue", "padj", P, q)
    assert f"no q_value: {said}" in f"no q_value: {found.remarks['q_value'].text}"
    assert "# no q_value: 'padj'" in text
    assert listed(tmp_path, text)["q_value"].null_count() == len(GENES)


def test_draft__its_way_of_reading_text_reads_the_numbers(tmp_path):
    _, text = drafted(tmp_path, "pvalue", "padj", P, ["0.03", "0.012", "n.s.", "1e-29", "0.06", "n.s."])
    by_hand = text + "q_value = 'try_cast(\"padj\" as double)'\n"
    assert listed(tmp_path, by_hand)["q_value"].to_list() == [0.03, 0.012, None, 1e-29, 0.06, None]
