"""A process in which bad files are read: watched from outside, its time and memory measured, replaced if it dies."""

from __future__ import annotations

import os
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import workers

from featurestore.errors import FeatureStoreError

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
PATIENCE = 10
"""How many times as long as its processor time a piece of work may last, on a machine that has other things to do."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a piece of work ended.

    ``outcome`` is ``done``, ``refused`` (with a :class:`FeatureStoreError`), ``traceback``, ``died`` or ``endless``;
    ``memory`` what it took at most beyond what the process had, in bytes, and ``seconds`` its processor time.
    """

    outcome: str
    said: str = ""
    memory: int = 0
    seconds: float = 0.0


class Prison:
    """Runs functions in another process, one after the other, for some seconds of processor time each."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._process: Any = None
        self._pipe: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def run(self, work: Callable[..., object], *arguments: object) -> Verdict:
        """Run a function of a module; what it does to the process is told."""
        if self._process is None:
            context = workers.context()
            self._pipe, inside = context.Pipe()
            self._process = context.Process(target=serve, args=(inside,))
            self._process.start()
            inside.close()
        self._pipe.send((work, arguments))
        try:
            start, deadline = processor_seconds(self._process.pid), time.monotonic() + PATIENCE * self.seconds
            while time.monotonic() < deadline and processor_seconds(self._process.pid) < start + self.seconds:
                if self._pipe.poll(0.5):
                    verdict: Verdict = self._pipe.recv()
                    return verdict
        except (EOFError, ConnectionError):
            self._process.join()
            code = self._process.exitcode
            self._end()
            return Verdict("died", f"exit code {code}")
        self._end()
        return Verdict("endless", f"more than {self.seconds:g} s of processor time")

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._process.close()
            self._pipe.close()
            self._process = None


def serve(pipe: Connection) -> None:
    """Do what is asked for until nobody asks."""
    while True:
        try:
            work, arguments = pipe.recv()
        except EOFError:
            return
        before, started = _memory("VmRSS"), time.process_time()
        if CLEAR.exists():
            CLEAR.write_text("5")
        try:
            work(*arguments)
            outcome, said = "done", ""
        except FeatureStoreError as error:
            outcome, said = "refused", str(error)
        except Exception:  # noqa: BLE001, any other is told to whoever watches
            outcome, said = "traceback", traceback.format_exc()
        pipe.send(Verdict(outcome, said, _memory("VmHWM") - before, time.process_time() - started))


def _memory(name: str) -> int:
    if not STATUS.exists():
        return 0
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) * 1024


def processor_seconds(process: int) -> float:
    """Return the processor time that a process has used; 0 where that is not told."""
    stat = Path(f"/proc/{process}/stat")
    if not stat.exists():
        return 0.0
    user, system = stat.read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")
