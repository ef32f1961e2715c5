"""The file that the challenge of 2026 takes, and everything that its own tool would refuse, refused before it."""

import json

import anndata as ad
import numpy as np
import pytest
from scipy import sparse

from featurestore.challenge import submission_2026 as module
from featurestore.challenge.panel import Panel, read_panel
from featurestore.challenge.submission_2026 import Block, write_counts
from featurestore.errors import FeatureError, SourceFormatError

GENES = ("G0", "G1", "G2")


def block(rows, context="A", perturbation="G0"):
    return Block(context, perturbation, sparse.csr_array(np.array(rows, dtype=np.float32)))


def test_file__has_whole_counts_labels_contexts_and_no_controls(tmp_path):
    n = write_counts(
        [block([[1, 0, 2], [0, 3, 0]]), block([[0, 0, 4]], "B", "G2")], tmp_path / "p.h5ad", genes=GENES, column="gene"
    )
    found = ad.read_h5ad(tmp_path / "p.h5ad")
    np.testing.assert_array_equal(found.X.toarray(), [[1, 0, 2], [0, 3, 0], [0, 0, 4]])
    assert n == found.X.nnz == 4
    assert found.X.dtype == np.float32
    assert found.X.indptr.dtype == found.X.indices.dtype == np.int32
    assert found.var_names.tolist() == list(GENES)
    assert found.obs.astype(str).to_dict("list") == {"gene": ["G0", "G0", "G2"], "context": ["A", "A", "B"]}
    assert [path.name for path in tmp_path.iterdir()] == ["p.h5ad"]


def test_file__of_more_entries_than_32_bits_count_has_wide_integers_on_both_axes(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MOST_NARROW", 3)
    monkeypatch.setattr(module, "_CHUNK", 3)
    write_counts([block([[1, 0, 2], [0, 3, 0], [5, 6, 7]])], tmp_path / "p.h5ad", genes=GENES)
    found = ad.read_h5ad(tmp_path / "p.h5ad").X
    np.testing.assert_array_equal(found.toarray(), [[1, 0, 2], [0, 3, 0], [5, 6, 7]])
    assert found.indptr.dtype == found.indices.dtype == np.int64


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ([[1.5, 0, 0]], "takes whole counts"),
        ([[-1, 0, 0]], "takes whole counts"),
        ([[np.nan, 0, 0]], "takes whole counts"),
        ([[0, 0, 0], [0, 0, 0]], "All cells of a perturbation are empty"),
        ([[1, 0, 0], [600_000, 400_001, 0]], r"more counts than the challenge takes(.|\n)*1,000,001"),
    ],
    ids=["fraction", "negative", "missing", "empty", "large"],
)
def test_cells__that_the_challenge_would_refuse_are_not_written(tmp_path, rows, why):
    with pytest.raises(FeatureError, match=why) as caught:
        write_counts([block([[1, 1, 1]]), block(rows, "B", "G1")], tmp_path / "p.h5ad", genes=GENES)
    assert caught.value.where == "G1 of context B"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("limit", "what"), [("MOST_ENTRIES_2026", "entries"), ("MOST_CELLS_2026", "cells")])
def test_file__too_large_for_the_challenge_is_not_written(tmp_path, monkeypatch, limit, what):
    monkeypatch.setattr(module, limit, 3)
    blocks = [block([[1, 1, 0]]), block([[1, 1, 0], [0, 1, 0], [0, 0, 1]])]
    with pytest.raises(FeatureError, match=f"too many {what} for the challenge"):
        write_counts(blocks, tmp_path / "p.h5ad", genes=GENES)
    assert not list(tmp_path.iterdir())


def bundle(folder, perturbations="target_gene\nG0\nG1\nnon-targeting\n", manifest='{"contexts": ["D", "E", "F"]}'):
    (folder / "gene_names.csv").write_text("gene_name\nG2\nG0\nG1\n")
    (folder / "pert_counts.csv").write_text(perturbations)
    if manifest:
        (folder / "manifest.json").write_text(manifest)
    return folder


def test_panel__is_read_from_the_bundle(tmp_path):
    panel = read_panel(bundle(tmp_path))
    assert panel == Panel(("G2", "G0", "G1"), {"": {"G0": 400, "G1": 400}}, ("D", "E", "F"))
    by_context = read_panel(bundle(tmp_path, "context,target_gene,n_cells\nD,G0,20\nE,G1,\n"))
    assert (by_context.of("D"), by_context.of("E"), by_context.of("F")) == ({"G0": 20}, {"G1": 400}, {})


def test_panel__that_is_not_whole_is_refused(tmp_path):
    with pytest.raises(SourceFormatError, match=r"not whole(.|\n)*vcc_2026_controls.zip(.|\n)*no gene_names.csv"):
        read_panel(tmp_path)
    with pytest.raises(SourceFormatError, match="names no contexts"):
        read_panel(bundle(tmp_path, manifest=json.dumps({"partition": "val"})))
    with pytest.raises(SourceFormatError, match=r"perturbations cannot be read(.|\n)*'target_gene'"):
        read_panel(bundle(tmp_path, "gene\nG0\n"))
    bundle(tmp_path)
    (tmp_path / "gene_names.csv").write_text("G0\nG1\nG0\n")
    with pytest.raises(SourceFormatError, match=r"listed twice(.|\n)*G0"):
        read_panel(tmp_path)


def test_contexts__are_those_of_the_manifest_or_of_a_phase():
    known, unknown = Panel(GENES, {}, ("D", "E", "F")), Panel(GENES, {})
    known.check_contexts(["F", "E", "D"])
    unknown.check_contexts(["A", "B", "C"])
    unknown.check_contexts(["D", "E", "F"])
    for panel, given, why in (
        (known, ["A", "B", "C"], "leave out A, B, C, or name"),
        (known, ["D", "F"], "of E too"),
        (unknown, ["A", "B", "F"], "of C too"),
        (unknown, ["A", "B", "C", "G"], "leave out G, or name"),
    ):
        with pytest.raises(FeatureError, match="one file of every context") as caught:
            panel.check_contexts(given)
        assert why in caught.value.do


def test_perturbations__are_all_there():
    panel = Panel(GENES, {"": {"G0": 400, "G1": 400}})
    panel.check_perturbations("A", ["G1", "G0", "G7"])
    with pytest.raises(FeatureError, match=r"lack 1 of 2 perturbations of context A(.|\n)*did you mean 'G1-1'"):
        panel.check_perturbations("A", ["G0", "G1-1"])
    with pytest.raises(FeatureError, match="perturbations of context A"):
        Panel(GENES, {"B": {"G0": 400}}).check_perturbations("A", ["G0"])
