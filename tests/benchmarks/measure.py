"""Run programs in turn, each in a process of its own, and say what they took: medians, ratios, peak memory."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import click

HERE = Path(__file__).resolve().parent
PEERS = HERE.parents[1] / ".venv-peers" / "bin" / "python"
OURS_PROGRAM, PEERS_PROGRAM = HERE / "programs.py", HERE / "peers.py"
KILOBYTE, MEGABYTE = 2**10, 2**20
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
"""Python keeps what it compiled of a module, of ours as of the peers': both are measured as they are once installed."""


@dataclass
class Program:
    """A program, and what its runs took. Units: seconds, megabytes.

    One that prints seconds by task, as JSON, is timed by that; another by the life of its process. The last thing that
    each prints is its peak memory, as the kernel accounts it.
    """

    command: list[str]
    seconds: dict[str, list[float]] = field(default_factory=dict)
    peak: list[float] = field(default_factory=list)

    def run(self) -> None:
        """Run once."""
        started = time.perf_counter()
        ended = subprocess.run(
            self.command,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            check=False,
            env=ENVIRONMENT,
        )
        seconds = time.perf_counter() - started
        if ended.returncode:
            raise click.ClickException(f"failed: {' '.join(self.command)}")
        *lines, peak = ended.stdout.split("\n")[:-1]
        told = json.loads(lines[-1]) if lines and lines[-1].startswith("{") else {"": [seconds]}
        for task, each in told.items():
            self.seconds.setdefault(task, []).extend(each)
        self.peak.append(int(peak) * KILOBYTE / MEGABYTE)

    def median(self, task: str = "") -> float:
        """Return the median time of a task."""
        return statistics.median(self.seconds[task])

    @property
    def memory(self) -> float:
        """Return the median peak memory."""
        return statistics.median(self.peak)


def ours(*arguments: object) -> Program:
    """Make one of our programs."""
    return Program([sys.executable, str(OURS_PROGRAM), *map(str, arguments)])


def peer(*arguments: object) -> Program:
    """Make one of the peers' programs, in their own environment."""
    return Program([str(PEERS), str(PEERS_PROGRAM), *map(str, arguments)])


def take_turns(programs: Sequence[Program], n_runs: int, forgotten: Path | None = None) -> None:
    """Run each, then each again: what slows the machine for a while slows all of them.

    What one wrote is on the disk before the next begins, which would else wait for it. A file that is to be forgotten
    is read from the disk by each, as one larger than the memory would be.
    """
    for _ in range(n_runs):
        for program in programs:
            os.sync()
            if forgotten:
                forget(forgotten)
            program.run()


def forget(path: Path) -> None:
    """Ask the system to keep nothing of a file in memory."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


class Took(NamedTuple):
    """What a process took: by the clock, of all cores, and at its peak, as the kernel accounts it."""

    seconds: float
    of_cores: float
    megabytes: float

    def __str__(self) -> str:
        return f"{self.seconds:.1f} s, {self.of_cores:.1f} s of all cores, {self.megabytes:,.0f} MB"


def took(command: Sequence[str | Path], folder: Path | None = None, *, quiet: bool = False) -> Took:
    """Run a command in a folder, without what it answers, or any word; a child's peak begins with its parent's."""
    started = time.perf_counter()
    words = subprocess.DEVNULL if quiet else None
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=words, cwd=folder)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise click.ClickException(f"failed: {' '.join(map(str, command))}")
    return Took(time.perf_counter() - started, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * KILOBYTE / MEGABYTE)


def medians(commands: Mapping[str, Callable[[], Took]], n_runs: int) -> dict[str, Took]:
    """Run each, then each again, and take medians: what slows the machine for a while slows all of them."""
    found = [{name: run() for name, run in commands.items()} for _ in range(n_runs)]
    return {
        name: Took(*(statistics.median(each) for each in zip(*(one[name] for one in found), strict=True)))
        for name in commands
    }


@dataclass(frozen=True)
class Row:
    """A line of the table; ``ratio`` is ours over the other's where less is better, and so is ``goal`` meant."""

    task: str
    ours: str
    other: str
    ratio: str
    memory: str
    goal: str

    def line(self) -> str:
        """Return the line in Markdown."""
        return f"| {self.task} | {self.ours} | {self.other} | {self.ratio} | {self.memory} | {self.goal} |"


HEAD = "| task | ours | other | ratio | peak memory | goal |\n|---|---|---|---|---|---|"


def text_of(seconds: float) -> str:
    """Write a time with two or three digits."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.1f} s"


def compared(task: str, own: Program, other: Program, name: str, goal: str, of: str = "") -> Row:
    """Compare a task of ours with the same of another."""
    a, b = own.median(of), other.median(of)
    ratio = f"{b / a:.1f} x faster" if b > a else f"{a / b:.1f} x its time"
    memory = f"{own.memory:,.0f} MB, {other.memory:,.0f} MB"
    return Row(task, text_of(a), f"{name} {text_of(b)}", ratio, memory, goal)
