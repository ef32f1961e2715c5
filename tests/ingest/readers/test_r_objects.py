"""What R saved: matrices and data frames, without R and without running code; the rest is told how to export."""

from __future__ import annotations

import bz2
import gzip
import lzma
import sys
import tomllib

import numpy as np
import pandas as pd
import pytest
import rdata

from featurestore.errors import SourceFormatError
from featurestore.query.warehouse import Warehouse
from ingest.inspection.draft import draft_spec
from ingest.inspection.inspect import inspect_file
from ingest.pipeline import ingest_dataset
from ingest.readers import r_objects
from ingest.readers.open import open_source
from ingest.testing import assemble
from layouts.r_objects import (
    AS_TEXT,
    BY_LINE,
    BY_PLACE,
    FUNCTION,
    OF_A_PACKAGE,
    OF_DESEQ2,
    OF_LIMMA,
    REPEATED_COLUMNS,
    RESULTS,
    SEVERAL,
    UNNAMED,
    write_r,
)

CELLS_BY_GENES = [[1, 0, 2], [0, 3, 0]]


def test_sparse_matrix__is_of_genes_in_rows(tmp_path):
    reader = open_source(write_r(tmp_path / "counts.rds"))
    assert reader.format == "r (dgCMatrix, genes in rows)"
    assert reader.genes()["index"].to_list() == ["TP53", "MYC", "ABL1"]
    assert reader.rows()["index"].to_list() == ["c1", "c2"]
    np.testing.assert_array_equal(assemble(reader, 1), CELLS_BY_GENES)
    turned = open_source(tmp_path / "counts.rds", layout={"genes_in": "columns"})
    np.testing.assert_array_equal(assemble(turned), np.transpose(CELLS_BY_GENES))


@pytest.mark.parametrize("saved", [BY_PLACE, BY_LINE, AS_TEXT])
def test_sparse_matrix__of_any_order_and_as_text_is_the_same(tmp_path, saved):
    reader = open_source(write_r(tmp_path / "counts.rds", saved))
    assert reader.genes()["index"].to_list() == ["TP53", "MYC", "ABL1"]
    np.testing.assert_array_equal(assemble(reader), CELLS_BY_GENES)


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress, bytes])
def test_compression__any_that_r_has(tmp_path, compress):
    raw = gzip.decompress(write_r(tmp_path / "a.rds").read_bytes())
    (tmp_path / "b").write_bytes(compress(raw))
    np.testing.assert_array_equal(assemble(open_source(tmp_path / "b")), CELLS_BY_GENES)


def test_objects__several_are_named(tmp_path):
    path = write_r(tmp_path / "all.RData", SEVERAL)
    with pytest.raises(SourceFormatError, match=r"several objects(.|\n)*counts \(dgCMatrix\), de \(data.frame\)"):
        open_source(path)
    reader = open_source(path, matrix="counts")
    assert reader.matrices == ("counts", "de")
    np.testing.assert_array_equal(assemble(reader), CELLS_BY_GENES)
    with pytest.raises(SourceFormatError, match="no object 'count'"):
        open_source(path, matrix="count")


@pytest.mark.parametrize(
    ("saved", "message"),
    [
        (OF_A_PACKAGE, r"no data frame and no matrix(.|\n)*Seurat(.|\n)*writeMM"),
        (REPEATED_COLUMNS, "have one name"),
        (UNNAMED, "without names"),
        (FUNCTION, r"holds functions(.|\n)*writeMM"),
        (OF_LIMMA, r"MArrayLM(.|\n)*topTable"),
    ],
)
def test_objects__that_cannot_be_read_say_the_way_on(tmp_path, saved, message):
    with pytest.raises(SourceFormatError, match=message):
        open_source(write_r(tmp_path / "a.rds", saved))


def test_objects__that_would_fill_the_memory_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(r_objects, "BOMB_BYTES", 1000)
    (tmp_path / "a.rds").write_bytes(gzip.compress(b"X\n\x00\x00\x00\x03" + bytes(10**7)))
    with pytest.raises(SourceFormatError, match="too large"):
        open_source(tmp_path / "a.rds")


def test_rdata__that_is_not_installed_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "rdata", None)
    with pytest.raises(SourceFormatError, match=r"not installed(.|\n)*featurestore\[r\]"):
        open_source(write_r(tmp_path / "a.rds"))


def test_frame__of_counts_is_a_table(tmp_path):
    counts = np.random.default_rng(1).poisson(50, (3, 4))
    names = pd.Index(["TP53", "MYC", "STAT1"], dtype=object)  # rdata writes no names of pandas 3's own type
    rdata.write_rds(tmp_path / "counts.rds", pd.DataFrame(counts, index=names, columns=list("abcd")))
    found = inspect_file(tmp_path / "counts.rds")
    assert (found.format, found.genes_in) == ("r (data.frame, genes in rows)", "rows")
    reader = open_source(tmp_path / "counts.rds", layout={"genes_in": "rows"})
    np.testing.assert_array_equal(assemble(reader), counts.T)
    reader.close()


def test_frame__of_results_is_drafted_and_ingested_with_every_digit(tmp_path):
    found = inspect_file(write_r(tmp_path / "results_K562.rds", RESULTS))
    draft = draft_spec(found, tmp_path)
    assert draft.missing == (), draft.text
    assert tomllib.loads(draft.text)["table"] == {"gene": "gene", "effect": "log2FoldChange", "q_value": "padj"}
    (tmp_path / "draft.toml").write_text(draft.text)
    ingest_dataset(tmp_path / "draft.toml", tmp_path / "warehouse")
    with Warehouse(tmp_path / "warehouse") as store:
        rows = store.frame("select gene_symbol, effect, q_value from signature where effect is not null").rows()
    assert rows == [("ABL1", 1.25, 1e-300)]


def test_frame__of_deseq2_is_a_result(tmp_path):
    found = inspect_file(write_r(tmp_path / "MYC_vs_control_K562.rds", OF_DESEQ2))
    assert found.table == {"gene": "row_names", "effect": "log2FoldChange", "p_value": "pvalue", "q_value": "padj"}
    draft = draft_spec(found, tmp_path)
    fields = {"perturbation": '{ value = "MYC" }', "kind": '"crispri"'}
    text = draft.text
    for key, value in fields.items():
        text = text if f"\n{key} = " in text else text.replace("[condition]\n", f"[condition]\n{key} = {value}\n")
    (tmp_path / "draft.toml").write_text(text)
    ingest_dataset(tmp_path / "draft.toml", tmp_path / "warehouse")
    with Warehouse(tmp_path / "warehouse") as store:
        rows = store.frame("select gene_symbol, effect, q_value from signature where effect is not null").rows()
    assert sorted(rows) == [("ABL1", 1.25, 3e-300), ("MYC", -2.0, 0.6)]


def test_frame__is_described_by_the_sample_sheet_beside_it(tmp_path):
    counts = np.random.default_rng(1).poisson(50, (3, 4))
    names = pd.Index(["TP53", "MYC", "STAT1"], dtype=object)
    rdata.write_rds(tmp_path / "counts.rds", pd.DataFrame(counts, index=names, columns=list("abcd")))
    (tmp_path / "samples.csv").write_text(
        "sample,target\n" + "".join(f"{s},{'ctrl' if s < 'c' else 'MYC'}\n" for s in "abcd")
    )
    rows = tomllib.loads(draft_spec(inspect_file(tmp_path / "counts.rds"), tmp_path).text)["rows"]
    assert rows == {"table": "samples.csv", "key": "sample"}
