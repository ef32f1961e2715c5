"""What neighbours add to a ridge on the signatures of other lines, in simulation and on real lines.

python tests/benchmarks/neighbours.py simulated [--seeds N]    the small worlds of the tests, from cells to scores
python tests/benchmarks/neighbours.py real DATA                each of four real lines, from the three others
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import click
from worlds import FOUR_LINES, four_lines, simulation

from featurestore.evaluation import evaluate
from featurestore.features.spec import parse_spec
from featurestore.models import RidgeOnSignatures
from featurestore.store import Store

METRICS = ("pearson_delta", "centred_pearson", "mae", "pds")
FEATURE = '[[feature]]\nkind = "{}"\ndatasets = [{}]\n{}\n'


@click.group()
def main() -> None:
    """Measure what neighbours add."""
    print(f"{'':<12} {'features':<12} " + "  ".join(f"{name:>15}" for name in METRICS))


def compare(store: Store, label: str, head: str, datasets: str, options: str, split: str = "") -> None:
    """Print the scores of a ridge on signatures, on neighbours, and on both."""
    signature, neighbours = (FEATURE.format(kind, datasets, options) for kind in ("signature", "neighbours"))
    for name, text in (("signature", signature), ("neighbours", neighbours), ("both", signature + neighbours)):
        matrix = store.build(parse_spec(head + text + split))
        found = evaluate(matrix, {"ridge": RidgeOnSignatures(matrix.columns["block"].to_numpy())})
        print(f"{label:<12} {name:<12} " + "  ".join(f"{found.score('ridge', each):15.4f}" for each in METRICS))


@main.command()
@click.option("--seeds", default=3, show_default=True)
def simulated(seeds: int) -> None:
    """Predict one line of a made world from four."""
    made = simulation()
    sources = ", ".join(f'"replogle_demo_{name}"' for name in made.SOURCES)
    for seed in range(seeds):
        with tempfile.TemporaryDirectory() as folder:
            world, done = made.simulate(seed)
            with Store(made.ingested(world, done, Path(folder), seed)) as store:
                head = '[target]\ndataset = "replogle_demo_k562"\n'
                compare(store, f"world {seed}", head, sources, "components = 20")


@main.command()
@click.argument("data", type=click.Path(exists=True, path_type=Path))
def real(data: Path) -> None:
    """Predict each line of the file of four from the others, which share some perturbations."""
    for line in four_lines(data):
        compare(
            line.store,
            line.name,
            line.target,
            f'"{FOUR_LINES}"',
            f"{line.others}components = 5",
            "[split]\nfolds = 3\n",
        )


if __name__ == "__main__":
    main()
