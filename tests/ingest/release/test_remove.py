"""A removed dataset is gone from the newest snapshot, and from no other."""

from __future__ import annotations

import shutil

import pytest
from click.testing import CliRunner

from featurestore.errors import UnknownDatasetError
from featurestore.query.warehouse import Warehouse
from featurestore.storage.snapshot import read_snapshot
from featurestore.upkeep.verify import verify
from ingest.commands.remove import remove
from ingest.pipeline import ingest_dataset
from ingest.release.remove import remove_datasets

DATASETS = "select dataset_id from dataset order by all"


@pytest.fixture
def own(world, tmp_path):
    """A copy of the small world."""
    return shutil.copytree(world, tmp_path / "own")


def datasets(root, number=None):
    with Warehouse(root, number) as store:
        return store.frame(DATASETS)["dataset_id"].to_list()


def test_remove__leaves_the_others_and_older_snapshots_as_they_were(own):
    before = datasets(own)
    snapshot = remove_datasets(own, ["lincs_demo"])
    assert datasets(own) == [name for name in before if name != "lincs_demo"]
    assert datasets(own, snapshot.number - 1) == before
    assert verify(own).faults == []
    with Warehouse(own) as store:
        assert store.frame("select count(*) from condition where dataset_id = 'lincs_demo'").item() == 0


def test_remove__all_leaves_an_empty_warehouse_that_takes_them_back(own, world_files):
    release = read_snapshot(own).release_of("lincs_demo")
    remove_datasets(own, datasets(own))
    assert datasets(own) == []
    ingest_dataset(world_files / "lincs_demo.toml", own)
    assert read_snapshot(own).datasets == {"lincs_demo": release}


def test_remove__of_an_unknown_dataset_removes_none(own):
    with pytest.raises(UnknownDatasetError, match="no dataset 'lincs_dmo'") as caught:
        remove_datasets(own, ["replogle_demo_k562", "lincs_dmo"])
    assert "lincs_demo" in str(caught.value)
    assert len(datasets(own)) == 3


def test_command__says_what_is_left(own):
    answer = CliRunner().invoke(remove, ["lincs_demo", "replogle_demo_rpe1"], obj=own)
    assert answer.exit_code == 0
    assert "is without lincs_demo, replogle_demo_rpe1, and has 1 dataset." in answer.stdout
