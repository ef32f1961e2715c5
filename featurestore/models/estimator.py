"""Any scikit-learn regressor on external signatures: gaps, groups, weights and several outputs are seen to."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, clone, is_regressor
from sklearn.linear_model import Ridge
from sklearn.multioutput import MultiOutputRegressor
from sklearn.utils import get_tags
from sklearn.utils.validation import has_fit_parameter

from featurestore.errors import FeatureError
from featurestore.models.baseline import Array, Doubles, Labels
from featurestore.models.blocks import SignatureBlocks
from featurestore.models.outputs import Outputs
from featurestore.models.regression import RegressionOnSignatures

COMPONENTS = 30
"""Outputs of a regressor that predicts one number, and is fitted once for each."""


class EstimatorOnSignatures(RegressionOnSignatures):
    """Somebody's own regressor from blocks of signature features to the deviation from the mean training effect.

    A missing feature is the mean of the training rows, unless the regressor takes gaps itself; a missing effect counts
    as the training mean; a row that no source covers gets the training mean exactly. ``sample_weight`` and ``groups``
    are given to a ``fit`` that takes them. A regressor of scikit-learn that predicts one number is fitted once for each
    output: in an evaluation, for each of the leading principal components of the training effects.

    Parameters
    ----------
    estimator
        An unfitted regressor of scikit-learn or of its form, or a pipeline that ends in one; a ridge where None.
    blocks, components
        As of :class:`RegressionOnSignatures`.
    """

    def __init__(self, estimator: Any = None, blocks: Labels | None = None, *, components: int | None = None) -> None:
        super().__init__(blocks, components=components)
        self.estimator = estimator

    def _fit(self, X: Array, outputs: Outputs, groups: Labels, weights: Doubles) -> None:  # noqa: N803
        model = Ridge() if self.estimator is None else clone(self.estimator)
        takes_gaps = get_tags(model).input_tags.allow_nan
        told = {
            name: values
            for name, values in (("groups", groups), ("sample_weight", weights))
            if has_fit_parameter(model, name)
        }
        self.blocks_ = None if takes_gaps else SignatureBlocks(self.blocks).fit(X)
        regressors, values = self._regressors(X), np.array(outputs.values)
        targets = values.ravel() if values.shape[1] == 1 else values
        if targets.ndim > 1 and takes_one_output(model):
            model = MultiOutputRegressor(model)
        self.model_ = model.fit(regressors, targets, **told)

    def _predict(self, X: Array) -> Doubles:  # noqa: N803
        return np.asarray(self.model_.predict(self._regressors(X)))

    def _regressors(self, X: Array) -> Array:  # noqa: N803
        return X if self.blocks_ is None else self.blocks_.transform(X)


def takes_one_output(model: Any) -> bool:
    """Say whether a regressor predicts one number: scikit-learn's own say so, others are trusted with several."""
    return type(model).__module__.startswith("sklearn.") and not get_tags(model).target_tags.multi_output


def on_signatures(name: str, model: Any, blocks: Labels | None) -> Any:
    """Return a model that can be evaluated: one of ours as it is, any other regressor in a wrapping.

    Raises
    ------
    FeatureError
        It is no regressor, or a class instead of an estimator.
    """
    if hasattr(model, "covered") and hasattr(model, "inputs"):
        return model
    if isinstance(model, type) or not isinstance(model, BaseEstimator) or not is_regressor(model):
        raise FeatureError(
            f"'{name}' is no regressor.",
            expected="an unfitted estimator of scikit-learn or of its form, such as Ridge(alpha=10.0)",
            got=f"the class {model.__name__}" if isinstance(model, type) else repr(model)[:100],
            do=f"make one of it: {model.__name__}()" if isinstance(model, type) else "give one that predicts numbers",
        )
    return EstimatorOnSignatures(model, blocks, components=COMPONENTS if takes_one_output(model) else None)
