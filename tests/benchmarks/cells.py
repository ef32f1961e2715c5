"""A case of predicted and measured cells: negative binomial counts with the corners that metrics trip over.

One perturbation has no effect, one a single strong gene, one a name that is no gene, and two have the same effect.
"""

from pathlib import Path

import numpy as np
from anndata import AnnData
from scipy import sparse

from featurestore.challenge import Cells

CONTROL = "non-targeting"


def counts(rng, mean, n, dispersion=0.3):
    """Counts of n cells of different sizes around a mean profile."""
    size = rng.lognormal(0.0, 0.3, n)[:, None]
    return sparse.csr_array(
        rng.poisson(mean * size * rng.gamma(1 / dispersion, dispersion, (n, len(mean)))), dtype=np.float32
    )


def case(n_perturbations=8, n_genes=50, n_each=30, n_controls=100, depth=40.0, seed=0):
    """Measured and predicted cells, counts; predictions are cells of half the truth and half noise."""
    rng = np.random.default_rng(seed)
    genes = tuple(f"G{i:05d}" for i in range(n_genes))
    names = [*genes[: n_perturbations - 1], "pool"]
    base = rng.lognormal(0.0, 1.5, n_genes)
    base *= depth * n_genes / base.sum() / 5
    effects = rng.normal(0, 1.2, (n_perturbations, n_genes)) * (rng.random((n_perturbations, n_genes)) < 0.4)
    effects[:, : n_perturbations - 1] -= 2.0 * np.eye(n_perturbations, n_perturbations - 1)
    effects[1] = 0.0
    effects[2] = 0.0
    effects[2, np.argmax(base)] = -2.5
    effects[4] = effects[3]
    noise = rng.normal(0, 0.8, effects.shape) * (rng.random(effects.shape) < 0.2)
    sides = []
    for change in (0.6 * effects + noise, effects):
        blocks = [counts(rng, base, n_controls)] + [counts(rng, base * np.exp(c), n_each) for c in change]
        labels = np.array([CONTROL] * n_controls + [name for name in names for _ in range(n_each)])
        order = rng.permutation(len(labels))
        sides.append(Cells(sparse.csr_array(sparse.vstack(blocks).tocsr()[order]), labels[order], genes, CONTROL))
    return sides[0], sides[1]


def logged(cells, target):
    """The same cells as log1p of scaled counts in steps of 1/64: exact in single precision, and full of ties."""
    values = sparse.csr_array(cells.log1p(target))
    values.data = np.rint(values.data * 64).clip(1) / 64
    values = values.astype(np.float32)
    return Cells(values, cells.labels, cells.genes, cells.control)


def write(cells, path):
    """Write cells as h5ad."""
    found = AnnData(sparse.csr_matrix(cells.values))
    found.obs_names = [str(i) for i in range(len(cells.labels))]
    found.var_names = list(cells.genes)
    found.obs["target_gene"] = cells.labels
    found.write_h5ad(path)


def write_case(folder, predicted, measured):
    """Write a case for the peers: counts, and log1p at the median size of the measured cells."""
    target = measured.size
    for side, cells in (("predicted", predicted), ("measured", measured)):
        write(cells, Path(folder) / f"{side}_counts.h5ad")
        write(logged(cells, target), Path(folder) / f"{side}_log.h5ad")
