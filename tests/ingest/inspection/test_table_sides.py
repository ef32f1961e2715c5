"""Which side of a table of numbers is the genes, where samples are named after their targets."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from featurestore.errors import ValuesError
from featurestore.query.warehouse import Warehouse
from ingest.inspection.draft import draft_spec
from ingest.inspection.inspect import inspect_file
from ingest.layouts import write_h5ad
from ingest.pipeline import ingest_dataset

GENES = ["TP53", "EGFR", "MYC", "PTEN", "ACTB", "GAPDH", "STAT1", "JAK1", "KRAS", "BRAF", "CD4", "CD8A"]
RNG = np.random.default_rng(3)


def write(path, columns, lines=GENES, key="gene"):
    """Write a table, and return its numbers; shape (lines, columns)."""
    values = RNG.poisson(300.0, (len(lines), len(columns)))
    rows = [",".join([line, *map(str, row)]) for line, row in zip(lines, values, strict=True)]
    path.write_text("\n".join([",".join([key, *columns]), *rows]) + "\n")
    return values


@pytest.mark.parametrize(
    ("columns", "lines", "key", "genes_in", "is_doubtful"),
    [
        (["ctrl_1", "ctrl_2", "TP53_1", "TP53_2"], GENES, "gene", "rows", False),
        (["TP53_1", "TP53_2", "EGFR_1", "EGFR_2"], GENES, "gene", "rows", False),
        (["NT", "TP53", "EGFR", "MYC"], GENES, "", "rows", False),
        (["TP53", "TP53", "EGFR", "EGFR"], GENES, "gene", "rows", False),
        (["DMSO.1", "TP53.1", "TP53.2", "EGFR.1"], GENES, "", "rows", False),
        (["sgNT-1", "sgTP53-1", "sgEGFR-1"], GENES, "symbol", "rows", False),
        (["s1", "s2", "s3"], GENES, "", "rows", False),
        (GENES, ["non-targeting", "TP53", "MYC", "EGFR"], "gene", None, False),
        (GENES, ["TP53_1", "TP53_2", "MYC_1", "EGFR_1"], "sample", None, False),
        (GENES, ["s1", "s2", "s3"], "", None, False),
        (["TP53", "EGFR", "MYC"], GENES, "gene", "rows", True),
        (GENES, ["TP53", "EGFR", "MYC"], "target", "columns", True),
    ],
)
def test_genes_are_told_from_samples_that_are_named_after_them(tmp_path, columns, lines, key, genes_in, is_doubtful):
    write(tmp_path / "counts.csv", columns, lines, key)
    found = inspect_file(tmp_path / "counts.csv")
    assert found.genes_in == genes_in
    assert ("dataset.genes_in" in draft_spec(found, tmp_path).doubtful) == is_doubtful
    assert found.genes.id is not None


def test_samples_that_are_numbered_after_their_target_need_no_sheet(tmp_path):
    samples = [f"{target}_{n}" for target in ("ctrl", "TP53", "EGFR") for n in (1, 2, 3)]
    counts = write(tmp_path / "counts.csv", samples).T
    draft = draft_spec(inspect_file(tmp_path / "counts.csv"), tmp_path)
    assert draft.missing == ("condition.context",)
    text = draft.text.replace("# FILL IN: context", "context")
    (tmp_path / "counts.toml").write_text(text)
    ingest_dataset(tmp_path / "counts.toml", tmp_path / "warehouse")
    found = Warehouse(tmp_path / "warehouse").frame(
        "select perturbation, gene_symbol, effect from signature join condition using (dataset_id, condition_id)"
    )
    logs = np.log1p(1e4 * counts / counts.sum(axis=1, keepdims=True))
    expected = {
        (target, gene): logs[first : first + 3, at].mean() - logs[:3, at].mean()
        for target, first in (("TP53", 3), ("EGFR", 6))
        for at, gene in enumerate(GENES)
    }
    assert {(target, gene): effect for target, gene, effect in found.rows()} == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("layout", ["csr", "csc", "dense"])
@pytest.mark.parametrize(("values", "others"), [("counts", "the others are counts"), ("log1p", "the others are not")])
def test_one_value_below_0_is_named_and_no_difference_from_control(tmp_path, layout, values, others):
    counts = RNG.poisson(4.0, (60, len(GENES))).astype(np.float32)
    matrix = counts if values == "counts" else np.log1p(1e4 * counts / counts.sum(axis=1, keepdims=True))
    matrix[3, 7] = -1
    cells = pl.DataFrame({"index": [f"c{i}" for i in range(60)], "gene": np.repeat(["non-targeting", "STAT1"], 30)})
    path = write_h5ad(tmp_path / "below.h5ad", matrix, cells, pl.DataFrame({"index": GENES}), layout=layout)
    draft = draft_spec(inspect_file(path), tmp_path)
    assert "dataset.values" in draft.missing
    said = " ".join(draft.text.replace("#  ", "").split())
    assert f"1 of 720 values is below 0 (-1 at row c3, gene JAK1); {others}" in said
    text = draft.text.replace('# FILL IN: values = "counts"', f'values = "{values}"').replace("# FILL IN: ", "")
    (tmp_path / "below.toml").write_text(text)
    with pytest.raises(ValuesError) as error:
        ingest_dataset(tmp_path / "below.toml", tmp_path / "warehouse")
    assert "below 0, the first -1 at row c3, gene JAK1" in str(error.value)
    assert "log2_fold_change" not in str(error.value)
