"""What every metric rests on: effects of the same shape, compared row by row over the genes that both sides have."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Effects = npt.NDArray[np.floating]
Scores = npt.NDArray[np.float64]
Truths = npt.NDArray[np.bool_]
Labels = npt.NDArray[np.str_]
Matrix = npt.NDArray[np.float64]
Vector = npt.NDArray[np.float64]

RESOLUTION = 1e-6
"""Share of a vector's length below which what is left of it is single-precision rounding, not variance."""


def alike(predicted: Effects, measured: Effects) -> tuple[Effects, Effects]:
    """Bring both to one precision, single where both are; refuse arrays that are not (perturbations, genes) alike.

    Raises
    ------
    ValueError
        They are not of one shape with two axes.
    """
    a, b = np.asarray(predicted), np.asarray(measured)
    if a.ndim != 2 or a.shape != b.shape:  # noqa: PLR2004
        raise ValueError(f"predicted and measured are (perturbations, genes) alike; got {a.shape} and {b.shape}")
    precision = np.float32 if a.dtype == b.dtype == np.float32 else np.float64
    return a.astype(precision, copy=False), b.astype(precision, copy=False)


def checked(predicted: Effects, measured: Effects) -> tuple[Matrix, Matrix]:
    """Bring both to float64; refuse arrays that are not (perturbations, genes) alike."""
    a, b = alike(predicted, measured)
    return a.astype(np.float64, copy=False), b.astype(np.float64, copy=False)


def ratio(part: npt.ArrayLike, whole: npt.ArrayLike) -> Scores:
    """Divide row by row; NaN where there is nothing to divide by."""
    part, whole = np.asarray(part, dtype=np.float64), np.asarray(whole, dtype=np.float64)
    share: Scores = np.full(part.shape, np.nan)
    np.divide(part, whole, out=share, where=whole > 0)
    return share
