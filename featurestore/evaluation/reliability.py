"""Whether probabilities of pairs are honest: of those called 70 % likely, 70 % should be positive."""

from __future__ import annotations

from typing import Any

import numpy as np

from featurestore.models.baseline import Doubles, Truths

BINS = 10


def reliability(truth: Truths, probability: Doubles, bins: int = BINS) -> dict[str, Any]:
    """Compare probabilities with how often pairs were positive, in bins of equal width.

    Parameters
    ----------
    truth
        Whether each held-out pair is positive. Shape (pairs,).
    probability
        What a model said while it was held out, from 0 to 1. Shape (pairs,).
    bins
        Number of bins.

    Returns
    -------
    ``calibration_error``, the mean distance of probability and share over bins, weighted by pairs; ``brier``, the mean
    squared error, and ``brier_base_rate``, that of always saying the share of positives; and ``bins`` that hold any
    pair, with ``n``, ``predicted`` and ``observed``.

    Examples
    --------
    >>> import numpy as np
    >>> found = reliability(np.array([True, False, True, True]), np.array([0.52, 0.52, 0.9, 0.9]))
    >>> round(found["calibration_error"], 3)
    0.06
    """
    place = np.minimum((probability * bins).astype(np.intp), bins - 1)
    n = np.bincount(place, minlength=bins)
    has = n > 0
    predicted, observed = (np.bincount(place, weights=v, minlength=bins)[has] / n[has] for v in (probability, truth))
    rate = float(truth.mean())
    return {
        "calibration_error": float(n[has] @ np.abs(predicted - observed) / len(truth)),
        "brier": float(np.square(probability - truth).mean()),
        "brier_base_rate": rate * (1 - rate),
        "bins": [
            {"n": int(count), "predicted": float(said), "observed": float(was)}
            for count, said, was in zip(n[has], predicted, observed, strict=True)
        ],
    }
