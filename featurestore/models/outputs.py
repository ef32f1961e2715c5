"""What regressions are fitted to: deviations from the mean training effect, and what many of them need of these."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from featurestore.models.baseline import Array, Doubles, mean_effect
from featurestore.models.components import Components, are_few, components_by_products, principal_components

Rows = npt.NDArray[np.intp]
_ROWS_AT_ONCE = 64
"""Rows that are made double at once."""


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
    of_more
        Deviations of training rows that these are part of, by positions among them: where no effect is missing, inner
        products follow from theirs.
    """

    def __init__(self, Y: Array, rows: Rows | None = None, *, of_more: tuple[Deviations, Rows] | None = None) -> None:  # noqa: N803
        self._effects = Y
        self._rows = np.arange(len(Y)) if rows is None else rows
        self._of_more = of_more
        self._values: Doubles | None = None
        self._components: dict[int, tuple[Components, Doubles] | None] = {}

    def some(self, rows: Rows) -> Deviations:
        """Return the deviations of some of the rows from their own mean, which are kept as long as they are used."""
        inner = Deviations(self._effects, self._rows[rows], of_more=(self, rows))
        inner._values = inner.values()
        return inner

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Keep the deviations themselves for a while, in which models are fitted to them one after the other."""
        self._values = self.values()
        try:
            yield
        finally:
            self._values = None

    @property
    def n_rows(self) -> int:
        """Number of training rows."""
        return len(self._rows)

    @cached_property
    def mean(self) -> Doubles:
        """Mean effect, shape (genes,)."""
        return mean_effect(self._effects[self._rows])

    @cached_property
    def is_whole(self) -> bool:
        """Whether no effect is missing."""
        of_more = self._of_more is not None and self._of_more[0].is_whole
        return of_more or bool(np.isfinite(self._effects[self._rows]).all())

    @cached_property
    def products(self) -> Doubles:
        """Inner products of rows, shape (rows, rows)."""
        if self._of_more is not None and self._of_more[0].is_whole:
            outer, rows = self._of_more
            among = outer.products[np.ix_(rows, rows)]
            with_mean = among.mean(axis=1)
            return np.asarray(among - with_mean[:, None] - with_mean + with_mean.mean())
        values = self.values()
        return np.asarray(values @ values.T)

    def values(self) -> Doubles:
        """Make the deviations, shape (rows, genes)."""
        if self._values is not None:
            return self._values
        values = np.empty((self.n_rows, self._effects.shape[1]))
        for first in range(0, self.n_rows, _ROWS_AT_ONCE):
            rows = slice(first, first + _ROWS_AT_ONCE)
            np.subtract(self._effects[self._rows[rows]], self.mean, out=values[rows])
        if not self.is_whole:
            values[~np.isfinite(values)] = 0.0
        return values

    def components(self, k: int) -> tuple[Components, Doubles] | None:
        """Fit k principal components; return them and the scores of the rows, or None where no two rows differ.

        Those of some rows of more, which only choose and weigh, are found from inner products: equal but for the last
        bits, on which the cuts of a forest turn.
        """
        if k not in self._components:
            values = self.values()
            is_quick = self._of_more is not None and are_few(k, values.shape)
            fitted = components_by_products(values, self.products, k) if is_quick else None
            fitted = fitted or principal_components(values, k)
            self._components[k] = None if fitted is None else (fitted, fitted.transform(values))
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
