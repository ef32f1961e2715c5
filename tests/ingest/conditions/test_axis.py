"""Where each column of a matrix goes: to a gene, to none within the library, or outside it."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from featurestore.query.warehouse import Warehouse
from ingest.layouts import write_h5ad
from ingest.pipeline import ingest_dataset

N = 60
GENES = ["TP53", "MYC", "EGFR", "KRAS", "unheard-of", "ERCC-00002", "CD3"]
TYPES = ["gene"] * 6 + ["tag"]
SPEC = """
[dataset]
id = "screen"
files = ["screen.h5ad"]
values = "counts"
assay = "perturb_seq"
[condition]
perturbation = "gene"
kind = "crispri"
controls = ["NT"]
context = { value = "K562" }
[genes]
where = "type = 'gene'"
"""


@pytest.mark.parametrize("layout", ["csr", "csc", "dense"])
def test_library__is_without_spike_ins_and_what_the_spec_leaves_out(tmp_path, layout):
    counts = np.random.default_rng(0).poisson(4.0, (N, len(GENES))).astype(np.float32)
    counts[N // 2 :, 5:] += 200
    labels = np.repeat(["NT", "GATA1"], N // 2)
    cells = pl.DataFrame({"index": [f"c{i}" for i in range(N)], "gene": labels})
    write_h5ad(tmp_path / "screen.h5ad", counts, cells, pl.DataFrame({"index": GENES, "type": TYPES}), layout=layout)
    (tmp_path / "screen.toml").write_text(SPEC)
    ingest_dataset(tmp_path / "screen.toml", tmp_path / "warehouse")
    found = Warehouse(tmp_path / "warehouse").frame("select gene_symbol, effect from signature")
    logs = np.log1p(1e4 * counts[:, :4] / counts[:, :5].sum(axis=1, keepdims=True))
    effects = logs[N // 2 :].mean(axis=0) - logs[: N // 2].mean(axis=0)
    assert dict(found.iter_rows()) == pytest.approx(dict(zip(GENES, effects, strict=False)), rel=1.6e-5, abs=1e-6)
