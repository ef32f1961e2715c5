"""Progress of long work on standard error: bars on a terminal, one line a step elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)


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
    console = Console(stderr=True)
    if not console.is_terminal:
        started = time.monotonic()
        yield lambda _amount: None
        console.print(f"  {description} ({time.monotonic() - started:.1f} s)", highlight=False)
        return
    counted: tuple[ProgressColumn, ...] = (
        (DownloadColumn(), TransferSpeedColumn()) if in_bytes else (MofNCompleteColumn(),)
    )
    columns = (TextColumn("  {task.description}"), BarColumn(), *counted, TimeRemainingColumn())
    with Progress(*columns, console=console) as bars:
        task = bars.add_task(description, total=total)
        yield lambda amount: bars.advance(task, amount)
        bars.update(task, completed=total)
