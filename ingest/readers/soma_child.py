"""The program that runs tiledbsoma, in a process of its own, which damaged bytes may end.

Over a pipe it is asked one thing after the other: a name, arguments, and streams that are no longer wanted. It answers
each in JSON; after ``{"table": true}`` follow the bytes of an Arrow stream. It ends with the pipe.
"""

from __future__ import annotations

import json
import resource
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import tiledbsoma

FILE = "file://"
KEY_NAME = "soma_dataframe_original_index_name"
SPARSE = "SOMASparseNDArray"
SETTINGS = {
    "soma.init_buffer_bytes": 2**23,
    "sm.mem.total_budget": 2**28,
    "sm.compute_concurrency_level": 2,
    "sm.io_concurrency_level": 2,
}
"""What tiledbsoma reads of a column at once, what it may hold (unit: bytes), and with how many threads."""

STATUS = Path("/proc/self/status")
LEAST_BYTES, MOST_RATIO = 2**30, 300
"""What the process may take at least beyond its code, and besides for each byte of an experiment."""


class Experiment:
    """An experiment; its public methods are what can be asked, ``content`` first.

    Parameters
    ----------
    path
        Its folder, absolute.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._parts: dict[str, Any] = {}
        self._streams: dict[int, Iterator[pa.Table]] = {}

    def content(self) -> dict[str, Any]:
        """Open it, and describe its tables, and its matrices by measurement and layer."""
        context = tiledbsoma.SOMATileDBContext(tiledb_config=SETTINGS)
        self._experiment = tiledbsoma.open(self._path, context=context)  # its parts are open as long as it is
        cells = self._table("obs", self._experiment.obs)
        measurements = self._part("ms", self._experiment.ms)
        return {"obs": cells, "ms": {name: self._measured(f"ms/{name}", part) for name, part in measurements.items()}}

    def table(self, place: str, columns: list[str]) -> pa.Table:
        """Read some columns of a table."""
        return self._parts[place].read(column_names=columns).concat()

    def dense(self, place: str, first: int, last: int) -> pa.Table:
        """Read the rows of a dense matrix from ``first`` to ``last``, both of them too, one after the other."""
        values = self._parts[place].read((slice(first, last), slice(None))).to_numpy()
        return pa.table({"soma_data": values.ravel()})

    def stream(self, place: str, first: int, last: int) -> int:
        """Begin with a sparse matrix, by row, from ``first`` to ``last``, both of them too; number the stream."""
        read = self._parts[place].read((slice(first, last), slice(None)), result_order="row-major")
        number = max(self._streams, default=0) + 1
        self._streams[number] = iter(read.tables())
        return number

    def more(self, stream: int) -> pa.Table | None:
        """Read on in a stream; None at its end."""
        return next(self._streams[stream], None)

    def stop(self, streams: list[int]) -> None:
        """Let go of streams."""
        for stream in streams:
            del self._streams[stream]

    def _measured(self, place: str, measurement: Any) -> dict[str, Any]:
        layers = self._part(f"{place}/X", measurement.X).items() if "X" in measurement else ()
        return {
            "var": self._table(f"{place}/var", measurement.var),
            "X": {name: self._matrix(f"{place}/X/{name}", array) for name, array in layers},
        }

    def _table(self, place: str, frame: Any) -> dict[str, Any]:
        self._part(place, frame)
        return {"fields": list(frame.keys()), "key": frame.metadata.get(KEY_NAME, "null"), "count": frame.count}

    def _matrix(self, place: str, array: Any) -> dict[str, Any]:
        self._part(place, array)
        kind = np.dtype(array.schema.field("soma_data").type.to_pandas_dtype())
        return {"dtype": kind.str, "is_sparse": array.soma_type == SPARSE, "width": array.shape[1]}

    def _part(self, place: str, part: Any) -> Any:
        """Keep a part by its place, which must be in the folder: a group may name any address."""
        if part.uri.removeprefix(FILE) != f"{self._path}/{place}":
            raise ValueError(f"{place} lies elsewhere, at {part.uri}: copy the experiment as a whole into one folder")
        self._parts[place] = part
        return part


def answer(pipe: Connection, experiment: Experiment) -> None:
    """Answer what is asked until nobody asks."""
    while True:
        name, arguments, stopped = json.loads(pipe.recv_bytes())
        try:
            experiment.stop(stopped)
            given = getattr(experiment, name)(*arguments)
        except Exception as error:  # noqa: BLE001, it is for the process that asks to raise it
            pipe.send_bytes(json.dumps({"error": str(error) or type(error).__name__}).encode())
            continue
        if not isinstance(given, pa.Table):
            pipe.send_bytes(json.dumps({"answer": given}).encode())
            continue
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, given.schema) as stream:
            stream.write_table(given)
        pipe.send_bytes(b'{"table": true}')
        pipe.send_bytes(memoryview(sink.getvalue()))


def limit_memory(path: Path) -> None:
    """Let this process take what an experiment of its size can need beyond what it has, whatever its bytes claim."""
    if not STATUS.exists():
        return
    taken = int(STATUS.read_text(encoding="ascii").partition("VmData:")[2].split()[0]) * 1024
    n_bytes = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    most = taken + LEAST_BYTES + MOST_RATIO * n_bytes
    resource.setrlimit(resource.RLIMIT_DATA, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def main(descriptor: str, path: str) -> None:
    """Answer over a pipe; an interrupt is for the process that asks, and what ends this one leaves no core behind."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    limit_memory(Path(path))
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        answer(Connection(int(descriptor)), Experiment(path))


if __name__ == "__main__":
    main(*sys.argv[1:])
