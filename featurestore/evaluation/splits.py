"""What is held out: perturbations that were never seen, contexts that were never seen, or both at once."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from featurestore.errors import FeatureError
from featurestore.features.perturbations import assign_folds, shared_target_groups

Unseen = Literal["perturbation", "context", "both"]
Positions = npt.NDArray[np.intp]
Parts = list[tuple[Positions, Positions]]
_FEWEST_CONTEXTS = 2


def parts(rows: pl.DataFrame, unseen: Unseen = "perturbation", *, seed: int = 0) -> Parts:
    """Cut rows into parts that are held out in turn: positions of training and test rows, each row tested once.

    Parameters
    ----------
    rows
        Rows of a feature matrix.
    unseen
        ``perturbation``: the folds of the matrix, whole groups each. ``context``: one context after the other, whose
        perturbations may be known from the others. ``both``: each fold crossed with each context; what shares either
        with the test rows is not learnt from.
    seed
        Seed of the folds, where those of the matrix are not of perturbations.

    Raises
    ------
    FeatureError
        The rows are of one context, or nothing is left to learn from.
    """
    folds = rows["fold"].to_numpy()
    if unseen == "perturbation":
        return [(np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)) for fold in np.unique(folds)]
    contexts = rows["context_id"].fill_null("none").to_numpy()
    names = np.unique(contexts)
    if len(names) < _FEWEST_CONTEXTS:
        raise FeatureError(
            "No unseen context can be predicted from rows of a single one.",
            where="target",
            got=f"{len(rows)} rows of {names[0]}",
            do="let the target's where take several contexts, or hold out perturbations",
        )
    if unseen == "context":
        return [(np.flatnonzero(contexts != name), np.flatnonzero(contexts == name)) for name in names]
    groups = shared_target_groups(rows)
    folds = assign_folds(groups, min(len(np.unique(folds)), groups.n_unique()), seed)
    crossed = [(folds == fold, contexts == name) for fold in np.unique(folds) for name in names]
    found = [(np.flatnonzero(~fold & ~name), np.flatnonzero(fold & name)) for fold, name in crossed]
    found = [(train, test) for train, test in found if len(test)]
    if not all(len(train) for train, _ in found):
        raise FeatureError(
            "Some perturbation of some context leaves nothing to learn from.",
            where="target",
            got=f"{groups.n_unique()} groups of perturbations in {len(names)} contexts",
            do="predict more conditions, or hold out perturbations alone",
        )
    return found


def inner_groups(rows: pl.DataFrame, unseen: Unseen) -> npt.NDArray[np.str_]:
    """Return what the inner cross-validation keeps whole, shape (rows,): contexts where unseen, else perturbations."""
    if unseen == "context" and rows["context_id"].n_unique() > _FEWEST_CONTEXTS:
        return rows["context_id"].fill_null("none").to_numpy()
    return rows["group"].to_numpy()
