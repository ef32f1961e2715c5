"""What every metric rests on: effects of the same shape, compared row by row over the genes that both sides have."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec

import numpy as np
import numpy.typing as npt

Effects = npt.NDArray[np.floating]
Scores = npt.NDArray[np.float64]
Truths = npt.NDArray[np.bool_]
Labels = npt.NDArray[np.str_]
Matrix = npt.NDArray[np.float64]
Vector = npt.NDArray[np.float64]
_Given = ParamSpec("_Given")

_RESOLUTION = 1e-6
"""Share of a vector's length below which what is left of it is single-precision rounding, not variance."""
_AT_ONCE = 2**15
"""Values of a side that are looked at together: what is made of them on the way stays in the processor's cache."""


def row_by_row(metric: Callable[_Given, Scores]) -> Callable[_Given, Scores]:
    """Let a metric that scores every row by itself look at a few rows at a time: the same scores, sooner."""

    @wraps(metric)
    def scored(*given: _Given.args, **named: _Given.kwargs) -> Scores:
        values: list[Any] = [*given, *named.values()]
        shapes = {np.shape(each) for each in values if np.ndim(each) == 2}  # noqa: PLR2004
        n_rows, n_genes = max(shapes, default=(0, 0))
        step = max(1, _AT_ONCE // max(n_genes, 1))
        if len(shapes) != 1 or n_rows <= step:
            return metric(*given, **named)

        def of(value: Any, first: int) -> Any:
            return value[first : first + step] if np.ndim(value) == 2 else value  # noqa: PLR2004

        parts: list[Scores] = []
        for first in range(0, n_rows, step):
            cut: list[Any] = [of(value, first) for value in given]
            parts.append(metric(*cut, **{name: of(value, first) for name, value in named.items()}))
        return np.concatenate(parts)

    return scored


def checked(predicted: Effects, measured: Effects) -> tuple[Matrix, Matrix]:
    """Bring both to float64; refuse arrays that are not (perturbations, genes) alike."""
    a, b = np.asarray(predicted, dtype=np.float64), np.asarray(measured, dtype=np.float64)
    if a.ndim != 2 or a.shape != b.shape:  # noqa: PLR2004
        raise ValueError(f"predicted and measured are (perturbations, genes) alike; got {a.shape} and {b.shape}")
    return a, b


def pairs(predicted: Effects, measured: Effects) -> tuple[Matrix, Matrix, Truths]:
    """Bring both to float64 with 0 wherever either is missing, and say where neither is."""
    a, b = checked(predicted, measured)
    shared = np.isfinite(a) & np.isfinite(b)
    return np.where(shared, a, 0.0), np.where(shared, b, 0.0), shared


def mean(x: Matrix, shared: Truths) -> Scores:
    """Mean of each row over the shared genes; NaN where there are none."""
    n_genes = shared.sum(axis=1)
    return ratio(np.where(shared, x, 0.0).sum(axis=1), n_genes)


def ratio(part: npt.ArrayLike, whole: npt.ArrayLike) -> Scores:
    """Divide row by row; NaN where there is nothing to divide by."""
    part, whole = np.asarray(part, dtype=np.float64), np.asarray(whole, dtype=np.float64)
    share: Scores = np.full(part.shape, np.nan)
    np.divide(part, whole, out=share, where=whole > 0)
    return share


def correlation(a: Matrix, b: Matrix, shared: Truths, centre: Matrix) -> Scores:
    """Correlate the rows of a and b, each less centre, over the shared genes."""
    a_part, b_part = _deviation(a - centre, shared), _deviation(b - centre, shared)
    a_norm, b_norm = norm(a_part), norm(b_part)
    defined = (a_norm > _RESOLUTION * norm(a)) & (b_norm > _RESOLUTION * norm(b)) & (shared.sum(axis=1) > 1)
    r: Scores = np.full(len(a), np.nan)
    np.divide((a_part * b_part).sum(axis=1), a_norm * b_norm, out=r, where=defined)
    return r.clip(-1.0, 1.0)


def norm(x: Matrix) -> Scores:
    """Euclidean length of each row."""
    length: Scores = np.sqrt(np.square(x).sum(axis=1))
    return length


def _deviation(x: Matrix, shared: Truths) -> Matrix:
    """Deviation of each value from its row's mean over the shared genes; 0 elsewhere."""
    centre = x.sum(axis=1) / np.maximum(shared.sum(axis=1), 1)
    return np.where(shared, x - centre[:, None], 0.0)
