"""Gene sets in a signature, against SciPy and a walk down the ranking by hand."""

from __future__ import annotations

import sys

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner
from scipy.stats import false_discovery_control, hypergeom

from featurestore.commands.enrich import enrich as command
from featurestore.errors import QueryError

GENES = 30


@pytest.fixture
def screen(writer, make_condition, gene_ids):
    """G4 in A: genes go from high to low, those beyond 0.9 of either end with q < 0.05; its own target is highest."""
    effects = np.linspace(1.0, -1.0, GENES)[None, :]
    effects[0, 4] = 50.0
    entries = pl.DataFrame(
        {
            "condition_index": [0] * GENES,
            "gene_index": range(GENES),
            "effect": effects[0],
            "effect_kind": ["delta_log1p"] * GENES,
            "z": effects[0] * 3,
            "q_value": np.where(np.abs(effects[0]) > 0.65, 0.01, 0.5),
        }
    )
    writer.dataset("screen", [make_condition("G4", "A")], effects, signature=entries)
    with writer.open() as store:
        yield store, effects[0]


def sets_of(gene_ids):
    return {
        "top": [gene_ids[i] for i in (0, 1, 2, 4, 5)],
        "bottom": [gene_ids[i] for i in (25, 27, 28, 29)],
        "mixed": [gene_ids[i] for i in (0, 2, 15, 22, 29)],
        "few": ["no such gene", gene_ids[3]],
    }


def test_ranks__are_walked_down_without_the_own_target(screen, gene_ids):
    store, effects = screen
    found = store.enrich("ensg00000000005", sets_of(gene_ids), fewest=3)
    assert found.condition == ("screen", "G4/A/crispri")
    assert (found.statistic, found.n_genes, found.n_left_out) == ("z", GENES - 1, 1)
    assert found.unknown == ("no such gene",)
    rest = np.delete(np.arange(GENES), 4)
    for row in found.table.iter_rows(named=True):
        inside = np.isin(np.array(gene_ids)[rest], sets_of(gene_ids)[row["gene_set"]])
        steps = np.where(inside, np.abs(effects[rest]) / np.abs(effects[rest][inside]).sum(), -1 / (~inside).sum())
        walk = np.cumsum(steps)
        peak = np.abs(walk).argmax()
        assert row["es"] == pytest.approx(walk[peak], abs=1e-6)
        assert row["n_genes"] == inside.sum()
        edge = inside[: peak + 1] if walk[peak] > 0 else inside[peak + 1 :]
        assert len(row["genes"]) == edge.sum()
        assert row["direction"] == ("up" if walk[peak] > 0 else "down")
    best = found.table.filter(gene_set="top").row(0, named=True)
    assert best["genes"] == ["S001", "S002", "S003", "S006"]
    np.testing.assert_allclose(found.table["q_value"], false_discovery_control(found.table["p_value"].to_numpy()))
    assert store.enrich("ENSG00000000005", sets_of(gene_ids), fewest=3).table.equals(found.table)
    assert "of 3 q < 0.05" in repr(found)


def test_changed__is_hypergeometric_over_what_was_measured(screen, gene_ids):
    store, effects = screen
    found = store.enrich("ENSG00000000005", sets_of(gene_ids), how="changed", fewest=3)
    rest = np.delete(np.arange(GENES), 4)
    assert found.table.height == 6
    for row in found.table.iter_rows(named=True):
        sign = 1 if row["direction"] == "up" else -1
        changed = (sign * effects[rest]) > 0.65
        inside = np.isin(np.array(gene_ids)[rest], sets_of(gene_ids)[row["gene_set"]])
        shared = int((changed & inside).sum())
        assert row["n_shared"] == shared == len(row["genes"])
        expected = hypergeom.sf(shared - 1, GENES - 1, inside.sum(), changed.sum())
        assert row["p_value"] == pytest.approx(expected, rel=1e-9)
    np.testing.assert_allclose(found.table["q_value"], false_discovery_control(found.table["p_value"].to_numpy()))


