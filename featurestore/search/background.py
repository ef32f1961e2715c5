"""What the signatures of a dataset share is removed before they are compared: else everything is like everything.

A signature is divided by its root mean square, so that kinds of effect can be compared. Then the mean over the dataset
is removed (over those of the same context, where these are of ten perturbations or more), and the leading components of
what is left are damped: their standard deviations become the geometric mean of what they were and that of the first
which is not damped. No label of a perturbation is looked at but to tell one from another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

Rows = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]

FEWEST_PERTURBATIONS = 10
"""Perturbations of a context, or a dataset, that say what all signatures share."""
N_COMPONENTS = 20
MOST_FITTED = 2000
"""Signatures, spread evenly over the dataset, that the components are of."""


@dataclass(frozen=True, slots=True)
class Background:
    """What is removed: a mean for each group of conditions, and components with what is left of each.

    Parameters
    ----------
    means
        Shape (groups, genes).
    group_of
        The group of each condition; -1 where nothing is removed.
    components, left
        Orthonormal rows, shape (components, genes), and the factor that each is multiplied with.
    """

    means: Floats
    group_of: npt.NDArray[np.intp]
    components: Floats
    left: Floats

    def removed(self, scaled: Floats, rows: slice) -> Floats:
        """Return signatures without it, shape (rows, genes); NaN stays NaN, and takes part as the mean."""
        centred = scaled - self._mean(rows)
        if len(self.left):
            known = np.nan_to_num(centred, nan=0.0)
            centred -= ((known @ self.components.T) * (1.0 - self.left)) @ self.components
        return centred

    def _mean(self, rows: slice) -> Floats:
        groups = self.group_of[rows]
        if not len(self.means):
            return np.zeros((len(groups), 1))
        return np.where(groups[:, None] >= 0, self.means[np.maximum(groups, 0)], 0.0)


def spread(n: int, most: int) -> npt.NDArray[np.intp]:
    """Return positions spread evenly over ``n``, ``most`` at most."""
    return np.unique(np.linspace(0, n - 1, min(n, most)).astype(np.intp)) if n else np.zeros(0, np.intp)


def scaled(values: Rows) -> Floats:
    """Divide signatures, shape (rows, genes), by the root mean square of what was measured of each."""
    square = np.nansum(np.square(values, dtype=np.float64), axis=1)
    n = np.isfinite(values).sum(axis=1)
    size = np.sqrt(square / np.maximum(n, 1))
    return np.asarray(values / np.where(size > 0, size, 1.0)[:, None])


def groups_of(conditions: pl.DataFrame) -> npt.NDArray[np.intp]:
    """Give each condition the number of its group: contexts of enough perturbations, and the rest of the dataset."""
    counts = conditions.select(n=pl.col("perturbation_id").n_unique().over("context_id"))["n"].to_numpy()
    context = conditions["context_id"].fill_null("").rank("dense").to_numpy().astype(np.intp)
    of_dataset = 0 if conditions["perturbation_id"].n_unique() >= FEWEST_PERTURBATIONS else -1
    groups = np.where(counts >= FEWEST_PERTURBATIONS, context, of_dataset)
    known = np.unique(groups[groups >= 0])
    return np.where(groups >= 0, np.searchsorted(known, groups), -1)


def fit_background(
    conditions: pl.DataFrame, n_genes: int, chunks: Callable[[], Iterator[tuple[slice, Floats]]]
) -> Background:
    """Fit what the signatures of a dataset share.

    Parameters
    ----------
    conditions
        With context_id and perturbation_id, in the order of the signatures.
    n_genes
        Columns of the signatures.
    chunks
        Yields scaled signatures, and which they are, from the first to the last.
    """
    group_of = groups_of(conditions)
    n_groups = int(group_of.max(initial=-1)) + 1
    nothing = np.zeros((0, n_genes))
    if n_groups == 0:
        return Background(nothing, group_of, nothing, np.zeros(0))
    sums, counts = np.zeros((n_groups, n_genes)), np.zeros((n_groups, n_genes))
    taken = spread(len(group_of), MOST_FITTED)
    sample = np.empty((len(taken), n_genes), np.float32)
    for rows, values in chunks():
        known = np.isfinite(values)
        filled = np.where(known, values, 0.0)
        for group in np.unique(group_of[rows]):
            is_in = group_of[rows] == group
            if group >= 0:
                sums[group] += filled[is_in].sum(axis=0)
                counts[group] += known[is_in].sum(axis=0)
        inside = (taken >= rows.start) & (taken < rows.stop)
        sample[inside] = values[taken[inside] - rows.start]
    means = sums / np.maximum(counts, 1)
    plain = Background(means, group_of, nothing, np.zeros(0))
    centred = np.concatenate(
        [plain.removed(sample[i : i + 1].astype(np.float64), slice(at, at + 1)) for i, at in enumerate(taken)]
    )
    components, left = _damped(np.nan_to_num(centred, nan=0.0))
    return Background(means, group_of, components, left)


def _damped(centred: Floats) -> tuple[Floats, Floats]:
    """Return the leading components of some signatures, and what to leave of each."""
    n_components = min(N_COMPONENTS, len(centred) // 10, centred.shape[1] // 10)
    if n_components == 0:
        return np.zeros((0, centred.shape[1])), np.zeros(0)
    is_wide = centred.shape[1] > len(centred)
    values, vectors = np.linalg.eigh(centred @ centred.T if is_wide else centred.T @ centred)
    size = np.sqrt(np.maximum(values[::-1][: n_components + 1], 0.0))
    n_components = max(0, min(n_components, int((size > 1e-9 * size[0]).sum()) - 1))
    leading = vectors[:, ::-1][:, :n_components]
    components = (leading.T @ centred) / size[:n_components, None] if is_wide else leading.T
    return components, np.sqrt(size[n_components] / size[:n_components])
