"""Is the blend as good as the best of its parts, in every score at once? And what if the sources are shuffled?

python tests/benchmarks/proof.py worlds [--seeds N]     the tests' simulation, from cells
python tests/benchmarks/proof.py lines DATA             each of four real lines, from the three others
python tests/benchmarks/proof.py drugs DATA             drugs in one line, from two others: 20 genes of each

With FEATURESTORE_STRESS=1 worlds have 300 perturbations and 1,000 genes, as those of ``make simulation``.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import click
import numpy as np
from worlds import FOUR_LINES, four_lines, simulation

from featurestore.evaluation import evaluate
from featurestore.evaluation.cross_validation import standard_models
from featurestore.features.matrix.feature_matrix import FeatureMatrix
from featurestore.features.spec import parse_spec
from featurestore.store import Store
from ingest.commands.ingest import find_spec
from ingest.pipeline import ingest_dataset

METRICS = ("pearson_delta", "centred_pearson", "mae", "pds")
DRUGS, DRUGGED = "l1000_top20_chemical", "A549"
SHUFFLE = 0


@click.group()
def main() -> None:
    """Measure the blend against the part that is best in each score, and with sources shuffled among rows."""
    print("blend and best part, the gain with its 95 % interval; then blend with shuffled sources, and train mean")


def report(label: str, matrix: FeatureMatrix) -> None:
    """Print a line a metric."""
    models = {name: model for name, model in standard_models(matrix).items() if name != "forest"}
    found = evaluate(matrix, models)
    order = np.random.default_rng(SHUFFLE).permutation(len(matrix.X))
    dealt = replace(matrix, X=matrix.X[order], mask=matrix.mask[order], elsewhere=matrix.elsewhere[order])
    null = evaluate(dealt, {name: models[name] for name in ("train_mean", "blend")})
    label = f"{label}, {matrix.covered.sum()} of {len(matrix.X)} covered"
    for each in (each for each in found.best_part if each.metric in METRICS):
        gain = f"{each.gain:+.4f} ({each.low:+.4f} to {each.high:+.4f}) {each.outcome}"
        shuffled, mean = (null.score(name, each.metric) for name in ("blend", "train_mean"))
        beside = f"shuffled {_shown(shuffled)} mean {_shown(mean)}"
        scores = f"{each.model_mean:.4f} {each.baseline_mean:.4f} {each.baseline:<13}"
        print(f"{label:<24} {each.metric:<16} {scores} {gain:<44} {beside}", flush=True)


def _shown(score: float | None) -> str:
    return "-" if score is None else f"{score:.3f}"


@main.command()
@click.option("--seeds", default=5, show_default=True)
def worlds(seeds: int) -> None:
    """Predict one line of a made world from four others."""
    world_of = simulation()
    for seed in range(seeds):
        with tempfile.TemporaryDirectory() as folder:
            root = world_of.ingested(*world_of.simulate(seed), Path(folder), seed)
            with Store(root) as store:
                report(f"seed {seed}", store.build(world_of.spec(*world_of.SOURCES)))


@main.command()
@click.argument("data", type=click.Path(exists=True, path_type=Path))
def lines(data: Path) -> None:
    """Predict each of four real lines from the others."""
    source = f'[[feature]]\nkind = "signature"\ndatasets = ["{FOUR_LINES}"]\ncomponents = 20\n'
    for line in four_lines(data):
        report(line.name, line.store.build(parse_spec(f"{line.target}{source}{line.others}")))


@main.command()
@click.argument("data", type=click.Path(exists=True, path_type=Path))
def drugs(data: Path) -> None:
    """Predict the genes that moved most by a drug in one line from those in two others: 20 of each are known."""
    target = (
        f'[target]\ndataset = "{DRUGS}"\neffect_kind = "log2_fold_change"\nwhere = "context_label = \'{DRUGGED}\'"\n'
    )
    source = f'[[feature]]\nkind = "signature"\ndatasets = ["{DRUGS}"]\ncomponents = 20\n'
    with tempfile.TemporaryDirectory() as folder:
        ingest_dataset(find_spec(Path(DRUGS)), Path(folder), data / "l1000_top20")
        with Store(folder) as store:
            report(DRUGGED, store.build(parse_spec(f"{target}{source}where = \"context_label <> '{DRUGGED}'\"\n")))


if __name__ == "__main__":
    main()
