"""Cells summed by the workers of a Dask cluster: portions of files go out, partials come back through the file system.

Every worker sees the files and the warehouse under the same path, and runs the same featurestore in the same
environment. A worker that is lost loses its portion, which another takes; one that keeps failing ends the ingest with
an error, and what is summed by then is kept for the next try.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from featurestore.errors import FeatureStoreError, WarehouseError
from ingest.readers.ahead import N_CORES, THREADS
from ingest.sums.capped import default_memory_limit
from ingest.sums.journal import Journal, code_id
from ingest.sums.portion import Portion
from ingest.sums.summing import sum_portion

if TYPE_CHECKING:
    from distributed import Client, Future

LOCAL = "local"
SUM = "sum rows"
"""What tasks are called: the scheduler learns how long those of one name take."""
RETRIES = 2
"""How often a portion is tried again after a fault that is not the file's."""
PORTIONS_AHEAD = 2
"""How many portions wait for each thread of the cluster."""
LONGEST_WAIT = 1800.0
"""How long a cluster may be without any worker. Unit: seconds."""
FILE_WAIT = 60.0
"""How long a network file system may take to show a file that a worker wrote. Unit: seconds."""
CONNECTING = "20s"
BETWEEN_LOOKS = 2.0
SUM_AGAIN = "do the same again: what is summed by now is kept, and is not read again"


class DaskCluster:
    """The workers of a cluster.

    Parameters
    ----------
    client
        The connection to its scheduler.
    memory_limit
        Most that the sums of one portion take in a worker's memory; by default a quarter of the worker's machine,
        shared among its threads. Unit: bytes.
    """

    def __init__(self, client: Client, memory_limit: int | None = None) -> None:
        self._client, self._memory_limit = client, memory_limit

    @property
    def n_threads(self) -> int:
        """How many portions are summed at a time."""
        return max(1, int(sum(self._client.nthreads().values())))

    def summed(self, portions: Sequence[Portion], journal: Journal) -> Iterator[tuple[Path, Portion]]:
        """Sum portions into partials of a journal, and yield each as it is there.

        Raises
        ------
        FeatureStoreError
            A file is at fault, a worker does not see it, or the cluster is lost.
        """
        journal.make()
        waiting = iter(portions)
        running: dict[Future[Any], tuple[Portion, Path]] = {}
        try:
            while True:
                room = self.n_threads * PORTIONS_AHEAD - len(running)
                for portion in islice(waiting, max(0, room)):
                    place = journal.place([portion.rows]).absolute()
                    running[self._submit(portion, place)] = portion, place
                if not running:
                    return
                for future in self._wait(list(running)):
                    portion, place = running.pop(future)
                    _require(_result(future, portion), place)
                    yield place, portion
        finally:
            with suppress(Exception):
                self._client.cancel(list(running))

    def _submit(self, portion: Portion, place: Path) -> Future[Any]:
        start, end = portion.rows
        key = (SUM, portion.path.name, start, end, time.monotonic_ns())
        return self._client.submit(
            _sum, portion, place, self._memory_limit, code_id(), key=key, retries=RETRIES, pure=False
        )

    def _wait(self, futures: list[Future[Any]]) -> list[Future[Any]]:
        """Wait for one of some portions at least."""
        from distributed import wait  # noqa: PLC0415, an extra

        seen = time.monotonic()
        while True:
            with suppress(TimeoutError):
                return list(wait(futures, BETWEEN_LOOKS, return_when="FIRST_COMPLETED").done)
            is_there = self._client.status == "running" and bool(self._client.nthreads())
            seen = time.monotonic() if is_there else seen
            if self._client.status == "closed" or time.monotonic() - seen > LONGEST_WAIT:
                raise WarehouseError(
                    "The cluster is lost.",
                    where=str(self._client.scheduler_info().get("address", "")),
                    got=f"no worker for {time.monotonic() - seen:.0f} s",
                    do=SUM_AGAIN,
                )


