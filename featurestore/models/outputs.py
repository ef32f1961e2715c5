"""What regressions are fitted to: deviations from the mean training effect, and what many of them need of these."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from sklearn.decomposition import PCA

from featurestore.models.baseline import Array, Doubles, mean_effect


class Deviations:
    """Deviations of training effects from their mean; a missing effect counts as the mean.

    What regressions on the same training rows share is computed once: the mean, principal components, and the inner
    products of rows, which is all that the squared errors of a linear model need to know of thousands of genes.

    Parameters
    ----------
    Y
        Effects, shape (rows, genes); NaN is missing.
    rows
        Positions of the training rows in it; by default all.
    """

    def __init__(self, Y: Array, rows: Any = slice(None)) -> None:  # noqa: N803
        self._effects = Y
        self._rows = rows
        self._components: dict[int, PCA | None] = {}

    @cached_property
    def mean(self) -> Doubles:
        """Mean effect, shape (genes,)."""
        return mean_effect(self._effects[self._rows])

    @cached_property
    def products(self) -> Doubles:
        """Inner products of rows, shape (rows, rows)."""
        values = self.values()
        return np.asarray(values @ values.T)

    def values(self) -> Doubles:
        """Make the deviations, shape (rows, genes)."""
        values = np.asarray(self._effects[self._rows], dtype=np.float64) - self.mean
        values[~np.isfinite(values)] = 0.0
        return values

    def components(self, k: int) -> PCA | None:
        """Fit k principal components; None where no two rows differ."""
        if k not in self._components:
            self._components[k] = principal_components(self.values(), k)
        return self._components[k]


@dataclass(frozen=True)
class Outputs:
    """Numbers that a regression is fitted to.

    Parameters
    ----------
    values
        Shape (rows, outputs).
    whole
        The deviations, where ``values`` are these and no components of them.
    """

    values: Doubles
    whole: Deviations | None = None

    @cached_property
    def products(self) -> Doubles:
        """Inner products of rows, shape (rows, rows)."""
        return self.values @ self.values.T if self.whole is None else self.whole.products


def principal_components(values: Doubles, k: int) -> PCA | None:
    """Fit k principal components of values, shape (rows, columns); None where no two rows differ: there are none."""
    return PCA(k, random_state=0).fit(values) if np.ptp(values, axis=0).any() else None
