"""The genes command, and the Python function that does the same."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys

import polars as pl
import pytest
from click.testing import CliRunner

import ingest
from featurestore.cli import featurestore
from featurestore.errors import SourceFormatError
from ingest import reference
from ingest.harmonise.online_cache import PLACE
from ingest.harmonise.online_service import URL_VARIABLE

LIST = ["TP53", "ENSG00000141510.18", "QARS", "EPRS", "MARCH8", "1-Mar", "TBCE", "TBCE-1", "NOSUCHGENE9", "ERCC-00002"]
COLUMNS = ["original", "gene_id", "symbol", "status", "method", "candidates"]


def genes(*words, text=None, warehouse="no such warehouse"):
    command = ["--warehouse", str(warehouse), "genes", *map(str, words)]
    return CliRunner().invoke(featurestore, command, input=text, catch_exceptions=False)


@pytest.fixture
def listed(tmp_path):
    path = tmp_path / "list.txt"
    path.write_text("\n".join(LIST) + "\n")
    return path


def test_report__counts_every_input_and_names_what_a_person_must_know(listed):
    shown = genes(listed).output
    assert "10 identifiers from" in shown
    for words in (
        "drifted symbols: 3",
        "EPRS -> EPRS1",
        "MARCH8 -> MARCHF8",
        "collisions: 2",
        "TP53 and ENSG00000141510.18 -> TP53",
        "TBCE and TBCE-1 -> TBCE",
        "QARS: EPRS1 or QARS1",
        "1-Mar: excel_date",
        "NOSUCHGENE9: unmapped",
        "best fitting annotation release: ",
        "disagreements of identifier and symbol: 0",
    ):
        assert words in shown
    counted = [line.split()[1] for line in shown.splitlines() if line.startswith("  ") and "%" in line]
    assert sum(map(int, counted[:-1])) == len(LIST)


def test_report__recognises_the_annotation_release(tmp_path):
    releases = reference.manifest()["annotation_releases"]
    bit = 1 << releases.index("ensembl_93")
    ids = reference.table("gene_release").filter(pl.col("releases") & bit > 0)["ensembl_id"].gather_every(10)
    path = tmp_path / "ids.txt"
    path.write_text("\n".join(ids))
    n = f"{len(ids):,}"
    assert f"best fitting annotation release: ensembl_93, which holds {n} of {n} (100.0%)" in genes(path).output


def test_json__is_one_object_an_input_in_order(listed):
    rows = json.loads(genes(listed, "--format", "json").output)
    assert [list(row) for row in rows] == [COLUMNS] * len(LIST)
    assert [row["original"] for row in rows] == LIST
    assert rows[2] == {
        "original": "QARS",
        "gene_id": None,
        "symbol": None,
        "status": "ambiguous",
        "method": "previous",
        "candidates": ["ENSG00000136628", "ENSG00000172053"],
    }


def test_csv__is_written_to_a_file(listed, tmp_path):
    done = genes(listed, "--format", "csv", "-o", tmp_path / "out.csv")
    assert (done.exit_code, done.output) == (0, "")
    rows = list(csv.DictReader((tmp_path / "out.csv").read_text().splitlines()))
    assert list(rows[0]) == COLUMNS
    assert [row["gene_id"] for row in rows[:3]] == ["ENSG00000141510", "ENSG00000141510", ""]
    assert rows[2]["candidates"] == "ENSG00000136628|ENSG00000172053"
    assert genes(listed, "-o", tmp_path / "report.txt").output == ""
    assert "10 identifiers" in (tmp_path / "report.txt").read_text()


def test_standard_input__is_read(listed):
    assert json.loads(genes("-", "--format", "json", text="TP53\n").output)[0]["symbol"] == "TP53"


def test_column__with_symbols_beside(tmp_path):
    path = tmp_path / "genes.csv"
    path.write_text("entrez,name\n7157,TP53\n51691,NAA38\n,MYC\n")
    rows = json.loads(genes(path, "--column", "entrez", "--symbols", "name", "--format", "json").output)
    assert [row["symbol"] for row in rows] == ["TP53", "LSM8", "MYC"]
    assert [row["status"] for row in rows] == ["current", "current", "approved"]
    with pytest.raises(SourceFormatError, match="several columns"):
        genes(path)


def test_disagreement__is_named_with_what_was_decided(tmp_path):
    path = tmp_path / "genes.csv"
    path.write_text("entrez,name\n7157,MYC\n")
    shown = genes(path, "--column", "entrez", "--symbols", "name").output
    assert "disagreements of identifier and symbol: 1" in shown
    assert "7157 beside MYC: taken for TP53; 'MYC' is approved of MYC" in shown


def test_context__decides_only_when_asked(listed):
    rows = json.loads(genes(listed, "--context", "--format", "json").output)
    assert (rows[2]["symbol"], rows[2]["status"], rows[2]["method"]) == ("QARS1", "context", "others_claimed")


def test_mouse__is_translated_only_when_asked(tmp_path):
    path = tmp_path / "mouse.txt"
    path.write_text("Trp53\nEgfr\nKras\n")
    assert {row["status"] for row in json.loads(genes(path, "--format", "json").output)} == {"unmapped"}
    rows = json.loads(genes(path, "--translate-mouse", "--format", "json").output)
    assert [row["symbol"] for row in rows] == ["TP53", "EGFR", "KRAS"]


def test_warehouse__is_neither_needed_nor_made(listed, tmp_path):
    assert genes(listed, warehouse=tmp_path / "none").exit_code == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["list.txt"]


# online


@pytest.fixture
def service(mygene, monkeypatch):
    monkeypatch.setenv(URL_VARIABLE, mygene.url)
    monkeypatch.setattr("ingest.harmonise.online_service.time.sleep", lambda seconds: None)
    return mygene


def test_online__asks_only_when_told(listed, service):
    genes(listed)
    assert service.requests == []
    done = genes("-", "--online", "--format", "json", text="NEWGUARDIAN\nTP53\n")
    assert json.loads(done.stdout)[0] == {
        "original": "NEWGUARDIAN",
        "gene_id": "ENSG00000141510",
        "symbol": "TP53",
        "status": "mygene",
        "method": "mygene 20261115, alias",
        "candidates": ["ENSG00000141510"],
    }
    assert done.stderr == "mygene: 2 questions, 1 identifiers mapped\n"


def test_online__keeps_answers_in_a_warehouse_that_there_is(service, world, tmp_path):
    root = tmp_path / "warehouse"
    shutil.copytree(world, root)
    genes("-", "--online", text="NEWGUARDIAN\n", warehouse=root)
    assert (root / PLACE).is_file()
    n_requests = len(service.requests)
    again = genes("-", "--online", text="NEWGUARDIAN\n", warehouse=root)
    assert len(service.requests) == n_requests
    assert "mapped  " in again.stdout
    genes("-", "--online", text="NEWGUARDIAN\n", warehouse=tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_online__a_service_that_is_down_is_said_and_the_rest_is_mapped(service):
    service.fail(status=503)
    done = genes("-", "--online", "--format", "json", text="NEWGUARDIAN\nTP53\n")
    assert done.exit_code == 0
    assert [row["symbol"] for row in json.loads(done.stdout)] == [None, "TP53"]
    assert "1 not answered (it answered 503)" in done.stderr


# Python


def test_map_genes__returns_mapped_ambiguous_and_unmapped():
    mapping = ingest.map_genes(LIST)
    assert mapping.mapped["original"].to_list() == ["TP53", "ENSG00000141510.18", "EPRS", "MARCH8", "TBCE", "TBCE-1"]
    assert mapping.ambiguous["original"].to_list() == ["QARS"]
    assert mapping.unmapped["original"].to_list() == ["1-Mar", "NOSUCHGENE9"]
    assert ingest.map_genes(LIST, by_context=True).ambiguous.is_empty()


def test_map_genes__online_keeps_its_answers(service, tmp_path):
    for _ in range(2):
        mapping = ingest.map_genes(["NEWGUARDIAN"], online=True, warehouse=tmp_path)
        assert mapping.mapped["gene_symbol"].to_list() == ["TP53"]
    assert service.terms() == ["NEWGUARDIAN", "NEWGUARDIAN"]


def test_import__of_the_package_loads_nothing():
    code = "import sys, ingest; print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"polars", "duckdb", "numba", "mygene"} & set(modules)
