"""A renamed dataset is the same under its new name, in the newest snapshot and in no other."""

from __future__ import annotations

import shutil

import polars as pl
import pytest
from click.testing import CliRunner

from featurestore.errors import UnknownDatasetError, WarehouseError
from featurestore.query.warehouse import Warehouse
from featurestore.storage.release import release_files
from featurestore.storage.snapshot import read_snapshot
from featurestore.upkeep.verify import verify
from ingest.commands.rename import rename
from ingest.release.rename import _renamed, rename_dataset

ROWS = "select * exclude (dataset_id) from {} where dataset_id = $id order by all"


@pytest.fixture
def own(world, tmp_path):
    """A copy of the small world."""
    return shutil.copytree(world, tmp_path / "own")


def test_rename__has_the_same_rows_under_the_new_name_and_verifies(own):
    before = read_snapshot(own)
    snapshot = rename_dataset(own, "lincs_demo", "my_lincs")
    assert snapshot.number == before.number + 1
    assert set(snapshot.datasets) == {"my_lincs", "replogle_demo_k562", "replogle_demo_rpe1"}
    assert verify(own).faults == []
    with Warehouse(own) as now, Warehouse(own, before.number) as then:
        for view in ("condition", "signature", "quality", "mapping"):
            rows = now.frame(ROWS.format(view), {"id": "my_lincs"})
            assert rows.height > 0
            assert rows.equals(then.frame(ROWS.format(view), {"id": "lincs_demo"}))
        facts = now.frame("select dataset_id, release_id from dataset order by 1").rows()
        assert facts == sorted(snapshot.datasets.items())
    assert now.manifest("my_lincs")["renamed_from"]["dataset_id"] == "lincs_demo"
    old, new = (
        {path.name: path for table, path in release_files(own, *key) if table == "signature"}
        for key in (("lincs_demo", before.release_of("lincs_demo")), ("my_lincs", snapshot.release_of("my_lincs")))
    )
    assert all(path.samefile(new[name]) for name, path in old.items())


def test_rename__changes_labels_that_are_of_the_dataset_alone():
    frame = pl.DataFrame({"perturbation_id": ["ENSG1", "ENSG1+label:old:X", "label:older:X"]})
    found = _renamed(frame, "condition", "old", {"dataset_id": "new"})["perturbation_id"].to_list()
    assert found == ["ENSG1", "ENSG1+label:new:X", "label:older:X"]


def test_rename__refuses_names_that_are_taken_unknown_or_no_slugs(own):
    for old, new, error, said in (
        ("lincs_dmo", "x", UnknownDatasetError, "did you mean 'lincs_demo'"),
        ("lincs_demo", "replogle_demo_rpe1", WarehouseError, "already"),
        ("lincs_demo", "My LINCS", WarehouseError, "small letters"),
    ):
        with pytest.raises(error, match=said):
            rename_dataset(own, old, new)
    answer = CliRunner().invoke(rename, ["lincs_demo", "lincs"], obj=own, catch_exceptions=False)
    assert "has lincs_demo as lincs." in answer.stdout
