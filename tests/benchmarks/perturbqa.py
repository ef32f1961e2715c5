"""PerturbQA: ``python tests/benchmarks/perturbqa.py DATA_DIR`` prints the paper's table with our column beside it.

Ingests the six published files by the specs that come with featurestore, and evaluates the six feature specs that come
with it: each line is the target once, the other two are the features. Nothing here is a test.
"""

from __future__ import annotations

import os
import platform
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import click

from featurestore.evaluation import pair_report
from featurestore.evaluation.pair_evaluation import evaluate_pairs
from featurestore.evaluation.pair_scoring import JUDGED_OF_PAIRS
from featurestore.features.pairs.builder import read_pairs
from featurestore.query.warehouse import Warehouse
from ingest.commands.ingest import shipped_specs
from ingest.pipeline import ingest_dataset

LINES = {"k562": "K562", "rpe1": "RPE1", "jurkat": "Jurkat"}
TABLES = {"de": "differential expression", "dir": "direction"}
PUBLISHED = {  # best published, GEARS: Wu et al. 2025, ICLR
    ("de", "k562"): (0.62, 0.55),
    ("de", "rpe1"): (0.59, 0.49),
    ("de", "jurkat"): (0.59, 0.51),
    ("dir", "k562"): (0.69, 0.67),
    ("dir", "rpe1"): (0.64, 0.61),
    ("dir", "jurkat"): (0.67, 0.52),
}


@click.command()
@click.argument("data", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--shuffles", default=5, show_default=True, help="How often the sources are shuffled for the null.")
@click.option("--jobs", default=2, show_default=True, help="Tasks that are measured at once, each in a process.")
@click.option("-o", "--output", type=click.Path(file_okay=False, path_type=Path), help="Folder for the six reports.")
def main(data: Path, shuffles: int, jobs: int, output: Path | None) -> None:
    """Measure, and print a table in Markdown."""
    click.echo(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}\n")
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        for line in LINES:
            ingest_dataset(shipped_specs()[f"perturbqa_{line}"], Path(folder), data)
        click.echo(f"six files ingested in {time.perf_counter() - started:.1f} s\n")
        click.echo("| task | line | best published | GEARS | ours | sources shuffled | genes | processor seconds |")
        click.echo("|---|---|---|---|---|---|---|---|")
        started = time.perf_counter()
        with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
            rows = {
                table: [pool.submit(_row, folder, line, table, shuffles, output) for line in LINES] for table in TABLES
            }
            for table, task in TABLES.items():
                ours = []
                for row in rows[table]:
                    shown, area = row.result()
                    click.echo(shown)
                    ours.append(area)
                click.echo(f"| {task} | mean | | | {sum(ours) / len(ours):.4f} | | | |")
        seconds = time.perf_counter() - started
        click.echo(f"\nall six in {seconds:.0f} s by the clock, {jobs} at once, with {shuffles} shuffles each")
    click.echo(
        "\nMean over genes of the AUROC of each gene that has both labels in the benchmark's test split; ours with its "
        "standard error over perturbations. The paper's models had no other line to look at: that is the difference. "
        "Processor seconds: read, build, fit all four models and score, without the shuffles."
    )


def _row(folder: str, line: str, table: str, shuffles: int, output: Path | None) -> tuple[str, float]:
    name = f"perturbqa_{line}_{table}"
    with Warehouse(folder) as store:
        started = time.process_time()
        task = read_pairs(store, name)
        evaluation = evaluate_pairs(task, shuffles=0)
        seconds = time.process_time() - started
        evaluation = evaluate_pairs(task, shuffles=shuffles) if shuffles else evaluation
    if output is not None:
        pair_report.write(evaluation, output / name)
    best, gears = PUBLISHED[table, line]
    area, error, null = (
        evaluation.areas[JUDGED_OF_PAIRS],
        evaluation.errors[JUDGED_OF_PAIRS],
        evaluation.shuffled(JUDGED_OF_PAIRS),
    )
    shown = (
        f"{area:.4f} ± {error:.3f} | {'' if null is None else f'{null:.3f}'} | {evaluation.counts()['n_genes_scored']}"
    )
    return f"| {TABLES[table]} | {LINES[line]} | {best:.2f} | {gears:.2f} | {shown} | {seconds:.1f} |", area


if __name__ == "__main__":
    main()
