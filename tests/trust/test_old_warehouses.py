"""A warehouse of an older contract opens, or says what to do; one of a newer contract says to upgrade."""

from __future__ import annotations

import dataclasses
import json
import shutil
from datetime import timedelta

import pytest
from click.testing import CliRunner

from featurestore import contract
from featurestore.calibration import doubts
from featurestore.cli import featurestore
from featurestore.errors import WarehouseError
from featurestore.query.warehouse import Warehouse
from featurestore.storage.snapshot import HEADS, read_snapshot, snapshot_path
from featurestore.upkeep.doctor import diagnose
from featurestore.upkeep.verify import verify
from ingest.pipeline import ingest_dataset
from ingest.release.collect import collect
from ingest.signatures.recompute import recompute


@pytest.fixture
def written_by(monkeypatch, tmp_path, dataset):
    """Ingest with a contract of another version, which may lack columns of a table."""

    def write(version: int, table: str = "", lacking: str = ""):
        with monkeypatch.context() as patch:
            for module in ("featurestore.storage.snapshot", "ingest.release.publish", "ingest.pipeline"):
                patch.setattr(f"{module}.CONTRACT_VERSION", version)
            if table:
                whole = contract.RELEASE[table]
                fewer = tuple(name for name in whole.columns if name != lacking)
                patch.setitem(contract.RELEASE, table, dataclasses.replace(whole, columns=fewer))
            ingest_dataset(dataset(tmp_path / "files", "old"), tmp_path / "warehouse")
        return tmp_path / "warehouse"

    return write


def test_older_contract__of_the_same_columns_opens(written_by):
    root = written_by(0)
    assert json.loads(snapshot_path(root, 1).read_text())["contract_version"] == 0
    with Warehouse(root) as store:
        assert store.frame("select n_genes from dataset")["n_genes"].to_list() == [4]
    report = verify(root, deep=[recompute])
    assert report.faults == []
    assert "contract version 0; to bring it to 2: featurestore ingest old.toml" in report.notes[0]


def test_older_contract__says_that_its_p_values_are_not_to_be_relied_on(written_by, tmp_path):
    root = written_by(1)
    words = ["--warehouse", str(root), "sql", "select count(*) as n from quality", "--format", "csv"]
    asked = CliRunner().invoke(featurestore, words, catch_exceptions=False)
    assert asked.stderr.count("\n") == 1
    assert "responders of old are not to be relied on" in asked.stderr
    assert "featurestore ingest old.toml" in asked.stderr
    assert asked.stdout.startswith("n\n")
    (symptom,) = [each for each in diagnose(root) if each.check == "tests"]
    assert symptom.status == "note"
    assert "contract version 1" in symptom.found
    with Warehouse(root) as store:
        assert doubts(store, ["old", "elsewhere"]) == [symptom.found]
    ingest_dataset(tmp_path / "files" / "old.toml", root)
    assert CliRunner().invoke(featurestore, words, catch_exceptions=False).stderr == ""


def test_older_contract__that_lacks_a_column_says_what_to_do(written_by, tmp_path):
    root = written_by(0, "quality", "tas")
    with pytest.raises(WarehouseError, match="another version of featurestore, and lacks columns") as caught:
        Warehouse(root)
    for words in ("contract version 2: tas", "contract version 0", "featurestore ingest old.toml", "quality.parquet"):
        assert words in str(caught.value)
    assert verify(root).faults == []
    outcome = ingest_dataset(tmp_path / "files" / "old.toml", root)
    assert (outcome.is_new, outcome.snapshot) == (True, 2)
    with Warehouse(root) as store:
        assert store.frame("select tas from quality").height > 0
    with pytest.raises(WarehouseError, match="lacks columns"):
        Warehouse(root, snapshot=1)
    collect(root, keep=1, retention=timedelta())
    assert verify(root).notes == []


def test_snapshot__without_checksums_opens_and_is_continued(warehouse, dataset, tmp_path):
    for number in (1, 2, 3):
        path = snapshot_path(warehouse, number)
        content = json.loads(path.read_text())
        path.write_text(
            json.dumps({key: content[key] for key in ("contract_version", "created_at", "note", "datasets")})
        )
    shutil.rmtree(warehouse / HEADS)
    assert verify(warehouse).faults == []
    assert ingest_dataset(dataset(tmp_path, "third"), warehouse).snapshot == 4
    assert set(read_snapshot(warehouse).manifests) == {"third"}
    assert read_snapshot(warehouse).previous is not None
    assert verify(warehouse).faults == []


def test_newer_contract__says_to_upgrade(written_by):
    with pytest.raises(WarehouseError, match="newer featurestore") as caught:
        Warehouse(written_by(99))
    assert "upgrade featurestore" in str(caught.value)


def test_older_contract__beside_a_newer_one_has_nulls_and_is_named(written_by, dataset, tmp_path):
    """What an older release lacks is missing there, and there alone; ``verify`` says how to bring it up."""
    root = written_by(0, "quality", "effect_norm")
    ingest_dataset(dataset(tmp_path / "files", "new", seed=3), root)
    with Warehouse(root) as store:
        count = "select dataset_id, count(*) > 0, count(effect_norm) > 0 from quality group by 1 order by 1"
        assert store.frame(count).rows() == [("new", True, True), ("old", True, False)]
    report = verify(root)
    assert report.faults == []
    assert "featurestore ingest old.toml" in report.notes[0]
