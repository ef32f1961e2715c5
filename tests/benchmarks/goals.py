"""What is to be reached at full size (``run.py --full``), and whether what was measured reaches it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

FASTER, ITS_TIME, CORES = "x faster", "x its time", "cores busy"
AT_LEAST = {FASTER, CORES}
"""Units of which more is better; of all others less is."""


@dataclass(frozen=True)
class Goal:
    """A bound, and the unit of what is held to it."""

    bound: float
    unit: str

    def __str__(self) -> str:
        return f"{self.bound:,g} {self.unit}"

    def verdict(self, value: float) -> str:
        """Say whether a value reaches it."""
        is_reached = value >= self.bound if self.unit in AT_LEAST else value <= self.bound
        return "reached" if is_reached else "**missed**"


GOALS = {
    "screen, the build before": (Goal(0.5, ITS_TIME), Goal(1_200, "MB")),
    "screen, scanpy": (Goal(4, FASTER),),
    "screen, crispyx": (Goal(4, FASTER),),
    "screen, bare inflation": (Goal(2, ITS_TIME),),
    "screen, cores": (Goal(1.7, CORES),),
    "screen, release": (Goal(0.6, "x its size"),),
    "in memory": (Goal(2.5, FASTER),),
    "small": (Goal(1.2, "s"),),
    "--version": (Goal(150, "ms"),),
    "sql 'select 1'": (Goal(450, "ms"),),
    "dense, cached": (Goal(4, "s"),),
    "dense, not cached": (Goal(1.25, ITS_TIME),),
    "dense, a cell": (Goal(0.1, "kB a cell"),),
    "text": (Goal(1, FASTER),),
    "text, inspect": (Goal(5, "s"),),
    "signature": (Goal(40, "ms"),),
    "gene": (Goal(150, "ms"),),
    "the best of others": (Goal(1, FASTER),),
    "matrix": (Goal(1, FASTER),),
    "matrix, np.load": (Goal(12, ITS_TIME),),
    "slice": (Goal(10, FASTER),),
    "tokens, all at once": (Goal(4, FASTER),),
    "tokens, file by file": (Goal(7, FASTER),),
    "two workers": (Goal(1.8, FASTER),),
    "published": (Goal(3, "s"), Goal(500, "MB")),
    "features": (Goal(6, "s"), Goal(800, "MB")),
    "later fit": (Goal(100, "ms"),),
    "evaluate": (Goal(75, "s"),),
    "condition and gene": (Goal(200, "ns"),),
    "estimate": (Goal(12, "h"),),
}
"""By name of what is measured."""


def judged(name: str, measured: Mapping[str, float]) -> str:
    """Write the goals of something, each with its verdict where it was measured: by unit."""
    return "; ".join(
        f"{goal}: {goal.verdict(measured[goal.unit])}" if goal.unit in measured else str(goal) for goal in GOALS[name]
    )
