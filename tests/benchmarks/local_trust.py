"""What it adds to trust sources in one region of perturbations more than in another: the blend with the local ridge.

python tests/benchmarks/local_trust.py regions [--seeds N]     two made sources, each right about half of what is done
python tests/benchmarks/local_trust.py everywhere [--seeds N]  the same, each right about a random half
python tests/benchmarks/local_trust.py simulated [--seeds N]   the simulation of the tests, from cells
python tests/benchmarks/local_trust.py lines DATA              each of four real lines, from the three others
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import click
import numpy as np
import polars as pl
from sklearn.decomposition import PCA
from worlds import FOUR_LINES, four_lines, simulation

from featurestore.evaluation import evaluate
from featurestore.evaluation.bootstrap import mean_intervals
from featurestore.features.matrix.feature_matrix import FeatureMatrix
from featurestore.features.perturbations import assign_folds
from featurestore.features.spec import parse_spec
from featurestore.models import Blend
from featurestore.models.blend import blend_parts
from featurestore.store import Store

METRICS = ("pearson_delta", "centred_pearson", "mae", "pds")
ROWS, GENES, LATENT = 200, 200, 6
_seeds = click.option("--seeds", default=5, show_default=True)


@click.group()
def main() -> None:
    """Measure what the local ridge adds to the blend."""
    print(
        f"{'':<14} {'rows':>5}  " + "  ".join(f"{name:>24}" for name in METRICS) + "  weight    (gain, 95 % interval)"
    )


def report(label: str, matrix: FeatureMatrix) -> None:
    """Print what the blend gains by the local ridge, and how the ridge weighs in it."""
    parts = blend_parts(matrix.columns["block"].to_numpy())
    without = {name: part for name, part in parts.items() if name != "local_ridge"}
    found = evaluate(matrix, parts | {"without": Blend(parts=without), "blend": Blend(parts=parts)})
    of = {name: found.per_perturbation.filter(model=name) for name in ("without", "blend")}
    shown = []
    for metric in METRICS:
        gain = (of["blend"][metric] - of["without"][metric]).fill_null(np.nan).to_numpy()
        (low,), (high,) = mean_intervals(gain[:, None])
        shown.append(f"{np.nanmean(gain):+.4f} ({low:+.4f} {high:+.4f})")
    weight = found.mean_weights("blend")["local_ridge"]
    print(f"{label:<14} {len(matrix.X):5d}  {'  '.join(shown)}  {weight:.2f}", flush=True)


def regional(seed: int, *, by_region: bool) -> FeatureMatrix:
    """Make two kinds of perturbations, told apart in two sources that each know the details of one half of all."""
    rng = np.random.default_rng(seed)
    kind, strength = rng.integers(2, size=ROWS), rng.gamma(2, size=(ROWS, 1)) / 2
    centre, detail = 1.5 * rng.normal(size=(2, LATENT))[kind], rng.normal(size=(ROWS, LATENT))
    loadings = 0.3 * rng.normal(size=(LATENT, GENES))

    def effects(like: np.ndarray, map_: np.ndarray) -> np.ndarray:
        common = 0.3 * rng.normal(size=GENES)
        return strength * (common + (centre + like) @ map_) + 0.2 * rng.normal(size=(ROWS, GENES))

    target = effects(detail, loadings)
    half = kind if by_region else rng.integers(2, size=ROWS)
    features, total, count = [], np.zeros(target.shape), np.zeros((ROWS, 1))
    for source in range(2):
        r = np.where(half == source, 0.9, 0.0)[:, None]
        own = r * detail + np.sqrt(1 - r**2) * rng.normal(size=detail.shape)
        effect = effects(own, loadings * rng.normal(1, 0.3, size=loadings.shape))
        has = rng.random(ROWS) < 0.95
        features.append(np.where(has[:, None], PCA(10).fit(effect[has]).transform(effect), np.nan))
        total[has] += effect[has]
        count[has] += 1
    X = np.hstack(features).astype(np.float32)
    elsewhere = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
    names, genes = [f"p{i:03d}" for i in range(ROWS)], [f"g{i:03d}" for i in range(GENES)]
    rows = pl.DataFrame(dict.fromkeys(("condition_id", "perturbation_id", "perturbation_label", "group"), names))
    rows = rows.with_columns(
        target_gene_ids=pl.Series([[]] * ROWS, dtype=pl.List(pl.String())),
        n_cells=pl.lit(100),
        fold=assign_folds(rows["group"], 5, 0),
    )
    columns = pl.DataFrame(
        {"name": [f"s{i}/pc_{j}" for i in range(2) for j in range(10)], "block": ["s0"] * 10 + ["s1"] * 10}
    ).with_columns(kind=pl.lit("signature"))
    return FeatureMatrix(
        X=X,
        mask=np.isfinite(X),
        Y=target.astype(np.float32),
        elsewhere=elsewhere.astype(np.float32),
        rows=rows,
        columns=columns,
        genes=pl.DataFrame({"gene_id": genes, "gene_symbol": genes}),
        manifest={"name": "regional"},
    )


@main.command()
@_seeds
def regions(seeds: int) -> None:
    """Two sources, each right about the details of one of two kinds of perturbations."""
    for seed in range(seeds):
        report(f"regions {seed}", regional(seed, by_region=True))


@main.command()
@_seeds
def everywhere(seeds: int) -> None:
    """The same, each source right about a random half of the perturbations: nothing tells which."""
    for seed in range(seeds):
        report(f"everywhere {seed}", regional(seed, by_region=False))


@main.command()
@_seeds
def simulated(seeds: int) -> None:
    """Four sources that share what the target does to correlations of 0.8 to 0, everywhere alike."""
    world_of = simulation()
    world_of.PERTURBATIONS, world_of.GENES, world_of.CELLS = 300, 1000, 40
    for seed in range(seeds):
        with tempfile.TemporaryDirectory() as folder:
            world, done = world_of.simulate(seed)
            with Store(world_of.ingested(world, done, Path(folder), seed)) as store:
                matrix = store.build(world_of.spec(*world_of.SOURCES))
        report(f"simulated {seed}", matrix)


@main.command()
@click.argument("data", type=click.Path(exists=True, path_type=Path))
def lines(data: Path) -> None:
    """Each of four real lines, from the three others."""
    source = f'[[feature]]\nkind = "signature"\ndatasets = ["{FOUR_LINES}"]\ncomponents = 20\n'
    for line in four_lines(data):
        report(line.name, line.store.build(parse_spec(f"{line.target}{source}{line.others}")))


if __name__ == "__main__":
    main()
