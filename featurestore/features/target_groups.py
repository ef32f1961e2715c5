"""Which rows may not straddle a split, and how whole groups of them are dealt to folds."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from featurestore.features.perturbations import target_atoms


def shared_target_groups(rows: pl.DataFrame) -> pl.Series:
    """Group rows whose perturbations have a target in common, directly or through a combination.

    The combination ``A+B`` shares a group with ``A`` and with ``B``, and so do ``A`` and ``B`` then: the groups are
    the connected components. A dense screen of combinations may become one group; ``where`` can keep single targets.

    Returns
    -------
    Name of each row's group: the first of its perturbation ids, in alphabetical order.
    """
    atoms = target_atoms(rows)
    row, (_, atom) = atoms["row"].to_numpy(), np.unique(atoms["atom"].to_numpy(), return_inverse=True)
    n = rows.height + int(atom.max(initial=-1)) + 1
    edges = coo_array((np.ones(len(row), dtype=np.int8), (row, rows.height + atom)), shape=(n, n))
    component = connected_components(edges, directed=False)[1][: rows.height]
    named = rows.select("perturbation_id", component=pl.Series(component))
    return named.select(group=pl.col("perturbation_id").min().over("component"))["group"]


def assign_folds(groups: pl.Series, folds: int, seed: int) -> npt.NDArray[np.int64]:
    """Deal whole groups to folds, the largest first, each to the fold that has the fewest rows so far.

    The order among groups of one size is drawn with the seed; the order of the rows has no influence.

    Returns
    -------
    Fold of each row, 0 to folds - 1.
    """
    names, index, sizes = np.unique(groups.to_numpy(), return_inverse=True, return_counts=True)
    shuffled = np.random.default_rng(seed).permutation(len(names))
    filled = np.zeros(folds, dtype=np.int64)
    fold_of = np.empty(len(names), dtype=np.int64)
    for group in shuffled[np.argsort(-sizes[shuffled], kind="stable")]:
        fold_of[group] = filled.argmin()
        filled[fold_of[group]] += sizes[group]
    return fold_of[index]
