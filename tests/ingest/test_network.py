"""No network is touched without --online; with it, only for open genes, and the release says what was answered."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner

from featurestore.cli import featurestore
from featurestore.query.warehouse import Warehouse
from featurestore.storage.snapshot import snapshot_numbers
from ingest.harmonise.online import OnlineGenes
from ingest.harmonise.online_cache import PLACE, AnswerCache
from ingest.harmonise.online_service import URL_VARIABLE, GeneService
from ingest.layouts import write_h5ad
from ingest.pipeline import ingest_dataset
from ingest.reader import INDEX

TP53, EGFR = "ENSG00000141510", "ENSG00000146648"
GENES = ["NEWGUARDIAN", "ENSG00000146648", "ENSG00000136997", "ENSG00000133703"]
LABELS = ["ctrl", "EGFRNEW", "MYC", "EGFRNEW+MYC"]
SPEC = """
[dataset]
id = "novel"
files = ["x.h5ad"]
values = "counts"
assay = "perturb_seq"
[condition]
perturbation = "gene"
kind = "crispri"
controls = ["ctrl"]
separator = "+"
context = { value = "K562" }
"""


@pytest.fixture
def spec(tmp_path):
    counts = np.random.default_rng(0).poisson(2.0, (40, len(GENES))).astype(np.float32)
    rows = pl.DataFrame({INDEX: [f"c{i}" for i in range(40)], "gene": LABELS * 10})
    write_h5ad(tmp_path / "x.h5ad", counts, rows, pl.DataFrame({INDEX: GENES}))
    (tmp_path / "novel.toml").write_text(SPEC)
    return tmp_path / "novel.toml"


@pytest.fixture
def no_network(monkeypatch):
    """Fail whatever resolves a name or opens a connection."""

    def refuse(*arguments, **options):
        raise AssertionError(f"the network was touched: {arguments}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket.socket, "connect_ex", refuse)
    for name in ("create_connection", "getaddrinfo", "gethostbyname", "gethostbyname_ex"):
        monkeypatch.setattr(socket, name, refuse)


def run(root, *words, text=None):
    done = CliRunner().invoke(
        featurestore, ["--warehouse", str(root), *map(str, words)], input=text, catch_exceptions=False
    )
    assert done.exit_code == 0, done.output
    return done


def test_everything__runs_without_a_network(no_network, spec, world_files, tmp_path):
    root = tmp_path / "warehouse"
    names = ("replogle_demo_k562", "replogle_demo_rpe1", "lincs_demo")
    run(root, "ingest", *(world_files / f"{name}.toml" for name in names), spec)
    run(root, "genes", world_files / "k562_raw_singlecell.h5ad")
    run(root, "genes", "-", text="TP53\nNOSUCHGENE9\n")
    run(root, "sql", "select count(*) from signature")
    run(root, "datasets")
    run(root, "history")
    run(root, "reference", "show")
    run(root, "build", world_files / "features.toml", "-o", tmp_path / "matrix")
    assert (tmp_path / "matrix" / "manifest.json").is_file()


def test_no_network__is_noticed_by_this_test(no_network, spec, tmp_path, monkeypatch):
    monkeypatch.setenv(URL_VARIABLE, "http://127.0.0.1:9/v3")
    with pytest.raises(AssertionError, match="the network was touched"):
        run(tmp_path / "warehouse", "ingest", spec, "--online")


# with --online


def online(mygene, root: Path) -> OnlineGenes:
    return OnlineGenes(GeneService(mygene.url, pause=0.0, attempts=2), AnswerCache(root))


def mapped(root: Path) -> dict[tuple[str, str], tuple]:
    with Warehouse(root) as store:
        rows = store.frame("select entity, original, target_id, status, method from mapping").rows()
    return {row[:2]: row[2:] for row in rows}


def test_online__maps_measured_genes_and_targets_and_says_so_in_the_ledger(mygene, spec, tmp_path):
    root = tmp_path / "warehouse"
    ingest_dataset(spec, root, online=online(mygene, root))
    ledger = mapped(root)
    assert ledger["gene", "NEWGUARDIAN"] == (TP53, "mygene", "mygene 20261115, alias")
    assert ledger["perturbation", "EGFRNEW"] == (EGFR, "mygene", "mygene 20261115, symbol")
    with Warehouse(root) as store:
        targets = store.frame("select perturbation_label, target_symbols from condition order by all")
        measured = store.frame("select count(*) as n from statistics where gene_id = ?", [TP53])["n"].item()
    assert dict(targets.rows()) == {"ctrl": [], "EGFRNEW": ["EGFR"], "EGFRNEW+MYC": ["MYC", "EGFR"], "MYC": ["MYC"]}
    assert measured == 4


def test_online__a_second_run_asks_nothing_and_makes_nothing(mygene, spec, tmp_path):
    root = tmp_path / "warehouse"
    first = ingest_dataset(spec, root, online=online(mygene, root))
    n_requests = len(mygene.requests)
    again = ingest_dataset(spec, root, online=online(mygene, root))
    assert len(mygene.requests) == n_requests
    assert (again.is_new, again.release_id) == (False, first.release_id)
    (root / PLACE).unlink()
    assert ingest_dataset(spec, root, online=online(mygene, root)).release_id == first.release_id
    assert (root / PLACE).is_file()


def test_online__answers_are_part_of_the_release(mygene, spec, tmp_path):
    root = tmp_path / "warehouse"
    offline = ingest_dataset(spec, root)
    asked = ingest_dataset(spec, root, online=online(mygene, root))
    mygene.documents = [document for document in mygene.documents if document["symbol"] != "EGFRNEW"]
    mygene.build = "20270101"
    (root / PLACE).unlink()
    later = ingest_dataset(spec, root, online=online(mygene, root))
    assert len({offline.release_id, asked.release_id, later.release_id}) == 3
    assert "online" not in offline.manifest
    assert asked.manifest["online"]["builds"] == ["20261115"]
    assert later.manifest["online"]["builds"] == ["20270101"]
    assert mapped(root)["perturbation", "EGFRNEW"][:2] == (None, "unmapped")
    elsewhere = tmp_path / "elsewhere"
    assert ingest_dataset(spec, elsewhere, online=online(mygene, elsewhere)).release_id == later.release_id
    assert snapshot_numbers(root) == [1, 2, 3]


def test_online__is_the_offline_release_where_nothing_is_open(mygene, world_files, tmp_path):
    root = tmp_path / "warehouse"
    path = world_files / "lincs_demo.toml"
    outcome = ingest_dataset(path, root, online=online(mygene, root))
    assert mygene.requests == []
    assert ingest_dataset(path, root).release_id == outcome.release_id
    assert not (root / PLACE).exists()


def test_online__a_service_that_is_down_leaves_the_offline_answer_with_a_note(mygene, spec, tmp_path):
    root = tmp_path / "warehouse"
    mygene.fail(status=502)
    ingest_dataset(spec, root, online=online(mygene, root))
    with Warehouse(root) as store:
        rows = store.frame("select original, target_id, note from mapping where status = 'unmapped' order by 1, 3")
    assert rows.rows() == [
        ("EGFRNEW", None, "mygene did not answer: it answered 502"),
        ("EGFRNEW+MYC", None, "read as 'EGFRNEW'; mygene did not answer: it answered 502"),
        ("NEWGUARDIAN", None, "mygene did not answer: it answered 502"),
    ]
    mygene.fault = None
    up_again = ingest_dataset(spec, root, online=online(mygene, root))
    assert up_again.is_new
    assert mapped(root)["perturbation", "EGFRNEW"][0] == EGFR


def test_online__a_failed_ingest_leaves_no_trace(mygene, spec, tmp_path):
    root = tmp_path / "warehouse"
    spec.write_text(SPEC.replace('"ctrl"', '"no such control"'))
    with pytest.raises(Exception, match="No control cells"):
        ingest_dataset(spec, root, online=online(mygene, root))
    assert not root.exists()


def test_online_command__says_what_was_asked(mygene, spec, tmp_path, monkeypatch):
    monkeypatch.setenv(URL_VARIABLE, mygene.url)
    monkeypatch.setattr("ingest.harmonise.online_service.time.sleep", lambda seconds: None)
    done = run(tmp_path / "warehouse", "ingest", spec, "--online")
    assert "mygene: 3 questions, 2 identifiers mapped" in done.stderr
    manifest = json.loads(next((tmp_path / "warehouse").rglob("release_id=*/manifest.json")).read_text())
    assert manifest["online"]["n_questions"] == 3
