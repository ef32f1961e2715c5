"""Bad input gives one clear error that says what to do, and the warehouse stays as it was, byte for byte."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy import sparse

from featurestore.errors import (
    FeatureStoreError,
    HarmonisationError,
    MissingControlError,
    SourceFormatError,
    SpecError,
    ValuesError,
)
from ingest.layouts import write_gctx, write_h5ad
from ingest.pipeline import ingest_dataset
from ingest.reader import INDEX

GENES = ["ENSG00000141510", "ENSG00000146648", "ENSG00000136997", "ENSG00000133703"]
SPEC = """
[dataset]
id = "bad"
files = ["{file}"]
values = "{values}"
assay = "perturb_seq"
[condition]
perturbation = "{perturbation}"
kind = "crispri"
controls = ["{control}"]
context = {{ value = "K562" }}
{more}
"""


def make(
    folder: Path, *, file="x.h5ad", values="counts", perturbation="gene", control="non-targeting", more=""
) -> Path:
    spec = folder / "bad.toml"
    spec.write_text(SPEC.format(file=file, values=values, perturbation=perturbation, control=control, more=more))
    return spec


def h5ad(folder: Path, *, genes=GENES, transform: Callable[[np.ndarray], np.ndarray] = lambda x: x) -> Path:
    counts = np.random.default_rng(0).poisson(2.0, (30, len(genes))).astype(np.float32)
    rows = pl.DataFrame({INDEX: [f"c{i}" for i in range(30)], "gene": ["non-targeting", "TP53", "MYC"] * 10})
    path = folder / "x.h5ad"
    write_h5ad(path, sparse.csr_array(transform(counts)), rows, pl.DataFrame({INDEX: genes}))
    return path


def no_control(folder):
    h5ad(folder)
    return make(folder, control="control")


def unknown_column(folder):
    h5ad(folder)
    return make(folder, perturbation="gen")


def logs_as_counts(folder):
    h5ad(folder, transform=np.log1p)
    return make(folder)


def counts_as_logs(folder):
    h5ad(folder)
    return make(folder, values="log1p")


def one_gene_twice(folder):
    h5ad(folder, genes=[*GENES, GENES[0]])
    return make(folder)


def truncated(folder):
    path = h5ad(folder)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return make(folder)


def text_named_gctx(folder):
    (folder / "x.gctx").write_text("this is no matrix\n1 2 3\n")
    return make(folder, file="x.gctx")


def absent_file(folder):
    h5ad(folder)
    return make(folder, file="y.h5ad")


def unknown_genes(folder):
    h5ad(folder, genes=["geneA", "geneB", "geneC", "geneD"])
    return make(folder)


def bad_filter(folder):
    h5ad(folder)
    return make(folder, more='where = "gene >"')


def unknown_key(folder):
    h5ad(folder)
    return make(folder, more='bacth = "gene"\ntiem = { value = 6, unit = "d" }')


def unknown_kind(folder):
    matrix = np.zeros((2, 4), np.float32)
    rows = pl.DataFrame({INDEX: ["s1", "s2"], "gene": ["TP53", "MYC"], "kind": ["trt_cp", "trt_magic"]})
    write_gctx(folder / "x.gctx", matrix, rows, pl.DataFrame({INDEX: ["7157", "1956", "4609", "3845"]}))
    spec = make(folder, file="x.gctx", values="moderated_z")
    spec.write_text(spec.read_text().replace('kind = "crispri"', 'kind_column = "kind"'))
    return spec


CASES = [
    (no_control, MissingControlError, ["'control'", "'non-targeting' (10 cells)", 'set controls = ["non-targeting"]']),
    (unknown_column, SpecError, ["no column 'gen'", "did you mean 'gene'"]),
    (logs_as_counts, ValuesError, ["not counts", "not whole", 'values = "log1p"']),
    (counts_as_logs, ValuesError, ["not log1p", 'values = "counts"']),
    (one_gene_twice, SourceFormatError, ["ENSG00000141510", "2 times", "duplicates"]),
    (truncated, SourceFormatError, ["x.h5ad"]),
    (text_named_gctx, SourceFormatError, ["x.gctx", "this is no matrix"]),
    (absent_file, SpecError, ["no file 'y.h5ad'", "did you mean 'x.h5ad'"]),
    (unknown_genes, HarmonisationError, ["4 of 4", "geneA", "raise the limit"]),
    (bad_filter, SpecError, ["'where'"]),
    (unknown_key, SpecError, ["2 faults", "did you mean 'batch'", "did you mean 'time'"]),
    (unknown_kind, SpecError, ["trt_magic", "trt_xpr"]),
]


def contents(root: Path) -> dict[str, bytes | None]:
    return {str(path.relative_to(root)): path.read_bytes() if path.is_file() else None for path in root.rglob("*")}


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory):
    folder = tmp_path_factory.mktemp("good")
    h5ad(folder)
    ingest_dataset(make(folder), folder / "warehouse")
    return folder / "warehouse"


@pytest.mark.parametrize(("damage", "error", "said"), CASES, ids=[case[0].__name__ for case in CASES])
def test_bad_input__is_one_clear_error_and_changes_nothing(damage, error, said, tmp_path, warehouse):
    before = contents(warehouse)
    with pytest.raises(error) as caught:
        ingest_dataset(damage(tmp_path), warehouse)
    print(f"{type(caught.value).__name__}: {caught.value}")
    for words in said:
        assert words in str(caught.value)
    assert contents(warehouse) == before


@pytest.mark.parametrize("damage", [case[0] for case in CASES], ids=[case[0].__name__ for case in CASES])
def test_bad_input__makes_no_warehouse(damage, tmp_path):
    spec = damage(tmp_path)
    with pytest.raises(FeatureStoreError):
        ingest_dataset(spec, tmp_path / "deep" / "warehouse")
    assert not (tmp_path / "deep").exists()


def test_duplicates__are_added_when_the_spec_says_so(tmp_path):
    h5ad(tmp_path, genes=[*GENES, GENES[0]])
    spec = make(tmp_path, more='[genes]\nduplicates = "collapse"')
    outcome = ingest_dataset(spec, tmp_path / "warehouse")
    rows = {file["table"]: file["rows"] for file in outcome.manifest["files"]}
    assert rows["gene"] == 4
