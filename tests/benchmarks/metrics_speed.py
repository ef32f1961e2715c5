"""Time to score one prediction on every metric, next to cell-eval on the same cells in the same run.

Differential expression of both sides is part of both times. A slow machine fails nothing.
"""

import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click
import numpy as np
from cells import case, write_case
from metrics import PEERS, ask

OURS = """
import sys, time
from featurestore.challenge import read_cells, score_cells
from featurestore.challenge.score import _inputs_2025
from featurestore.metrics import Inputs, compute, computable
from featurestore.metrics.wilcoxon import differential_expression
from scipy import sparse
import numpy as np
cells = [read_cells(f"{sys.argv[1]}/{side}_log.h5ad") for side in ("predicted", "measured")]
differential_expression(sparse.csr_array(np.eye(4)), np.array([-1, -1, 0, 0]), 1)  # compiled, or read from the cache
started = time.perf_counter()
inputs = _inputs_2025(*cells, lambda _: None)
called = time.perf_counter()
n = len(compute(inputs))
done = time.perf_counter()
effects = Inputs(inputs.predicted, inputs.measured, inputs.measured.mean(axis=0), inputs.left_out,
                 significant=inputs.significant)
m = len(compute(effects))
peak = open("/proc/self/status").read().partition("VmHWM:")[2].split()[0]
print(called - started, done - called, n, time.perf_counter() - done, m, peak)
"""


@click.command()
@click.option("--perturbations", default=300, show_default=True)
@click.option("--genes", default=18_000, show_default=True)
@click.option("--each", default=20, show_default=True, help="Cells of each perturbation.")
@click.option("--controls", default=600, show_default=True)
@click.option("--peers", default=PEERS, type=click.Path(path_type=Path), help="Python of the peers' environment.")
def main(perturbations, genes, each, controls, peers):
    """Print the times."""
    predicted, measured = case(perturbations, genes, each, controls, depth=1.4)
    density = measured.values.nnz / np.prod(measured.values.shape)
    click.echo(
        f"{platform.machine()}, {perturbations:,} perturbations x {genes:,} genes, {len(measured.labels):,} cells "
        f"a side, {density:.0%} nonzero"
    )
    with tempfile.TemporaryDirectory() as folder:
        write_case(folder, predicted, measured)
        del predicted, measured
        text = subprocess.run([sys.executable, "-c", OURS, folder], check=True, capture_output=True, text=True).stdout
        de, rest, n, effects, m, peak = map(float, text.split())
        click.echo(f"ours: {de:.1f} s for calls, {rest:.1f} s for {n:.0f} metrics, at most {peak / 2**20:.1f} GB")
        click.echo(f"ours, of effects alone: {effects:.1f} s for {m:.0f} metrics")
        started = time.perf_counter()
        skip = "pearson_edistance,clustering_agreement,baseline"
        theirs = ask(folder, peers, "--only", "cell_eval", "--skip", skip)["cell_eval"]
        click.echo(f"(the peers took {time.perf_counter() - started:.0f} s with reading)")
    calls, whole = theirs["seconds_de"], theirs["seconds"]
    n_theirs = len(theirs["per_perturbation"]) - 1
    click.echo(f"cell-eval 0.8.2: {calls:.1f} s for calls, {whole - calls:.1f} s for {n_theirs} metrics")
    click.echo(f"ratio: {whole / (de + rest):.0f} x")


if __name__ == "__main__":
    main()
