"""A process in which bad files are read: watched from outside, its time and memory measured, replaced if it dies."""

from __future__ import annotations

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


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a piece of work ended.

    ``outcome`` is ``done``, ``refused`` (with a :class:`FeatureStoreError`), ``traceback``, ``died`` or ``endless``;
    ``memory`` what it took at most beyond what the process had. Unit: bytes.
    """

    outcome: str
    said: str = ""
    memory: int = 0


class Prison:
    """Runs functions in another process, one after the other."""

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
            if self._pipe.poll(self.seconds):
                verdict: Verdict = self._pipe.recv()
                return verdict
        except (EOFError, ConnectionError):
            self._process.join()
            code = self._process.exitcode
            self._end()
            return Verdict("died", f"exit code {code}")
        self._end()
        return Verdict("endless", f"more than {self.seconds:g} s")

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
        before = _memory("VmRSS")
        if CLEAR.exists():
            CLEAR.write_text("5")
        try:
            work(*arguments)
            outcome, said = "done", ""
        except FeatureStoreError as error:
            outcome, said = "refused", str(error)
        except Exception:  # noqa: BLE001, any other is told to whoever watches
            outcome, said = "traceback", traceback.format_exc()
        pipe.send(Verdict(outcome, said, _memory("VmHWM") - before))


def _memory(name: str) -> int:
    if not STATUS.exists():
        return 0
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) * 1024
