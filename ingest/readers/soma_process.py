"""An experiment of TileDB-SOMA as a process of its own reads it: bytes that end tiledbsoma are damage, not our end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import weakref
from collections.abc import Iterator
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pyarrow as pa

PROGRAM = "ingest.readers.soma_child"


class SomaProcess:
    """A process that has an experiment open, and answers one question at a time, whatever thread it is from.

    Parameters
    ----------
    path
        The experiment's folder.

    Raises
    ------
    OSError
        By this and by every method: the experiment cannot be read, or its bytes ended the process.
    """

    def __init__(self, path: Path) -> None:
        self._pipe, inside = Pipe()
        self._lock, self._stopped = threading.Lock(), list[int]()
        self._said = tempfile.TemporaryFile()  # noqa: SIM115, as long as the process
        there = inside.fileno()
        self._process = subprocess.Popen(  # noqa: S603, this interpreter, and where the other one's modules are
            [sys.executable, "-P", "-W", "ignore", "-m", PROGRAM, str(there), os.path.realpath(path)],
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
            pass_fds=[there],
            stdin=subprocess.DEVNULL,
            stdout=self._said,
            stderr=self._said,
        )
        inside.close()
        self.close = weakref.finalize(self, _end, self._process, self._pipe)
        self.content: dict[str, Any] = self._ask("content")

    def table(self, place: str, columns: list[str]) -> pa.Table:
        """Read some columns of a table."""
        return self._ask("table", place, columns)

    def dense(self, place: str, first: int, last: int) -> pa.ChunkedArray:
        """Read the rows of a dense matrix from ``first`` to ``last``, both of them too, one after the other."""
        return self._ask("dense", place, first, last).column(0)

    def sparse(self, place: str, first: int, last: int) -> Iterator[pa.Table]:
        """Read the values of a sparse matrix by row, from ``first`` to ``last``, both of them too."""
        stream = self._ask("stream", place, first, last)
        try:
            while (table := self._ask("more", stream)) is not None:
                yield table
        finally:
            self._stopped.append(stream)  # asked at once, it could be in the middle of another question

    def _ask(self, name: str, *arguments: object) -> Any:
        with self._lock:
            stopped, self._stopped = self._stopped, []
            try:
                self._pipe.send_bytes(json.dumps([name, arguments, stopped]).encode())
                head = json.loads(self._pipe.recv_bytes())
                body = self._pipe.recv_bytes() if "table" in head else None
            except BaseException as error:
                self.close()  # an answer may be under way, and would be taken for that to the next question
                if isinstance(error, EOFError | ConnectionError):
                    raise OSError(self._last_words()) from error
                raise
        if body is not None:
            table = pa.ipc.open_stream(body).read_all()
            table.validate(full=True)
            return table
        if "error" in head:
            raise OSError(head["error"])
        return head["answer"]

    def _last_words(self) -> str:
        """Say how the process ended, and the last that it said."""
        code = self._process.returncode
        how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        self._said.seek(0)
        lines = self._said.read().decode(errors="replace").strip().splitlines()
        return f"it ended tiledbsoma's process ({how}{'; ' * bool(lines)}{''.join(lines[-1:])})"


def _end(process: subprocess.Popen[bytes], pipe: Connection) -> None:
    """End a process that has nothing to lose."""
    pipe.close()
    process.kill()
    process.wait()
