"""``make bench``: each task against the tool a user would pick instead, as ratios of medians in one run.

Runs alternate (ours, peer, ours, peer ...), each a process of its own with its peak memory as the kernel accounts it.
Nothing here is a test: a slow machine fails nothing.
"""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import click
from screen import write_screen

HERE = Path(__file__).resolve().parent
PEERS = HERE.parents[1] / ".venv-peers" / "bin" / "python"
MEGABYTE = 2**20


@dataclass
class Runs:
    """Wall seconds and peak memory of one command, run after run."""

    command: list[str]
    seconds: list[float] = field(default_factory=list)
    peak: list[float] = field(default_factory=list)

    def run(self) -> None:
        """Run once."""
        started = time.perf_counter()
        process = subprocess.Popen(self.command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        _, status, usage = os.wait4(process.pid, 0)
        self.seconds.append(time.perf_counter() - started)
        self.peak.append(usage.ru_maxrss * 1024 / MEGABYTE)
        if status:
            raise click.ClickException(f"failed: {' '.join(self.command)}")


def compare(task: str, ours: Runs, peer: Runs, peer_name: str, n_runs: int) -> str:
    """Run two commands in turn and describe them in a row of the table."""
    for _ in range(n_runs):
        ours.run()
        peer.run()
    a, b = (statistics.median(runs.seconds) for runs in (ours, peer))
    m, n = (statistics.median(runs.peak) for runs in (ours, peer))
    ratio = f"{b / a:.1f} x faster, {n / m:.1f} x less memory"
    return f"| {task} | {a:.1f} s, {m:,.0f} MB | {peer_name}: {b:.1f} s, {n:,.0f} MB | {ratio} |"


def ingest(spec: Path, root: Path) -> Runs:
    """Ingest into a warehouse that is made afresh each time."""
    code = (
        "import shutil, sys; from pathlib import Path; from ingest.pipeline import ingest_dataset; "
        "shutil.rmtree(sys.argv[2], ignore_errors=True); ingest_dataset(Path(sys.argv[1]), Path(sys.argv[2]))"
    )
    return Runs([sys.executable, "-c", code, str(spec), str(root)])


@click.command()
@click.option("--cells", default=20_000, show_default=True)
@click.option("--genes", default=10_000, show_default=True)
@click.option("--perturbations", default=300, show_default=True)
@click.option("--runs", default=3, show_default=True)
def main(cells: int, genes: int, perturbations: int, runs: int) -> None:
    """Measure, and print a table in Markdown."""
    click.echo(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, medians of {runs}\n")
    click.echo("| task | featurestore | peer | ratio |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "screen.h5ad"
        write_screen(path, n_cells=cells, n_genes=genes, n_perturbations=perturbations)
        ours = ingest(path.with_suffix(".toml"), Path(folder) / "warehouse")
        peer = Runs([str(PEERS), str(HERE / "peer_scanpy.py"), str(path)])
        task = f"{cells:,} cells x {genes:,} genes, CSR gzip h5ad, to sums (ours: to a release with signatures)"
        click.echo(compare(task, ours, peer, "scanpy read, normalise, log1p, aggregate", runs))


if __name__ == "__main__":
    main()
