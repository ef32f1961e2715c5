"""Bytes fetched of a sharded Zarr store on an S3 server, against the bytes that are needed; a server of its own.

The store is written by anndata, sharded as it does by default from 0.13 on. Needed are the chunks that hold the values
of the rows, as they are stored, and the index of each shard; fetched are whatever ranges were asked for.
"""

import argparse
import logging
import os
import tempfile
from pathlib import Path

import anndata
import httpx
import numpy as np
import pandas as pd
import scipy.sparse
from moto.server import ThreadedMotoServer

from featurestore.storage.objects import ObjectStore
from ingest.inspection.inspect import inspect_file
from ingest.readers.zarr import open_store
from ingest.readers.zarr_storage import Folder, Mirror, served

N_GENES, N_EACH = 2_000, 300


def write(folder, n_cells):
    """Cells with as many genes each, in no order, as Zarr version 3 in shards."""
    rng = np.random.default_rng(0)
    indices = np.sort(rng.random((n_cells, N_GENES)).argpartition(N_EACH)[:, :N_EACH], axis=1).ravel()
    values = (rng.poisson(2.0, indices.size) + 1).astype(np.float32)
    counts = scipy.sparse.csr_matrix((values, indices, np.arange(n_cells + 1) * N_EACH), shape=(n_cells, N_GENES))
    labels = pd.Categorical(np.where(np.arange(n_cells) % 4, "MYC", "non-targeting"))
    obs = pd.DataFrame({"gene": labels}, index=[f"c{at}" for at in range(n_cells)])
    cells = anndata.AnnData(counts, obs=obs, var=pd.DataFrame(index=[f"ENSG{at:011d}" for at in range(N_GENES)]))
    with anndata.settings.override(zarr_write_format=3, auto_shard_zarr_v3=True):
        cells.write_zarr(folder / "cells.zarr", chunks=None)
    return folder / "cells.zarr", counts


class Counted(Folder):
    """The store in its folder, with the bytes of the chunks that are read counted one by one."""

    n_needed = 0

    def read(self, key, start=0, length=None):
        raw = super().read(key, start, length)
        self.n_needed += len(raw)
        return raw


def needed(path, rows):
    """Stored bytes of the chunks that hold the values of some rows, with the index of each shard once."""
    storage = Counted(path)
    reader = open_store(storage)
    storage.n_needed = 0
    for _ in reader.stretch(*rows):
        pass
    return storage.n_needed


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", type=int, default=20_000)
    n_cells = parser.parse_args().cells
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    os.environ |= {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "us-east-1"}
    os.environ |= {"AWS_ENDPOINT_URL": f"http://{host}:{port}", "AWS_ALLOW_HTTP": "true"}
    httpx.put(f"http://{host}:{port}/lab").raise_for_status()
    with tempfile.TemporaryDirectory() as scratch:
        path, counts = write(Path(scratch), n_cells)
        store = ObjectStore("s3://lab")
        sizes = {}
        for file in sorted(path.rglob("*")):
            if file.is_file():
                key = file.relative_to(path).as_posix()
                store.write(f"cells.zarr/{key}", file)
                sizes[key] = file.stat().st_size
        n_requests = 0

        def read_range(key, start, length):
            nonlocal n_requests
            n_requests += 1
            return store.read_range(f"cells.zarr/{key}", start, length)

        def mirror(name):
            return Mirror(Path(scratch) / name / "cells.zarr", sizes, read_range)

        print(
            f"store: {sum(sizes.values()) / 1e6:.1f} MB in {len(sizes)} objects, {n_cells:,} cells x {N_GENES:,} genes"
        )
        for at, share in enumerate((0.01, 0.1, 0.5, 1.0)):
            first = int((n_cells - share * n_cells) / 2)
            rows = (first, first + int(share * n_cells))
            far = mirror(f"rows{at}")
            reader = open_store(far)
            far.n_fetched = n_requests = 0
            total = sum(float(block.data.sum(dtype=np.float64)) for block in reader.stretch(*rows))
            assert total == counts[slice(*rows)].data.sum(dtype=np.float64)
            least = needed(path, rows)
            print(
                f"rows {rows[0]:,} to {rows[1]:,}: fetched {far.n_fetched:,} bytes in {n_requests} requests, "
                f"needed {least:,}: {far.n_fetched / least:.3f}"
            )
        far = mirror("look")
        n_requests = 0
        with served(far) as folder:
            inspect_file(folder)
        share = far.n_fetched / sum(sizes.values())
        print(f"inspect: fetched {far.n_fetched:,} bytes in {n_requests} requests, {share:.3f} of the store")
    server.stop()


if __name__ == "__main__":
    main()
