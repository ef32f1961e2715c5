"""Models of pairs that know which pairs are of one gene: a ranking within genes, and a blend of three models."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_is_fitted

from featurestore.models.baseline import Array, Doubles, Labels, Truths
from featurestore.models.pairs import LogisticOnPairs

_RIVALS = 8
"""Most negative pairs that a positive one is compared with."""


class RankingOnPairs(BaseEstimator):  # type: ignore[misc]
    """Logistic regression of which of two pairs of one gene is the positive one.

    Features of training pairs are learnt fold by fold, and a gene's mean without a fold is low where the fold is high:
    over folds such features point the wrong way. So the two pairs are of one gene and one fold. A positive pair is
    compared with up to eight negative ones; a gene weighs the root of its number of positive pairs.

    Parameters
    ----------
    C
        Inverse penalty.

    Attributes
    ----------
    coef_
        Weight of each feature, per standard deviation, shape (features,).
    """

    def __init__(self, C: float = 0.1) -> None:  # noqa: N803, scikit-learn's name
        self.C = C

    def fit(self, X: Array, y: Truths, *, groups: Labels | None = None, genes: Labels | None = None) -> Self:  # noqa: N803
        """Learn from the pairs of each gene within each group; without either all pairs are rivals."""
        self.usable_ = np.asarray(np.isfinite(X).any(axis=0))
        self.scaler_ = Pipeline(
            [
                ("scale", StandardScaler()),
                ("impute", SimpleImputer(strategy="constant", fill_value=0, add_indicator=True)),
            ]
        )
        values = self.scaler_.fit_transform(X[:, self.usable_])
        gene, group = (
            np.zeros(len(y), np.int64) if each is None else np.unique(each, return_inverse=True)[1]
            for each in (genes, groups)
        )
        winner, loser, weight = _rivals(y, gene * (int(group.max()) + 1) + group)
        self.weights_ = np.zeros(values.shape[1])
        if len(winner):
            weight = weight / np.sqrt(np.bincount(gene[y])[gene[winner]])
            turned = np.where(np.arange(len(winner)) % 2, -1.0, 1.0)
            difference = (values[winner] - values[loser]) * turned[:, None]
            model = LogisticRegression(C=self.C, fit_intercept=False, solver="newton-cholesky", max_iter=200)
            if len(np.unique(turned)) > 1:
                self.weights_ = model.fit(difference, turned > 0, sample_weight=weight / weight.mean()).coef_[0]
        return self

    def decision_function(self, X: Array) -> Doubles:  # noqa: N803
        """Return the score of each pair, shape (pairs,).

        The difference of two is the log odds that the first is the positive one.
        """
        check_is_fitted(self)
        return np.asarray(self.scaler_.transform(X[:, self.usable_]) @ self.weights_)

    @property
    def coef_(self) -> Doubles:
        """Weight of each feature, shape (features,)."""
        weights = np.zeros(len(self.usable_))
        weights[self.usable_] = self.weights_[: int(self.usable_.sum())]
        return weights


def _rivals(y: Truths, cell: npt.NDArray[np.int64]) -> tuple[Any, Any, Doubles]:
    """Pair every positive with negatives of its cell: positions of both, and weights that are 1 in sum for each."""
    rng = np.random.default_rng(0)
    order = np.argsort(cell, kind="stable")
    starts = np.flatnonzero(np.diff(cell[order])) + 1
    winners, losers, weights = [], [], []
    for rows in np.split(order, starts):
        positive, negative = rows[y[rows]], rows[~y[rows]]
        n = min(len(negative), _RIVALS)
        for one in positive if n else ():
            losers.append(negative if n == len(negative) else rng.choice(negative, n, replace=False))
            winners.append(np.full(n, one))
            weights.append(np.full(n, 1 / n))
    if not winners:
        return np.empty(0, np.intp), np.empty(0, np.intp), np.empty(0)
    return np.concatenate(winners), np.concatenate(losers), np.concatenate(weights)


class BlendOnPairs(BaseEstimator):  # type: ignore[misc]
    """Mean of three standardised scores: logistic regression, the ranking within genes, and boosted trees.

    Its probability is the mean of those of the regression and of the trees; a ranking has none.
    """

    def fit(self, X: Array, y: Truths, *, groups: Labels | None = None, genes: Labels | None = None) -> Self:  # noqa: N803
        """Fit the three."""
        trees = HistGradientBoostingClassifier(
            max_iter=80,
            learning_rate=0.08,
            max_leaf_nodes=8,
            min_samples_leaf=100,
            l2_regularization=10,
            random_state=0,
        )
        self.parts_ = [
            LogisticOnPairs((0.1,)).fit(X, y),
            RankingOnPairs().fit(X, y, groups=groups, genes=genes),
            trees.fit(X, y),
        ]
        spread = [float(part.decision_function(X).std()) for part in self.parts_]
        self.scale_ = [one if one > 0 else 1.0 for one in spread]
        return self

    def decision_function(self, X: Array) -> Doubles:  # noqa: N803
        """Return the mean score of each pair, shape (pairs,)."""
        check_is_fitted(self)
        scores = [part.decision_function(X) / scale for part, scale in zip(self.parts_, self.scale_, strict=True)]
        return np.asarray(np.mean(scores, axis=0))

    def probability(self, X: Array) -> Doubles:  # noqa: N803
        """Return the probability that each pair is positive, shape (pairs,)."""
        check_is_fitted(self)
        regression, _, trees = self.parts_
        return np.asarray((regression.probability(X) + trees.predict_proba(X)[:, 1]) / 2)
