"""Principal components: of few rows and many genes from inner products of rows, of anything else by scikit-learn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from featurestore.models.baseline import Doubles

_STEPS, _SPARE = 7, 10
"""Steps of the power iteration, and directions sought beyond those wanted: what scikit-learn takes for few of many."""
_FEW = 0.1
"""Share of the rows below which components are few."""
_MANY = 500
"""Up to as many genes scikit-learn decomposes everything."""
_FLAT = 1e-6
"""Share of the largest variance below which a direction is lost in the rounding of inner products."""


@dataclass(frozen=True, slots=True)
class Components:
    """Principal components: the mean of what they were fitted to, and their axes, shape (components, columns)."""

    mean: Doubles
    axes: Doubles

    def transform(self, values: Doubles) -> Doubles:
        """Return the scores of rows, shape (rows, components)."""
        scores = values @ self.axes.T
        scores -= self.mean[None] @ self.axes.T
        return np.asarray(scores)

    def inverse_transform(self, scores: Doubles) -> Doubles:
        """Return the rows that scores stand for, shape (rows, columns)."""
        rows = scores @ self.axes
        rows += self.mean
        return np.asarray(rows)


def principal_components(values: Doubles, k: int) -> Components | None:
    """Fit k principal components of values, shape (rows, columns); None where no two rows differ: there are none."""
    from sklearn.decomposition import PCA  # noqa: PLC0415, takes a second

    if not np.ptp(values, axis=0).any():
        return None
    fitted = PCA(k, random_state=0).fit(values)
    return Components(fitted.mean_, fitted.components_)


def are_few(k: int, shape: tuple[int, ...]) -> bool:
    """Say whether k components of so many rows and columns are few of many, as :func:`components_by_products` needs."""
    n_rows, n_columns = shape
    return k < _FEW * n_rows and n_rows <= n_columns and n_columns > _MANY


def components_by_products(values: Doubles, products: Doubles, k: int) -> Components | None:
    """Fit the same components, a few of many, from inner products of rows: two walks through the values, not sixteen.

    The subspace is that of scikit-learn's randomised decomposition, from the same start and by as many steps: a step
    there multiplies by the values and by their transpose, which is one product with the inner products of rows.

    Parameters
    ----------
    values
        Shape (rows, columns).
    products
        Inner products of its rows, shape (rows, rows).
    k
        How many.

    Returns
    -------
    The components; None where some direction is too flat for inner products to tell.
    """
    mean = values.mean(axis=0)
    with_mean = products.mean(axis=1)
    among = products - with_mean[:, None] - with_mean + with_mean.mean()
    basis: Doubles = np.random.RandomState(0).normal(size=(len(values), k + _SPARE))
    for _ in range(_STEPS):
        basis = np.linalg.qr(among @ basis)[0]
    through = among @ basis
    squares, turned = np.linalg.eigh(basis.T @ through)
    if squares[0] <= _FLAT * squares[-1]:
        return None
    turned /= np.sqrt(squares)
    leading = np.linalg.svd((through @ turned).T, full_matrices=False)[0][:, :k]
    rows = basis @ (turned @ leading)
    axes = rows.T @ values - np.outer(rows.sum(axis=0), mean)
    largest = np.abs(axes).argmax(axis=1)
    axes *= np.sign(axes[np.arange(k), largest])[:, None]
    return Components(mean, axes)
