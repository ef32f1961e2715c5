"""What metrics are computed from, by name, and all of them at once.

A metric asks for inputs by the names of its parameters. What is not given is not guessed: the metrics that need it are
left out. Inputs are never written to, so no metric can change another.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any

from featurestore.metrics.registry import METRICS, Metric, get_metric
from featurestore.metrics.rows import Effects, Labels, Matrix, Scores, Truths, Vector


@dataclass(frozen=True, slots=True)
class Inputs:
    """Predicted and measured values of the same perturbations and genes, in the same order.

    Every array is of shape (perturbations, genes) where nothing else is said.

    Parameters
    ----------
    predicted, measured
        Effects: differences from control. NaN where a gene was not measured or is to be left out.
    train_mean
        Mean effect of the training perturbations, shape (genes,) or one row per perturbation.
    left_out
        Genes that the discrimination of a row leaves out, its own targets above all.
    labels
        Perturbation of each row, where several rows share one, shape (perturbations,).
    significant
        Genes that respond: measured calls at a false discovery rate of 5 %.
    predicted_lfc, measured_lfc
        Log fold changes; the effects stand in where they are not given.
    predicted_levels, measured_levels
        Expression itself, the mean over cells of log1p of scaled counts.
    predicted_significant, predicted_q
        Calls and q-values of predicted cells. Predictions of effects have none.
    predicted_p
        p-values of predicted cells.
    predicted_counts, measured_counts
        Counts summed over the cells of a perturbation.
    control_counts
        Counts summed over the measured control cells, shape (genes,).
    predicted_control_counts
        The same of controls that are the prediction's own, where it is measured from those.
    panel
        Target genes of all perturbations, shape (genes,).
    predicted_noise, measured_noise, control_noise
        Squared sampling error of log summed counts, shape (perturbations,) and a number for the control.
    """

    predicted: Effects | None = None
    measured: Effects | None = None
    train_mean: Effects | None = None
    left_out: Truths | None = None
    labels: Labels | None = None
    significant: Truths | None = None
    predicted_lfc: Effects | None = None
    measured_lfc: Effects | None = None
    predicted_levels: Effects | None = None
    measured_levels: Effects | None = None
    predicted_significant: Truths | None = None
    predicted_q: Matrix | None = None
    predicted_p: Matrix | None = None
    predicted_counts: Matrix | None = None
    measured_counts: Matrix | None = None
    control_counts: Matrix | None = None
    predicted_control_counts: Matrix | None = None
    panel: Truths | None = None
    predicted_noise: Vector | None = None
    measured_noise: Vector | None = None
    control_noise: float | None = None

    def given(self) -> dict[str, Any]:
        """Name the inputs that are there; effects stand in for log fold changes."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        for side in ("predicted", "measured"):
            if values[f"{side}_lfc"] is None:
                values[f"{side}_lfc"] = values[side]
        return {name: value for name, value in values.items() if value is not None}


def computable(inputs: Inputs) -> list[Metric]:
    """List the metrics whose needs are all given."""
    given = inputs.given()
    return [m for m in METRICS.values() if all(name in given for name in m.needs)]


def compute(inputs: Inputs, names: Iterable[str] | None = None) -> dict[str, Scores | float]:
    """Compute metrics by name, or all that can be.

    Returns
    -------
    For each metric its scores, shape (perturbations,), or one number where it is of the whole screen; NaN where it is
    undefined.

    Raises
    ------
    ValueError
        A metric that was asked for by name needs an input that is not given.

    Examples
    --------
    >>> import numpy as np
    >>> effects = np.array([[1.0, 2.0, -1.0], [0.0, -2.0, 1.0]])
    >>> compute(Inputs(predicted=effects / 2, measured=effects), ["mae", "pds_cosine"])
    {'mae': array([0.66666667, 0.5       ]), 'pds_cosine': array([1., 1.])}
    """
    chosen = computable(inputs) if names is None else [get_metric(name) for name in names]
    given = inputs.given()
    for m in chosen:
        missing = [name for name in m.needs if name not in given]
        if missing:
            raise ValueError(f"metric '{m.name}' needs {', '.join(missing)}; given: {', '.join(given) or 'nothing'}")
    return {m.name: m.function(**{name: given[name] for name in m.uses if name in given}) for m in chosen}
