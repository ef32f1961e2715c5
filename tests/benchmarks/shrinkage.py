"""What shrunken effects gain as features: ``python tests/benchmarks/shrinkage.py [FOUR_LINES.h5ad]``.

Few cells of each condition are one experiment, many are another: effects of the first, shrunk or not, are held against
those of the second. In simulation the second is also another line, whose latent effects correlate at 0.9. With the file
of Norman 2019 and McFaline-Figueroa 2024 (as packaged in perturbench), it is the held-out cells of the same line, and
all cells of the other three. Printed are mean square errors, of what the effects' own mean square is, and mean Pearson
correlations over conditions; in simulation, those of a ridge on 15 components too. Nothing here is a test.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import anndata
import click
import numpy as np

from featurestore.evaluation import evaluate
from featurestore.features.spec import parse_spec
from featurestore.models import RidgeOnSignatures
from featurestore.store import Store
from ingest.demo import SPEC
from ingest.pipeline import ingest_dataset
from ingest.synthetic import make_world, write_cells

WAYS = {
    "none": "",
    "n / (n + 10)": "shrinkage = 10",
    "n / (n + 30)": "shrinkage = 30",
    "n / (n + 100)": "shrinkage = 100",
    "empirical Bayes": 'shrink = "empirical_bayes"',
}
LOOK = """
[target]
dataset = "{target}"
where = "{where}"
[[feature]]
kind = "signature"
datasets = ["{source}"]
genes = "shared"
{way}
[split]
folds = {folds}
"""
CELLS = """
[dataset]
id = "{name}"
files = ["{name}.h5ad"]
values = "log1p"
assay = "perturb_seq"
experiment = "{name}"
licence = "BSD-3-Clause"
[condition]
perturbation = "perturbation"
kind_column = "perturbation_type"
controls = ["control"]
separator = "+"
context = {{ column = "cell_type" }}
"""
FEWEST, MOST = 3, 50
"""Cells of a condition in the small experiment, drawn evenly on a log scale."""


def compared(features, measured):
    """Square errors over the squares of what is measured, and the mean Pearson correlation; 0 of features all alike."""
    known = np.isfinite(features) & np.isfinite(measured)
    squares = np.where(known, measured**2, 0.0).sum(axis=1)
    errors = np.where(known, (features - measured) ** 2, 0.0).sum(axis=1)
    pairs = [(features[i][known[i]], measured[i][known[i]]) for i in np.flatnonzero(squares)]
    r = [np.corrcoef(x, y)[0, 1] if x.std() and y.std() else 0.0 for x, y in pairs]
    return errors.sum() / squares.sum(), float(np.mean(r))


def on_measured_genes(matrix, context):
    """Features of one source context on the genes of the answer, in their order."""
    block = [name for name in matrix.columns["block"].unique() if name.endswith(context)]
    if not block:
        return None
    columns = matrix.columns.with_row_index("at").filter(block=block[0])
    at = matrix.genes.select("gene_id").join(columns, on="gene_id", how="left", maintain_order="left")["at"]
    has = at.is_not_null().to_numpy()
    features = np.full(matrix.Y.shape, np.nan)
    features[:, has] = matrix.X[:, at.drop_nulls().to_numpy()]
    return features


def simulated(seed):
    """A line measured well, predicted from another of few cells: each way's numbers."""
    world = make_world({"k562": 0.95, "rpe1": 0.95}, n_targets=100, n_genes=400, seed=seed)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for name, cells in (("k562", 150), ("rpe1", 8)):
            path = root / f"{name}_raw_singlecell.h5ad"
            write_cells(world, name, path, cells=cells, controls=600, seed=10 * seed + cells)
            (root / f"{name}.toml").write_text(SPEC.format(name=name, line=name.upper()))
            ingest_dataset(root / f"{name}.toml", root / "warehouse")
        facts = {"target": "replogle_demo_k562", "source": "replogle_demo_rpe1", "where": "not is_control", "folds": 5}
        with Store(root / "warehouse") as store:
            for way, key in WAYS.items():
                matrix = store.build(parse_spec(LOOK.format(way=key, **facts)))
                numbers = compared(on_measured_genes(matrix, "CVCL_4388"), matrix.Y)
                reduced = store.build(parse_spec(LOOK.format(way=f"components = 15\n{key}", **facts)))
                ridge = RidgeOnSignatures(reduced.columns["block"].to_numpy())
                yield way, (*numbers, evaluate(reduced, {"ridge": ridge}).score("ridge", "pearson_delta"))


def dealt(cells, seed):
    """Deal the cells of each condition and line to a small experiment and a large one; controls by halves."""
    rng = np.random.default_rng(seed)
    few = np.zeros(cells.n_obs, bool)
    for (perturbation, _), rows in cells.obs.groupby(["perturbation", "cell_type"], observed=True).indices.items():
        n = int(np.exp(rng.uniform(np.log(FEWEST), np.log(MOST))))
        n = len(rows) // 2 if perturbation == "control" else min(n, len(rows) // 2)
        few[rng.choice(rows, n, replace=False)] = True
    return {"few": cells[few], "many": cells[~few]}


def real(path, seed):
    """Each line's few cells against its held-out cells, and against the other lines: each way's numbers."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for name, part in dealt(anndata.read_h5ad(path), seed).items():
            part.copy().write_h5ad(root / f"{name}.h5ad")
            (root / f"{name}.toml").write_text(CELLS.format(name=name))
            ingest_dataset(root / f"{name}.toml", root / "warehouse")
        with Store(root / "warehouse") as store:
            contexts = store.sql("select distinct context_id from condition order by all").pl()["context_id"].to_list()
            for way, key in WAYS.items():
                same, other = [], []
                for target in contexts:
                    where = f"context_id = '{target}' and not is_control"
                    text = LOOK.format(target="many", source="few", where=where, way=key, folds=2)
                    matrix = store.build(parse_spec(text))
                    for source in contexts:
                        if (features := on_measured_genes(matrix, source)) is not None:
                            numbers = compared(features, matrix.Y)
                            (same if source == target else other).append(numbers)
                yield way, (*np.mean(same, axis=0), *np.mean(other, axis=0))


def printed(title, columns, runs):
    """Print each way's means over runs."""
    print(f"\n{title}\n{'':<18}" + "".join(f"{column:>22}" for column in columns))
    for way in WAYS:
        means = np.mean([dict(run)[way] for run in runs], axis=0)
        print(f"{way:<18}" + "".join(f"{value:>22.3f}" for value in means))


@click.command(help=__doc__.splitlines()[0])
@click.argument("path", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--seeds", default=3, show_default=True, help="Runs to average over.")
def main(path, seeds):
    """Measure, and print two tables."""
    runs = [list(simulated(seed)) for seed in range(seeds)]
    printed("Simulated, 100 perturbations of about 8 cells", ("error", "Pearson", "ridge, Pearson delta"), runs)
    if path is not None:
        runs = [list(real(path, seed)) for seed in range(seeds)]
        columns = ("error, same line", "Pearson, same line", "error, other lines", "Pearson, other lines")
        printed(f"Real, {FEWEST} to {MOST} cells a condition", columns, runs)


if __name__ == "__main__":
    main()
