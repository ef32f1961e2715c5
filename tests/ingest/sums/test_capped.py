from __future__ import annotations

import shutil
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from featurestore.cli import featurestore
from featurestore.errors import WarehouseError
from ingest.layouts import write_h5ad
from ingest.pipeline import ingest_dataset
from ingest.reader import INDEX
from ingest.sums.capped import BYTES_PER_SUM, CappedSums, arrays_of
from ingest.sums.group_sums import GroupSums
from ingest.sums.partial import About, add_partial, write_partial

N_GROUPS, N_GENES = 7, 5
GENES = ["ENSG00000141510", "ENSG00000146648", "ENSG00000136997", "ENSG00000133703", "ENSG00000157764"]
LABELS = ["ctrl", "TP53", "MYC", "KRAS", "BRAF", "EGFR"]
SPEC = """
[dataset]
id = "plates"
files = ["plate_*.h5ad"]
values = "counts"
assay = "perturb_seq"
[condition]
perturbation = "condition"
kind = "crispri"
controls = ["ctrl"]
context = { value = "K562" }
batch = "batch"
"""


def files_of_rows(files):
    """Groups of the rows of each file, and values of them that sum to nothing simple."""
    rng = np.random.default_rng(len(files))
    return [(np.array(groups, np.int32), rng.integers(1, 2**40, (len(groups), N_GENES))) for groups in files]


def added(files, memory_limit, folder, *, has_counts):
    capped = CappedSums(folder, N_GROUPS, N_GENES, 0, has_counts=has_counts, memory_limit=memory_limit)
    for groups, values in files_of_rows(files):

        def add_to(position, sums, values=values):
            kept = position >= 0
            for name in ("log_sum", "expressing", *(["count", "square_sum"] if has_counts else [])):
                np.add.at(
                    getattr(sums, name), position[kept], values[kept] % 1000 if name == "expressing" else values[kept]
                )

        capped.add(groups, add_to)
    return capped.finish()


@settings(max_examples=60)
@given(
    st.lists(st.lists(st.integers(-1, N_GROUPS - 1), min_size=1, max_size=12), min_size=1, max_size=4),
    st.integers(0, N_GROUPS),
    st.booleans(),
)
def test_capped_sums__are_the_same_under_any_memory_limit(tmp_path_factory, files, n_held, has_counts):
    folder = tmp_path_factory.mktemp("sums")
    capped = added(files, n_held * N_GENES * BYTES_PER_SUM, folder, has_counts=has_counts)
    whole = added(files, 10**9, folder, has_counts=has_counts)
    assert isinstance(whole, GroupSums)
    assert isinstance(capped, GroupSums) == (n_held == N_GROUPS)
    pools = [np.arange(N_GROUPS), np.array([3]), np.array([6, 0])]
    assert capped.has_counts == whole.has_counts == has_counts
    for name in ("log_sum", "square_sum", "expressing", *(("count",) if has_counts else ())):
        found = whole.added(name, pools)
        assert found.shape == (len(pools), N_GENES)
        np.testing.assert_array_equal(capped.added(name, pools), found)


def test_partial__of_groups_that_share_a_row_adds_up_wherever_it_is_added(tmp_path):
    whole = np.array([0, 0, 1, 2, 2, 3, 4], np.int32)
    options = {"has_counts": True, "memory_limit": 10**9}
    drained = CappedSums(tmp_path, N_GROUPS, N_GENES, 0, **options, whole=whole)

    def add_to(position, sums):
        rng = np.random.default_rng(0)
        has_cells = rng.random(sums.expressing.shape) < 0.7
        for name, array in arrays_of(sums).items():
            array[:] = rng.integers(1, 2**30, array.shape) * (1 if name == "log_sum" else has_cells)

    drained.add(np.arange(N_GROUPS, dtype=np.int32), add_to)
    pools = [np.array([0, 1]), np.array([2]), np.arange(N_GROUPS)]
    names = ("count", "log_sum", "square_sum", "expressing")
    expected = {name: drained.finish().added(name, pools) for name in names}
    write_partial(tmp_path / "a.sums", drained.drain(), About(), [])
    for rows in (whole, None):
        again = CappedSums(tmp_path, N_GROUPS, N_GENES, 0, **options, whole=rows)
        for n_times in (1, 2):
            add_partial(tmp_path / "a.sums", again)
            for name in names:
                np.testing.assert_array_equal(again.finish().added(name, pools), n_times * expected[name])


@pytest.fixture
def plates(tmp_path):
    """Three plates with different perturbations on each, one of them stored by gene."""
    for plate in range(3):
        rng = np.random.default_rng(plate)
        rows = pl.DataFrame(
            {
                INDEX: [f"{plate}_{i}" for i in range(90)],
                "condition": rng.choice(LABELS[: 4 + plate], 90),
                "batch": rng.choice(["a", "b"], 90),
            }
        )
        layout = sparse.csc_array if plate == 1 else sparse.csr_array
        counts = layout(rng.poisson(2.0, (90, len(GENES))).astype(np.float32))
        write_h5ad(tmp_path / f"plate_{plate}.h5ad", counts, rows, pl.DataFrame({INDEX: GENES}))
    (tmp_path / "plates.toml").write_text(SPEC)
    return tmp_path


def test_ingest__writes_the_same_bytes_under_any_memory_limit(plates):
    checksums = []
    for number, memory_limit in enumerate((None, 3 * len(GENES) * BYTES_PER_SUM, 1)):
        root = plates / f"warehouse_{number}"
        files = ingest_dataset(plates / "plates.toml", root, memory_limit=memory_limit).manifest["files"]
        checksums.append({f["path"]: f["blake3"] for f in files if f["table"] != "dataset"})
        assert [path.name for path in (root / "staging").glob("*/*")] == []
    assert checksums[0] == checksums[1] == checksums[2]
    assert any("signature" in path for path in checksums[0])


def test_ingest__says_what_room_the_sums_need(plates, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(WarehouseError, match="neither in memory nor on the disk") as told:
        ingest_dataset(plates / "plates.toml", plates / "warehouse", memory_limit=1)
    assert "--memory" in str(told.value)
    assert not (plates / "warehouse").exists()


@pytest.mark.parametrize(("size", "succeeds"), [("1KiB", True), ("2 GB", True), ("lots", False), ("-3", False)])
def test_ingest__takes_the_memory_limit_as_a_size(plates, size, succeeds):
    command = ["--warehouse", str(plates / "w"), "ingest", str(plates / "plates.toml"), "--memory", size]
    result = CliRunner().invoke(featurestore, command)
    assert (result.exit_code == 0) is succeeds, result.output
    if not succeeds:
        assert "8GB" in result.output
