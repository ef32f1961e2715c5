"""Progress of long work on standard error: bars on a terminal, one line a step elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click


@contextmanager
def step(description: str, total: int | None, *, in_bytes: bool = False) -> Iterator[Callable[[int], None]]:
    """Show one step of work; call what is given with the amount done since the last call.

    Parameters
    ----------
    description
        What is being done, as a phrase.
    total
        How much there is to do, in any unit; None where that is not known.
    in_bytes
        Whether the unit is bytes: shown as such, with the speed.
    """
    if not sys.stderr.isatty():
        started = time.monotonic()
        yield lambda _amount: None
        click.echo(f"  {description} ({time.monotonic() - started:.1f} s)", err=True)
        return
    from rich import progress  # noqa: PLC0415, only a terminal shows bars
    from rich.console import Console  # noqa: PLC0415

    counted: tuple[progress.ProgressColumn, ...] = (
        (progress.DownloadColumn(), progress.TransferSpeedColumn()) if in_bytes else (progress.MofNCompleteColumn(),)
    )
    columns = (
        progress.TextColumn("  {task.description}"),
        progress.BarColumn(),
        *counted,
        progress.TimeRemainingColumn(),
    )
    with progress.Progress(*columns, console=Console(stderr=True)) as bars:
        task = bars.add_task(description, total=total)
        yield lambda amount: bars.advance(task, amount)
        bars.update(task, completed=total)
