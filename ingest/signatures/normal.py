"""Normal quantiles of p-values that are given as logarithms, however small they are.

Rational functions where a double holds the tail, exact to 1e-15; beyond, Newton's method on the asymptotic series of
the normal tail, exact to 1e-10 from 38 standard deviations on.

References
----------
Wichura (1988), algorithm AS 241, https://doi.org/10.2307/2347330; DLMF 7.12.1, https://dlmf.nist.gov/7.12
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from numba import njit

Doubles = npt.NDArray[np.float64]

LOG_2 = math.log(2.0)
LOG_ROOT_2_PI = 0.5 * math.log(2.0 * math.pi)
LEAST_CENTRAL = math.log(0.075)
"""Logarithm of the tail from which on the central approximation holds."""
MIDDLE, FARTHEST = 5.0, 27.0
"""Roots of minus the logarithm of the tail up to which the second and the third approximation hold."""
SHIFT = 1.6
"""From which root on the second approximation counts."""
N_STEPS = 3
"""Steps of Newton's method; each doubles the digits, of which the first guess has four."""


def signed_z(log_p: Doubles, sign: npt.NDArray[np.int8]) -> Doubles:
    """Return the normal quantile of two-sided p-values, signed; NaN stays NaN.

    Parameters
    ----------
    log_p
        Logarithms of p. Any shape.
    sign
        Below 0 for quantiles below 0. Same shape.
    """
    z = np.empty(log_p.shape)
    _signed_z(np.ascontiguousarray(log_p).reshape(-1), np.ascontiguousarray(sign).reshape(-1), z.reshape(-1))
    return z


@njit(cache=True, nogil=True)
def _signed_z(log_p: Doubles, sign: npt.NDArray[np.int8], z: Doubles) -> None:
    for at in range(log_p.size):
        log_tail = log_p[at] - LOG_2
        root = math.sqrt(max(-log_tail, 0.0))
        if math.isnan(log_tail):
            value = log_tail
        elif log_tail >= LEAST_CENTRAL:
            value = _central(0.5 - math.exp(log_tail))
        elif root <= MIDDLE:
            value = _middle(root - SHIFT)
        elif root <= FARTHEST:
            value = _far(root - MIDDLE)
        else:
            value = _beyond(log_tail)
        z[at] = value * sign[at]


@njit(cache=True, nogil=True)
def _central(q: float) -> float:
    r = 0.180625 - q * q
    above = 6.7265770927008700853e4 + r * (3.3430575583588128105e4 + r * 2.5090809287301226727e3)
    above = 1.9715909503065514427e3 + r * (1.3731693765509461125e4 + r * (4.5921953931549871457e4 + r * above))
    above = 3.3871328727963666080 + r * (1.3314166789178437745e2 + r * above)
    below = 3.9307895800092710610e4 + r * (2.8729085735721942674e4 + r * 5.2264952788528545610e3)
    below = 6.8718700749205790830e2 + r * (5.3941960214247511077e3 + r * (2.1213794301586595867e4 + r * below))
    return q * above / (1.0 + r * (4.2313330701600911252e1 + r * below))


@njit(cache=True, nogil=True)
def _middle(r: float) -> float:
    above = 2.41780725177450611770e-1 + r * (2.27238449892691845833e-2 + r * 7.74545014278341407640e-4)
    above = 5.76949722146069140550 + r * (3.64784832476320460504 + r * (1.27045825245236838258 + r * above))
    above = 1.42343711074968357734 + r * (4.63033784615654529590 + r * above)
    below = 1.51986665636164571966e-2 + r * (5.47593808499534494600e-4 + r * 1.05075007164441684324e-9)
    below = 1.67638483018380384940 + r * (6.89767334985100004550e-1 + r * (1.48103976427480074590e-1 + r * below))
    return above / (1.0 + r * (2.05319162663775882187 + r * below))


@njit(cache=True, nogil=True)
def _far(r: float) -> float:
    above = 1.24266094738807843860e-3 + r * (2.71155556874348757815e-5 + r * 2.01033439929228813265e-7)
    above = 1.78482653991729133580 + r * (2.96560571828504891230e-1 + r * (2.65321895265761230930e-2 + r * above))
    above = 6.65790464350110377720 + r * (5.46378491116411436990 + r * above)
    below = 1.84631831751005468180e-5 + r * (1.42151175831644588870e-7 + r * 2.04426310338993978564e-15)
    below = 1.36929880922735805310e-1 + r * (1.48753612908506148525e-2 + r * (7.86869131145613259100e-4 + r * below))
    return above / (1.0 + r * (5.99832206555887937690e-1 + r * below))


@njit(cache=True, nogil=True)
def _beyond(log_tail: float) -> float:
    z = math.sqrt(-2.0 * log_tail - 2.0 * LOG_ROOT_2_PI - math.log(-2.0 * log_tail))
    for _ in range(N_STEPS):
        y = 1.0 / (z * z)
        series = 1.0 - y * (1.0 - y * (3.0 - y * 15.0))
        missing = -0.5 * z * z - LOG_ROOT_2_PI - math.log(z) + math.log(series) - log_tail
        z += missing * series / z  # the density over the tail is z / series
    return z
