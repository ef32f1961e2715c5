"""Robust locally weighted regression of one variable on another, as R's ``lowess`` does it.

References
----------
Cleveland (1979), https://doi.org/10.1080/01621459.1979.10481038, with the short cuts of his published programme:
points within ``STEP`` of the last one that was fitted lie on the line to the next.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Doubles = npt.NDArray[np.float64]

ROBUST_STEPS = 3
"""How often points are weighted anew by their residuals."""
STEP = 0.01
"""How far apart points are fitted. Unit: share of the range of x."""
_NEAR, _FAR = 0.001, 0.999
"""Distances, as shares of the widest, below which a weight is 1 and above which it is 0."""


def lowess(x: Doubles, y: Doubles, span: float) -> Doubles:
    """Smooth ``y`` along ``x``.

    Parameters
    ----------
    x
        Shape (points,), ascending; at least two.
    y
        Shape (points,).
    span
        Share of the points that each local line is fitted to.

    Returns
    -------
    The smoothed values, shape (points,).
    """
    n = x.size
    n_near = max(min(int(span * n + 1e-7), n), 2)
    anchors = _anchors(x, STEP * (x[-1] - x[0]))
    windows = [_window(x, at, n_near) for at in anchors]
    robust = np.ones(n)
    for step in range(ROBUST_STEPS + 1):
        fitted = np.array([_fit(x, y, robust, at, window) for at, window in zip(anchors, windows, strict=True)])
        smooth = np.interp(x, x[anchors], fitted)
        residual = np.abs(y - smooth)
        scale = 6.0 * float(np.median(residual))
        if step == ROBUST_STEPS or scale < 1e-7 * residual.mean():
            break
        robust = _bisquare(residual, scale)
    return np.asarray(smooth)


def _anchors(x: Doubles, step: float) -> list[int]:
    """Choose the points that a line is fitted at: the last within ``step`` of the one before, or else the next."""
    chosen = [0]
    while True:
        same = int(np.searchsorted(x, x[chosen[-1]], side="right")) - 1  # the last point of the same x
        if same >= x.size - 1:
            return chosen
        beyond = int(np.searchsorted(x, x[same] + step, side="right"))
        chosen.append(max(same + 1, beyond - 1))


def _window(x: Doubles, at: int, n_near: int) -> tuple[int, int]:
    """Find the points nearest to one, as first and last: the leftmost such window that cannot move nearer."""
    first = max(0, at - n_near + 1)
    while first + n_near < x.size and x[at] - x[first] > x[first + n_near] - x[at]:
        first += 1
    return first, first + n_near - 1


def _fit(x: Doubles, y: Doubles, robust: Doubles, at: int, window: tuple[int, int]) -> float:
    """Fit a line to the points of a window, nearer ones counting more, and take its value at one of them."""
    first, last = window
    widest = max(x[at] - x[first], x[last] - x[at])
    stop = int(np.searchsorted(x, x[at] + _FAR * widest, side="right"))
    near, value = x[first:stop], y[first:stop]
    distance = np.abs(near - x[at])
    with np.errstate(divide="ignore", invalid="ignore"):
        tricube = (1.0 - (distance / widest) ** 3) ** 3
    weight = np.where(distance <= _NEAR * widest, 1.0, np.where(distance <= _FAR * widest, tricube, 0.0))
    weight = weight * robust[first:stop]
    total = weight.sum()
    if total <= 0:
        return float(y[at])
    weight = weight / total
    if widest > 0:
        centre = weight @ near
        spread = weight @ (near - centre) ** 2
        if np.sqrt(spread) > _NEAR * (x[-1] - x[0]):
            weight = weight * (1.0 + (x[at] - centre) / spread * (near - centre))
    return float(weight @ value)


def _bisquare(residual: Doubles, scale: float) -> Doubles:
    share = residual / scale
    return np.where(share <= _NEAR, 1.0, np.where(share <= _FAR, (1.0 - share**2) ** 2, 0.0))
