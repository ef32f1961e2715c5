"""How time and memory grow, as lines in a picture: ``python growth.py [--full] [--only cells]``.

What is measured is kept in ``growth.json``, out of which the picture is drawn, so that each can be measured by itself.

Cells are those of 3,000 genes and 50 perturbations; conditions those of 10,000 cells (``--full``: 20,000) and 3,000
genes; datasets have 200 conditions and 1,000 genes. Time of an ingest is that of processors, which other programs on
the machine change least; that of a question, by the clock.
"""

from __future__ import annotations

import json
import statistics
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import click
from matplotlib.figure import Figure
from measure import HERE, Program, apart, command, ours, take_turns
from screen import write_screen

from warehouse import write_copies

PICTURE, MEASURED = HERE / "growth.svg", HERE / "growth.json"
CELLS, MORE_CELLS = (10_000, 20_000, 40_000), (10_000, 40_000, 160_000, 640_000)
CONDITIONS, MORE_CONDITIONS = (500, 2_000, 5_000), (500, 2_500, 10_000)
DATASETS = (10, 100, 1_000)
N_RUNS = 3
Seconds = dict[str, list[float]]


@dataclass(frozen=True)
class Growth:
    """What was measured as something grew: seconds by what they are of, and peak memory in megabytes."""

    of: str
    sizes: list[int]
    seconds: Seconds
    memory: list[float]

    def lines(self) -> list[str]:
        """Return rows of a table in Markdown."""
        return [
            f"| {size:,} {self.of} | "
            + ", ".join(f"{name} {each[at]:.3g} s" for name, each in self.seconds.items())
            + f" | {self.memory[at]:,.0f} MB |"
            for at, size in enumerate(self.sizes)
        ]


def of_ingests(folder: Path, of: str, screens: dict[int, dict[str, int]]) -> Growth:
    """Ingest screens of growing size: medians of three runs, when kernels are compiled."""
    seconds: list[float] = []
    memory: list[float] = []
    for size, shape in screens.items():
        path = folder / f"{of}_{size}.h5ad"
        apart(write_screen, path, n_genes=3_000, depth=2_000, **shape)
        own: Program = command(None, folder / "warehouse", "ingest", path.with_suffix(".toml"))
        if not seconds:
            Program(own.command, own.made).run()
        take_turns([own], N_RUNS)
        seconds.append(statistics.median(own.of_cores))
        memory.append(own.memory)
        path.unlink()
    return Growth(of, list(screens), {"ingest, of processors": seconds}, memory)


def of_questions(folder: Path) -> Growth:
    """Ask a warehouse of ever more datasets for one signature and one gene of one of them."""
    seconds: Seconds = {"one signature": [], "one gene": []}
    memory: list[float] = []
    for n_datasets in DATASETS:
        root = folder / f"datasets_{n_datasets}"
        apart(write_copies, root, n_datasets=n_datasets, n_conditions=200, n_genes=1_000)
        own = ours("ask", root, "screen_0005")
        own.run()
        for name, each in seconds.items():
            each.append(own.median(name.removeprefix("one ")))
        memory.append(own.memory)
    return Growth("datasets", list(DATASETS), seconds, memory)


def draw(grown: list[Growth]) -> Figure:
    """Draw time above memory, a column for each of what grew."""
    figure = Figure(figsize=(4 * len(grown), 6), layout="constrained")
    axes = figure.subplots(2, len(grown), squeeze=False)
    for column, each in enumerate(grown):
        above, below = axes[:, column]
        for name, seconds in each.seconds.items():
            above.plot(each.sizes, seconds, marker="o", label=name)
        above.legend(fontsize=8)
        below.plot(each.sizes, each.memory, marker="o", color="#555555")
        for half, label in ((above, "seconds"), (below, "peak memory, MB")):
            half.set_xscale("log")
            half.set_xlabel(each.of)
            half.set_ylabel(label)
            half.set_ylim(bottom=0)
            half.grid(alpha=0.3)
    return figure


@click.command()
@click.option(
    "--full", "is_full", is_flag=True, help="Up to 640,000 cells and 10,000 conditions: a quarter of an hour."
)
@click.option("--only", multiple=True, type=click.Choice(["datasets", "conditions", "cells"]))
@click.option("--folder", type=click.Path(path_type=Path), help="Where files are written for a while.")
def main(*, is_full: bool, only: tuple[str, ...], folder: Path | None) -> None:
    """Measure, print a table in Markdown, and draw it beside this file."""
    of_cells = {n: {"n_cells": n, "n_perturbations": 50} for n in (MORE_CELLS if is_full else CELLS)}
    n_cells = 20_000 if is_full else 10_000
    sizes = MORE_CONDITIONS if is_full else CONDITIONS
    of_conditions = {n: {"n_cells": n_cells, "n_perturbations": n} for n in sizes}
    measures: dict[str, Callable[[Path], Growth]] = {
        "datasets": of_questions,
        "conditions": lambda place: of_ingests(place, "conditions", of_conditions),
        "cells": lambda place: of_ingests(place, "cells", of_cells),
    }
    grown = {each["of"]: Growth(**each) for each in (json.loads(MEASURED.read_text()) if MEASURED.is_file() else [])}
    for name in only or measures:
        with tempfile.TemporaryDirectory(dir=folder) as work:
            grown[name] = measures[name](Path(work))
        click.echo("\n".join(grown[name].lines()))
        known = [grown[each] for each in measures if each in grown]
        MEASURED.write_text(json.dumps([asdict(each) for each in known], indent=1) + "\n", encoding="utf-8")
        draw(known).savefig(PICTURE, metadata={"Date": None})


if __name__ == "__main__":
    main()
