"""A Dask cluster of two processes: the same release, one worker killed meanwhile, and faults told in a sentence."""

from __future__ import annotations

import os
import pickle
import signal
import sys
import time
from pathlib import Path

import cloudpickle
import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner
from scipy import sparse

from featurestore.cli import featurestore
from featurestore.errors import ValuesError, WarehouseError
from ingest.layouts import write_h5ad
from ingest.pipeline import ingest_dataset
from ingest.reader import INDEX
from ingest.readers import ahead
from ingest.sums import cluster, summing
from ingest.sums.cluster import DaskCluster, on_cluster

GENES = ["ENSG00000141510", "ENSG00000146648", "ENSG00000136997", "ENSG00000133703", "ENSG00000157764"]
SPEC = """
[dataset]
id = "plates"
files = ["plate_*.h5ad"]
values = "counts"
assay = "perturb_seq"
[condition]
perturbation = "gene"
kind = "crispri"
controls = ["ctrl"]
context = { value = "K562" }
"""
N_ROWS = 400


@pytest.fixture(scope="module")
def plates(tmp_path_factory):
    folder = tmp_path_factory.mktemp("plates")
    rng = np.random.default_rng(8)
    for number in range(2):
        rows = pl.DataFrame(
            {INDEX: [f"c{number}_{i}" for i in range(N_ROWS)], "gene": rng.choice(["ctrl", "TP53", "MYC"], N_ROWS)}
        )
        matrix = sparse.csr_array(rng.poisson(2.0, (N_ROWS, len(GENES))).astype(np.float32))
        write_h5ad(folder / f"plate_{number}.h5ad", matrix, rows, pl.DataFrame({INDEX: GENES}), compression="gzip")
    (folder / "plates.toml").write_text(SPEC, encoding="utf-8")
    return folder / "plates.toml"


@pytest.fixture(scope="module")
def workers():
    """Two workers, each a process of one thread, as --dask local makes them on this machine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cluster, "N_CORES", 2)
        with on_cluster("local") as two:
            yield two


@pytest.fixture
def small_portions(monkeypatch):
    monkeypatch.setattr(summing, "LEAST_ROWS", 50)


def digest(outcome):
    """What a release is, byte for byte; when it was ingested is in the table of the dataset alone."""
    return {file["path"]: file["blake3"] for file in outcome.manifest["files"] if file["table"] != "dataset"}


def slow_down():
    """Take a while for every portion, on a worker."""
    from ingest.sums import cluster

    sum_portion = cluster.sum_portion

    def slowly(portion, place, memory_limit):
        time.sleep(0.3)
        sum_portion(portion, place, memory_limit)

    cluster.sum_portion = slowly


class Killing:
    """A cluster one of whose workers is killed while it sums, when a portion is done and others are not."""

    def __init__(self, whole: DaskCluster) -> None:
        self.whole, self.n_threads, self.lost = whole, whole.n_threads, None

    def summed(self, portions, journal):
        client = self.whole._client
        for place, portion in self.whole.summed(portions, journal):
            busy = {address: keys for address, keys in client.processing().items() if keys}
            if self.lost is None and busy:
                self.lost = next(iter(busy))
                os.kill(client.run(os.getpid, workers=[self.lost])[self.lost], signal.SIGKILL)
            yield place, portion


def test_cluster__gives_the_same_release_when_a_worker_is_killed_meanwhile(
    plates, workers, small_portions, tmp_path, monkeypatch
):
    expected = ingest_dataset(plates, tmp_path / "here")
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    before = workers._client.nthreads()
    workers._client.run(slow_down)
    killing = Killing(workers)
    monkeypatch.chdir(tmp_path)
    outcome = ingest_dataset(plates, Path("cluster"), cluster=killing)  # workers are told the path from the root on
    assert len(before) == 2
    assert killing.lost in before
    assert (outcome.release_id, digest(outcome)) == (expected.release_id, digest(expected))
    assert not (tmp_path / "cluster" / "staging").exists()
    workers._client.wait_for_workers(2, timeout=600)
    assert killing.lost not in workers._client.nthreads()


def test_cluster__each_of_its_processes_uses_one_core(workers):
    assert set(workers._client.run(lambda: ahead.N_CORES).values()) == {1}


def test_cluster__a_fault_of_the_file_is_told_as_here(plates, workers, tmp_path):
    for path in plates.parent.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    spec = tmp_path / "plates.toml"
    rows = pl.DataFrame({INDEX: ["a", "b"], "gene": ["ctrl", "TP53"]})
    write_h5ad(tmp_path / "plate_1.h5ad", sparse.csr_array(np.full((2, 5), 0.5)), rows, pl.DataFrame({INDEX: GENES}))
    with pytest.raises(ValuesError) as here:
        ingest_dataset(spec, tmp_path / "here")
    with pytest.raises(ValuesError) as there:
        ingest_dataset(spec, tmp_path / "there", cluster=workers)
    assert str(there.value) == str(here.value)
    assert vars(pickle.loads(pickle.dumps(here.value))) == vars(here.value)


def test_cluster__a_worker_that_fails_again_and_again_ends_the_ingest(plates, workers, tmp_path):
    def fail(*_):
        raise OSError(5, "Input/output error")

    def break_down():
        from ingest.sums import cluster

        cluster.sum_portion = fail

    def mend():
        from ingest.sums import cluster, summing

        cluster.sum_portion = summing.sum_portion

    workers._client.run(break_down)
    try:
        with pytest.raises(WarehouseError, match="could not sum a portion") as caught:
            ingest_dataset(plates, tmp_path / "warehouse", cluster=workers)
    finally:
        workers._client.run(mend)
    assert "Input/output error" in str(caught.value)
    assert "do the same again" in str(caught.value)


def test_worker__with_other_code_or_without_the_files_says_so(plates, tmp_path, monkeypatch):
    portion = next(iter_portions(plates, tmp_path, monkeypatch))
    place = tmp_path / "there.sums"
    assert "another featurestore" in str(cluster._sum(portion, place, 10**9, "other code"))
    nowhere = tmp_path / "nowhere" / "there.sums"
    found = cluster._sum(portion, nowhere, 10**9, cluster.code_id())
    assert str(nowhere.parent) in str(found)
    assert "file system that all machines share" in str(found)
    assert cluster._sum(portion, place, 10**9, cluster.code_id()) is None
    assert place.is_file()


def iter_portions(spec, folder, monkeypatch):
    """The portions of a dataset, taken from an ingest that is stopped there."""

    class Asked:
        n_threads = 1
        portions = ()

        def summed(self, portions, journal):
            self.portions = portions
            raise KeyboardInterrupt
            yield

    asked = Asked()
    with pytest.raises(KeyboardInterrupt):
        ingest_dataset(spec, folder / "asked", cluster=asked)
    return iter(asked.portions)


def test_command__says_that_no_cluster_answers(plates, tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "CONNECTING", "1s")
    arguments = ["--warehouse", str(tmp_path), "ingest", str(plates), "--dask", "tcp://127.0.0.1:9"]
    result = CliRunner().invoke(featurestore, arguments)
    assert isinstance(result.exception, WarehouseError)
    assert "No Dask cluster answers" in str(result.exception)
    assert "tcp://127.0.0.1:9" in str(result.exception)
