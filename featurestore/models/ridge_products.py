"""Ridge regressions on any of the regressors and with any penalty, from inner products that are formed once.

A ridge with penalty a on regressors X, centred and each row times the root of its weight, is

.. math:: B = V (D + a I)^{-1} V^T X^T Y, \\quad X^T X = V D V^T

so every penalty follows from one decomposition, and every choice of columns from a part of X'X and X'Y. Held-out
squared errors need Y as inner products of rows alone, whatever the number of genes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from featurestore.models.baseline import Doubles, Truths

Positions = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Fitted:
    """A ridge: outputs are ``origin + (values - centre) @ axes @ coefficients``, or without axes where None."""

    centre: Doubles
    origin: Doubles
    axes: Doubles | None
    coefficients: Doubles

    def predict(self, values: Doubles) -> Doubles:
        """Predict outputs, shape (rows, outputs)."""
        moved = values - self.centre
        return np.asarray(self.origin + (moved if self.axes is None else moved @ self.axes) @ self.coefficients)


@dataclass(frozen=True, slots=True)
class Regressors:
    """Regressors of training rows, less their weighted mean, each row times the root of its weight.

    Where there are more columns than rows, they are the coordinates along the rows' own ``axes``, shape (columns,
    rows): a ridge is blind to rotation.
    """

    centre: Doubles
    rooted: Doubles
    axes: Doubles | None

    @staticmethod
    def of(values: Doubles, weights: Doubles) -> Regressors:
        """Centre, weight and, where they are wide, turn regressors of training rows."""
        centre = weights @ values / weights.sum()
        rooted = np.sqrt(weights)[:, None] * (values - centre)
        if rooted.shape[1] <= rooted.shape[0]:
            return Regressors(centre, rooted, None)
        squares, left = np.linalg.eigh(rooted @ rooted.T)
        left = left[:, squares > squares[-1] * len(squares) * np.finfo(np.float64).eps]
        axes = rooted.T @ left
        axes /= np.maximum(np.sqrt(np.square(axes).sum(axis=0)), np.finfo(np.float64).tiny)
        return Regressors(centre, rooted @ axes, axes)

    def placed(self, values: Doubles) -> Doubles:
        """Return other rows in the same coordinates, without weights."""
        moved = values - self.centre
        return moved if self.axes is None else np.asarray(moved @ self.axes)


def fit_ridges(
    values: Doubles, outputs: Doubles, weights: Doubles, penalties: list[float], subsets: list[Truths]
) -> list[Fitted]:
    """Fit a ridge on each of some sets of columns, with a penalty each.

    Parameters
    ----------
    values, outputs, weights
        Regressors, shape (rows, columns), outputs, shape (rows, outputs), and weights of training rows.
    penalties, subsets
        Penalty of each ridge, and its columns, shape (columns,).
    """
    origin = np.asarray(weights @ outputs / weights.sum())
    root = np.sqrt(weights)[:, None]
    if not is_wide(values, subsets):
        whole = Regressors.of(values, weights)
        gram, joint = whole.rooted.T @ whole.rooted, (whole.rooted * root).T @ outputs
        return [
            Fitted(whole.centre[own], origin, None, _solved(gram[np.ix_(own, own)], joint[own], penalty))
            for own, penalty in zip(subsets, penalties, strict=True)
        ]
    fitted = []
    for own, penalty in zip(subsets, penalties, strict=True):
        side = Regressors.of(values[:, own], weights)
        solved = _solved(side.rooted.T @ side.rooted, (side.rooted * root).T @ outputs, penalty)
        fitted.append(Fitted(side.centre, origin, side.axes, solved))
    return fitted


def held_out_errors(
    values: Doubles,
    products: Doubles,
    weights: Doubles,
    parts: tuple[Positions, Positions],
    held_out: Doubles,
    alphas: Doubles,
    subsets: list[Truths],
) -> Doubles:
    """Return the squared error, summed over outputs, of a held-out row: a mean over rows, shape (subsets, alphas).

    Parameters
    ----------
    values, held_out
        Regressors of training and of held-out rows.
    products
        Inner products of the outputs of all rows, shape (rows, rows).
    weights
        Weights of the training rows.
    parts
        Positions of training and held-out rows in ``products``.
    alphas, subsets
        Penalties, and sets of columns.
    """
    train, test = parts
    share, root = weights / weights.sum(), np.sqrt(weights)
    among, across = products[np.ix_(train, train)], products[np.ix_(test, train)]
    with_mean, of_test = among @ share, across @ share
    of_mean = float(share @ with_mean)
    total = float(products[test, test].sum() - 2 * of_test.sum() + len(test) * of_mean)
    among = (among - with_mean[:, None] - with_mean + of_mean) * root[:, None] * root
    across = (across - of_test[:, None] - with_mean + of_mean) * root
    if not is_wide(values, subsets):
        ours = _Products.of(Regressors.of(values, weights), held_out, among, across)
        summed = [ours.explained(own, alphas) for own in subsets]
    else:
        sides = [(Regressors.of(values[:, own], weights), held_out[:, own]) for own in subsets]
        summed = [_Products.of(*side, among, across).explained(slice(None), alphas) for side in sides]
    return np.asarray((total - np.array(summed)) / len(test))


def is_wide(values: Doubles, subsets: list[Truths]) -> bool:
    """Say whether there are more columns than rows, in all that any set takes."""
    return bool(len(subsets)) and int(np.any(subsets, axis=0).sum()) > len(values)


@dataclass(frozen=True, slots=True)
class _Products:
    """Inner products of regressors: of training rows, through their outputs, of held-out rows, and of both."""

    gram: Doubles
    through: Doubles
    held_out: Doubles
    both: Doubles

    @staticmethod
    def of(train: Regressors, values: Doubles, among: Doubles, across: Doubles) -> _Products:
        x, test = train.rooted, train.placed(values)
        return _Products(x.T @ x, x.T @ (among @ x), test.T @ test, test.T @ (across @ x))

    def explained(self, own: Truths | slice, alphas: Doubles) -> Doubles:
        """Return what each penalty takes from the sum of squares of held-out outputs, shape (alphas,)."""
        gram, through, held_out, both = (
            each[own][:, own] for each in (self.gram, self.through, self.held_out, self.both)
        )
        squares, axes = np.linalg.eigh(gram)
        shrunk = 1 / (np.maximum(squares, 0.0) + alphas[:, None])
        lengths = (axes.T @ through @ axes) * (axes.T @ held_out @ axes)
        along = ((both @ axes) * axes).sum(axis=0)
        return np.asarray(2 * shrunk @ along - ((shrunk @ lengths) * shrunk).sum(axis=1))


def _solved(gram: Doubles, joint: Doubles, penalty: float) -> Doubles:
    return np.asarray(np.linalg.solve(gram + penalty * np.eye(len(gram)), joint))