def test_enrich__says_why_it_cannot(screen, writer, make_condition, gene_ids, monkeypatch):
    store, _ = screen
    with pytest.raises(QueryError, match="of a size to be tested") as caught:
        store.enrich("ENSG00000000005", sets_of(gene_ids))
    assert caught.value.got == "top (4), bottom (4), mixed (5), few (1)"
    calls = np.array([[1.0, -1.0] + [0.0] * 28])
    writer.dataset("calls", [make_condition("G9", "B")], calls, kind="de_call")
    flat = np.linspace(-1, 1, GENES)[None, :]
    writer.dataset("flat", [make_condition("G8", "B")], flat)
    with writer.open() as more:
        with pytest.raises(QueryError, match="have no order"):
            more.enrich("ENSG00000000010", sets_of(gene_ids), fewest=3)
        assert more.enrich("ENSG00000000010", sets_of(gene_ids), fewest=3, how="changed").table["n_shared"].sum() == 3
        with pytest.raises(QueryError, match="was tested"):
            more.enrich("ENSG00000000009", sets_of(gene_ids), fewest=3, how="changed")
        assert more.enrich("ENSG00000000009", sets_of(gene_ids), fewest=3).statistic == "effect"
    with pytest.raises(QueryError, match="has no condition 'x'"):
        store.enrich("ENSG00000000005", sets_of(gene_ids), condition_id="x")
    monkeypatch.setitem(sys.modules, "gseapy", None)
    with pytest.raises(QueryError, match="not installed") as caught:
        store.enrich("ENSG00000000005", sets_of(gene_ids))
    assert "[enrichment]" in caught.value.do


def test_command__tests_the_sets_of_a_gmt_file(screen, gene_ids, tmp_path):
    store, _ = screen
    gmt, answer = tmp_path / "my.gmt", tmp_path / "answer.csv"
    lines = ["\t".join([name, "what", *genes]) for name, genes in sets_of(gene_ids).items()]
    gmt.write_text("\n".join(lines) + "\n")
    ran = CliRunner().invoke(command, ["ENSG00000000005", str(gmt), "--fewest", "3", "--top", "1"], obj=store.path)
    assert ran.exit_code == 0, ran.exception
    assert "screen:G4/A/crispri: 29 genes by z, 3 sets." in ran.stdout
    assert "mixed" not in ran.stdout
    assert "Unknown genes of the sets: 1, such as no such gene." in ran.stderr
    CliRunner().invoke(
        command, ["ENSG00000000005", str(gmt), "--fewest", "3", "--format", "csv", "-o", str(answer)], obj=store.path
    )
    assert pl.read_csv(answer)["gene_set"].to_list()[-1] == "mixed"
    gmt.write_text("\n".join([*lines, lines[0]]))
    again = CliRunner().invoke(command, ["ENSG00000000005", str(gmt), "--fewest", "3"], obj=store.path)
    assert "Two sets of a GMT file have one name" in str(again.exception)


def test_changed__is_against_the_genes_that_were_tested(writer, make_condition, gene_ids):
    effects = np.linspace(1.0, -1.0, GENES)
    q_value = [0.01 if i < 6 else 0.5 if i < 16 else None for i in range(GENES)]
    entries = pl.DataFrame(
        {
            "condition_index": [0] * GENES,
            "gene_index": range(GENES),
            "effect": effects,
            "effect_kind": ["log2_fold_change"] * GENES,
            "q_value": q_value,
        }
    )
    writer.dataset("listed", [make_condition("G4", "A")], effects[None, :], signature=entries)
    with writer.open() as store:
        found = store.enrich(gene_ids[4], {"set": gene_ids[:4] + gene_ids[20:24]}, how="changed", fewest=3)
    assert found.n_genes == 15  # sixteen have a q, of which one is its own target
    up = found.table.filter(direction="up").row(0, named=True)
    assert (up["n_genes"], up["n_shared"]) == (4, 4)
    assert up["p_value"] == pytest.approx(hypergeom.sf(3, 15, 4, 5))
