"""What is measured of ours, and the limits beside it: ``python programs.py TASK ARGUMENT...``, each a process."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

N_WARM = 5


def warm(task: Callable[[], object]) -> list[float]:
    """Time a task some times, once it has run."""
    task()
    seconds = []
    for _ in range(N_WARM):
        started = time.perf_counter()
        task()
        seconds.append(time.perf_counter() - started)
    return seconds


def ingest(spec: str, root: str) -> None:
    """Ingest into a new warehouse."""
    from ingest.pipeline import ingest_dataset

    shutil.rmtree(root, ignore_errors=True)
    started = time.perf_counter()
    ingest_dataset(Path(spec), Path(root))
    print(json.dumps({"": [time.perf_counter() - started]}))


def dask(spec: str, root: str, n_workers: str) -> None:
    """Ingest into a new warehouse on a cluster of processes that have a core each, once they have begun."""
    from distributed import Client, LocalCluster

    from ingest.pipeline import ingest_dataset
    from ingest.readers.ahead import THREADS
    from ingest.sums.capped import default_memory_limit
    from ingest.sums.cluster import DaskCluster

    def begin(core: int) -> None:
        import ingest.sums.summing  # noqa: F401

        for thread in Path("/proc/self/task").iterdir():
            os.sched_setaffinity(int(thread.name), {core})

    shutil.rmtree(root, ignore_errors=True)
    options = {"n_workers": int(n_workers), "threads_per_worker": 1, "dashboard_address": None}
    with LocalCluster(**options, env={THREADS: "1"}) as cluster, Client(cluster) as client:
        client.wait_for_workers(int(n_workers))
        for core, worker in zip(sorted(os.sched_getaffinity(0)), client.scheduler_info()["workers"], strict=False):
            client.run(begin, core, workers=[worker])
        started = time.perf_counter()
        ingest_dataset(Path(spec), Path(root), cluster=DaskCluster(client, default_memory_limit() // 2))
        print(json.dumps({"": [time.perf_counter() - started]}))


def inflate(path: str) -> None:
    """Inflate the chunks of a CSR matrix on two threads, and do nothing with them."""
    import h5py
    from isal import isal_zlib

    places = []
    with h5py.File(path) as file:
        for name in ("X/data", "X/indices"):
            file[name].id.chunk_iter(lambda chunk: places.append((chunk.byte_offset, chunk.size)))
    descriptor = os.open(path, os.O_RDONLY)

    def run(share: list[tuple[int, int]]) -> None:
        for offset, length in share:
            isal_zlib.decompress(os.pread(descriptor, length, offset))

    started = time.perf_counter()
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(run, [places[i::16] for i in range(16)]))
    print(json.dumps({"": [time.perf_counter() - started]}))


def add_up(path: str) -> None:
    """Sum a memory-mapped dense matrix, on two threads."""
    import h5py
    import numpy as np

    with h5py.File(path) as file:
        shape, offset = file["X"].shape, file["X"].id.get_offset()
    values = np.memmap(path, np.float32, "r", offset, shape)
    started = time.perf_counter()
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda part: part.sum(), np.array_split(values, 64)))
    print(json.dumps({"": [time.perf_counter() - started]}))


def ask(root: str, dataset: str) -> None:
    """Ask for one signature and one gene through the public views."""
    import featurestore as fs

    store = fs.open(root)
    condition, gene = store.frame(
        "select first(condition_id), (select first(gene_id) from signature where dataset_id = $d) "
        "from condition where dataset_id = $d",
        {"d": dataset},
    ).row(0)
    one = "select gene_id, effect from signature where dataset_id = $d and condition_id = $c"
    every = "select condition_id, effect from signature where dataset_id = $d and gene_id = $g"
    asked = {
        "signature": warm(lambda: store.sql(one, {"d": dataset, "c": condition}).pl()),
        "gene": warm(lambda: store.sql(every, {"d": dataset, "g": gene}).pl()),
    }
    print(json.dumps(asked))


def matrix(root: str, dataset: str, copy: str) -> None:
    """Read all effects of a dataset as float32, and the same array by ``np.load``."""
    import numpy as np

    import featurestore as fs
    from featurestore.features.effects.signature_matrix import signature_matrix

    store = fs.open(root)
    ids = store.frame("select condition_id from condition where dataset_id = $d", {"d": dataset})["condition_id"]
    values = signature_matrix(store, dataset, ids, "delta_log1p").values
    np.save(copy, values)
    del values
    read = warm(lambda: signature_matrix(store, dataset, ids, "delta_log1p"))
    print(json.dumps({"": read, "np.load": warm(lambda: np.load(copy))}))


if __name__ == "__main__":
    {each.__name__: each for each in (ingest, dask, inflate, add_up, ask, matrix)}[sys.argv[1]](*sys.argv[2:])
