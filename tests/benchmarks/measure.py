"""Run programs in turn, each in a process of its own, and say what they took: medians, ratios, peak memory."""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import click
from goals import FASTER, GOALS, ITS_TIME, judged

HERE = Path(__file__).resolve().parent
PEERS = HERE.parents[1] / ".venv-peers" / "bin" / "python"
OURS_PROGRAM, PEERS_PROGRAM = HERE / "programs.py", HERE / "peers.py"
KILOBYTE, MEGABYTE = 2**10, 2**20
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
"""Python keeps what it compiled of a module, of ours as of the peers': both are measured as they are once installed."""


@dataclass
class Program:
    """A program, and what its runs took. Units: seconds, megabytes.

    One that prints seconds by task, as JSON, is timed by that; another by the life of its process. Its peak memory is
    as the kernel accounts it. What is in ``made`` is removed before each run.
    """

    command: list[str]
    made: Path | None = None
    seconds: dict[str, list[float]] = field(default_factory=dict)
    of_cores: list[float] = field(default_factory=list)
    peak: list[float] = field(default_factory=list)

    def run(self) -> None:
        """Run once."""
        if self.made:
            shutil.rmtree(self.made, ignore_errors=True)
        started = time.perf_counter()
        with tempfile.TemporaryFile("w+") as said:
            process = subprocess.Popen(self.command, stdout=said, stderr=subprocess.DEVNULL, env=ENVIRONMENT)
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            seconds = time.perf_counter() - started
            said.seek(0)
            lines = said.read().splitlines()
        if status:
            raise click.ClickException(f"failed: {' '.join(self.command)}")
        told = next((json.loads(line) for line in reversed(lines) if line.startswith("{")), {"": [seconds]})
        for task, each in told.items():
            self.seconds.setdefault(task, []).extend(each)
        self.of_cores.append(usage.ru_utime + usage.ru_stime)
        self.peak.append(usage.ru_maxrss * KILOBYTE / MEGABYTE)

    def median(self, task: str = "") -> float:
        """Return the median time of a task."""
        return statistics.median(self.seconds[task])

    def text(self, task: str = "") -> str:
        """Write the median time of a task, and its spread where there are some runs."""
        each = self.seconds[task]
        spread = f" ({text_of(min(each))} to {text_of(max(each))})" if len(each) > 1 else ""
        return text_of(self.median(task)) + spread

    @property
    def share_of_cores(self) -> float:
        """Return how many cores it kept busy, as the median of its runs."""
        return statistics.median(c / s for c, s in zip(self.of_cores, self.seconds[""], strict=True))

    @property
    def memory(self) -> float:
        """Return the median peak memory."""
        return statistics.median(self.peak)


def apart(function: Callable[..., None], *arguments: Any, **options: Any) -> None:
    """Write files in a process of its own: the peak of a child begins with its parent's."""
    writer = get_context("spawn").Process(target=function, args=arguments, kwargs=options)
    writer.start()
    writer.join()
    if writer.exitcode:
        raise click.ClickException(f"failed: {function.__name__}")


def ours(*arguments: object) -> Program:
    """Make one of our programs."""
    return Program([sys.executable, str(OURS_PROGRAM), *map(str, arguments)])


def command(checkout: Path | None, root: Path, *arguments: object) -> Program:
    """Make a command of ours, or of another checkout, that writes a warehouse anew."""
    script = Path(sys.prefix if checkout is None else checkout / ".venv") / "bin/featurestore"
    return Program([str(script), "--warehouse", str(root), *map(str, arguments)], root)


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
    """A line of the table: what the other took or ``goal`` says is empty where there is none."""

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


def compared(task: str, goal: str, own: Program, other: Program | None = None, name: str = "", of: str = "") -> Row:
    """Compare a task of ours with its goals, and with the same of another.

    Parameters
    ----------
    task, goal
        What the line calls it, and what it is called in :data:`goals.GOALS`.
    own, other, name
        Our program, the other's, and what the line calls that.
    of
        Which of the tasks that both time by themselves.
    """
    a = own.median(of)
    measured = {"s": a, "ms": 1e3 * a, "MB": own.memory}
    if other is None:
        return Row(task, own.text(of), "", "", f"{own.memory:,.0f} MB", judged(goal, measured))
    b = other.median(of)
    measured |= {FASTER: b / a, ITS_TIME: a / b}
    is_faster = b > a and ITS_TIME not in (each.unit for each in GOALS[goal])
    ratio = f"{b / a:.1f} {FASTER}" if is_faster else f"{a / b:.2f} {ITS_TIME}"
    memory = f"{own.memory:,.0f} MB, {other.memory:,.0f} MB"
    return Row(task, own.text(of), f"{name} {other.text(of)}", ratio, memory, judged(goal, measured))