@contextmanager
def on_cluster(address: str, memory_limit: int | None = None) -> Iterator[DaskCluster]:
    """Connect to a Dask cluster.

    Parameters
    ----------
    address
        Of its scheduler, such as ``tcp://node7:8786``; the path of its scheduler file, ending in ``.json``; or
        ``local``: a process for every core of this machine.
    memory_limit
        Most that the sums of one portion take in a worker's memory. Unit: bytes.

    Raises
    ------
    WarehouseError
        Dask is not installed, nobody answers, or there are no workers.
    """
    try:
        from distributed import Client, LocalCluster  # noqa: PLC0415, an extra
    except ImportError as error:
        raise WarehouseError(
            "Dask is not installed.", got=str(error), do="pip install 'perturbation-featurestore[cluster]'"
        ) from None
    if address == LOCAL:
        share = default_memory_limit() // N_CORES if memory_limit is None else memory_limit
        options: dict[str, Any] = {"n_workers": N_CORES, "threads_per_worker": 1, "dashboard_address": "127.0.0.1:0"}
        with (
            LocalCluster(**options, env={THREADS: "1"}, silence_logs=logging.CRITICAL) as cluster,
            Client(cluster) as client,
        ):
            yield DaskCluster(client, share)
        return
    given = {"scheduler_file": address} if address.endswith(".json") else {"address": address}
    try:
        with Client(**given, timeout=CONNECTING) as client:
            client.wait_for_workers(1, timeout=LONGEST_WAIT)
            yield DaskCluster(client, memory_limit)
    except (OSError, ValueError, TimeoutError) as error:
        raise WarehouseError(
            "No Dask cluster answers.",
            where=address,
            got=" ".join(str(error).split()),
            do="start dask scheduler and dask worker, and give the address that the scheduler prints (--dask)",
        ) from None


def _sum(portion: Portion, place: Path, memory_limit: int | None, code: str) -> FeatureStoreError | None:
    """Sum a portion, on a worker; what is wrong with the input is given back, since trying again would not help."""
    machine = f"worker on {os.uname().nodename}"
    if code != code_id():
        return WarehouseError(
            "A worker of the cluster has another featurestore.",
            where=machine,
            expected=f"code {code}, as here",
            got=f"code {code_id()}",
            do="install the same version in the same environment everywhere",
        )
    for path in (portion.path, place.parent):
        if not path.exists():
            return WarehouseError(
                "A worker of the cluster does not see what it is to read or write.",
                where=str(path),
                got=f"nothing there, on a {machine}",
                do="keep files and warehouse on a file system that all machines share, under one path",
            )
    try:
        sum_portion(portion, place, default_memory_limit() // _n_threads() if memory_limit is None else memory_limit)
    except FeatureStoreError as error:
        return error
    return None


def _n_threads() -> int:
    from distributed import get_worker  # noqa: PLC0415, an extra

    return max(1, int(get_worker().state.nthreads))


def _result(future: Future[Any], portion: Portion) -> FeatureStoreError | None:
    """Return what a worker said of a portion; an error that it raised is the cluster's."""
    try:
        return future.result()  # type: ignore[no-any-return]
    except Exception as error:
        raise WarehouseError(
            "The cluster could not sum a portion.",
            where=portion.title,
            got=f"{type(error).__name__}: {' '.join(str(error).split())}",
            do=f"see the logs of its workers, give them more memory or lower --memory; then {SUM_AGAIN}",
        ) from error


def _require(fault: FeatureStoreError | None, place: Path) -> None:
    """Raise what is wrong, and wait until a partial can be seen from here."""
    if fault is not None:
        raise fault
    deadline = time.monotonic() + FILE_WAIT
    while not place.exists():
        if time.monotonic() > deadline:
            raise WarehouseError(
                "What a worker of the cluster wrote is not here.",
                where=str(place),
                do="keep the warehouse on a file system that all machines share, under one path",
            )
        time.sleep(0.1)
