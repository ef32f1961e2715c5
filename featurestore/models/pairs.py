"""Models of a pair of condition and gene: is the gene called? Regressions on pair features, and a baseline without any.

Every model fits on features X, shape (pairs, features), where NaN is missing, and truths y, shape (pairs,). Its
``decision_function`` ranks pairs: only the order among the pairs of one gene has a meaning. Groups are what the inner
cross-validation holds out, such as the folds in which training features were made. A model that ranks within genes is
told which pairs are of one: its ``fit`` takes ``genes``. One whose level means something has a ``probability`` too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import get_scorer
from sklearn.model_selection import LeaveOneGroupOut
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_is_fitted

from featurestore.models.baseline import Array, Doubles, Labels, Truths

_CS = (0.001, 0.01, 0.1, 1.0)
_ALPHAS = (1.0, 10.0, 100.0, 1000.0, 10000.0)


class SamePairElsewhere(BaseEstimator):  # type: ignore[misc]
    """Rank pairs by the mean call of the same pair in other experiments: nothing is learnt.

    A pair that no experiment lists counts as its gene's mean.

    Parameters
    ----------
    columns
        Positions of the features that are such calls.
    """

    def __init__(self, columns: tuple[int, ...] = ()) -> None:
        self.columns = columns

    def fit(self, X: Array, y: Truths, *, groups: Labels | None = None) -> Self:  # noqa: ARG002, N803
        """Learn nothing."""
        return self

    def decision_function(self, X: Array) -> Doubles:  # noqa: N803
        """Return one number per pair, shape (pairs,): the higher, the more likely positive."""
        calls = X[:, list(self.columns)]
        return np.asarray(np.nan_to_num(calls).sum(axis=1) / np.maximum(np.isfinite(calls).sum(axis=1), 1))


def _regressors() -> Pipeline:
    """Make what standardises features, with a column more for each that may be missing."""
    impute = SimpleImputer(strategy="constant", fill_value=0.0, add_indicator=True)
    return Pipeline([("scale", StandardScaler()), ("impute", impute)])


class _Regression(BaseEstimator):  # type: ignore[misc]
    """A linear model of standardised features.

    Features have mean 0 and variance 1 over the training pairs; a missing one counts as 0, and a column of its own says
    that it is missing. The penalty is chosen inside the training pairs.
    """

    def _fit(self, X: Array, y: Truths, groups: Labels | None, offered: Sequence[Any], by: str) -> Self:  # noqa: N803
        """Fit the model with the best mean score over groups held out; the one penalised least where none can be."""
        self.usable_ = np.asarray(np.isfinite(X).any(axis=0))
        values, model = X[:, self.usable_], offered[0]
        if groups is not None and len(offered) > 1 and len(np.unique(groups)) > 1:
            scores = np.zeros(len(offered))
            for train, test in LeaveOneGroupOut().split(values, y, groups):
                regressors = _regressors().fit(values[train])
                known, asked = regressors.transform(values[train]), regressors.transform(values[test])
                scores += [get_scorer(by)(each.fit(known, y[train]), asked, y[test]) for each in offered]
            model = offered[int(scores.argmax())]
        self.pipeline_ = Pipeline([*_regressors().steps, ("model", clone(model))]).fit(values, y)
        return self

    def _coefficients(self) -> Doubles:
        """Return the weight of each standardised feature; 0 where no training pair has it."""
        check_is_fitted(self)
        weights = np.zeros(len(self.usable_))
        weights[self.usable_] = np.ravel(self.pipeline_["model"].coef_)[: int(self.usable_.sum())]
        return weights


class LogisticOnPairs(_Regression):
    """Logistic regression on pair features.

    Parameters
    ----------
    Cs
        Inverse penalties to choose from, by log loss.

    Attributes
    ----------
    coef_
        Weight of each feature, per standard deviation, shape (features,).
    """

    def __init__(self, Cs: tuple[float, ...] = _CS) -> None:  # noqa: N803, scikit-learn's name
        self.Cs = Cs

    def fit(self, X: Array, y: Truths, *, groups: Labels | None = None) -> Self:  # noqa: N803
        """Choose the penalty and fit."""
        Cs = sorted(self.Cs, reverse=True)  # noqa: N806, scikit-learn's name
        offered = [LogisticRegression(C=C, solver="newton-cholesky", max_iter=200) for C in Cs]
        return self._fit(X, y, groups, offered, "neg_log_loss")

    def decision_function(self, X: Array) -> Doubles:  # noqa: N803
        """Return the log odds of each pair, shape (pairs,)."""
        check_is_fitted(self)
        return np.asarray(self.pipeline_.decision_function(X[:, self.usable_]))

    def probability(self, X: Array) -> Doubles:  # noqa: N803
        """Return the probability that each pair is positive, shape (pairs,)."""
        check_is_fitted(self)
        return np.asarray(self.pipeline_.predict_proba(X[:, self.usable_])[:, 1])

    @property
    def coef_(self) -> Doubles:
        """Weight of each feature."""
        return self._coefficients()


class RidgeOnPairs(_Regression):
    """Ridge regression of 1 (positive) and 0 on pair features.

    Parameters
    ----------
    alphas
        Penalties to choose from, by squared error.

    Attributes
    ----------
    coef_
        Weight of each feature, per standard deviation, shape (features,).
    """

    def __init__(self, alphas: tuple[float, ...] = _ALPHAS) -> None:
        self.alphas = alphas

    def fit(self, X: Array, y: Truths, *, groups: Labels | None = None) -> Self:  # noqa: N803
        """Choose the penalty and fit."""
        offered = [Ridge(alpha=alpha, solver="cholesky") for alpha in sorted(self.alphas)]
        return self._fit(X, y.astype(np.float64), groups, offered, "neg_mean_squared_error")

    def decision_function(self, X: Array) -> Doubles:  # noqa: N803
        """Return the expected answer of each pair, shape (pairs,)."""
        check_is_fitted(self)
        return np.asarray(self.pipeline_.predict(X[:, self.usable_]))

    @property
    def coef_(self) -> Doubles:
        """Weight of each feature."""
        return self._coefficients()
