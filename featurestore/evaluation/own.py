"""Somebody's own models, scored beside the baselines that need none and the ridge that reports judge."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from featurestore.errors import FeatureError, did_you_mean
from featurestore.evaluation.cross_validation import beside_baselines
from featurestore.evaluation.cross_validation import evaluate as evaluate_models

if TYPE_CHECKING:
    from featurestore.evaluation.evaluation import Evaluation
    from featurestore.evaluation.splits import Unseen
    from featurestore.features.matrix.feature_matrix import FeatureMatrix


def evaluate(
    matrix: FeatureMatrix,
    models: Mapping[str, Any] | None = None,
    *,
    unseen: Unseen = "perturbation",
    report: Callable[[str], None] = lambda _: None,
) -> Evaluation:
    """Score regressors on a feature matrix, every perturbation held out once, beside the baselines.

    Parameters
    ----------
    matrix
        A feature matrix, as :meth:`featurestore.Store.build` makes it.
    models
        Unfitted regressors of scikit-learn, or of its form, by name. Gaps, several outputs, groups and weights are seen
        to; a row that no source covers gets the train mean, and is counted. None evaluates all models of a report.
    unseen
        What training rows never have of the rows predicted: their perturbation, their context, or either.
    report
        Told in words what is being done.

    Returns
    -------
    An :class:`~featurestore.evaluation.evaluation.Evaluation`: ``scores`` has a row for each model and a
    column for each metric, ``predicted`` the held-out predictions, shape (rows, genes).

    Raises
    ------
    FeatureError
        One of them is no regressor, or what is given is no matrix, or models without names.

    Examples
    --------
    >>> from sklearn.linear_model import Lasso
    >>> found = evaluate(matrix, {"mine": Lasso(0.01)})  # doctest: +SKIP
    >>> found.scores  # doctest: +SKIP
    """
    if not hasattr(matrix, "elsewhere"):
        raise FeatureError(
            "A feature matrix is evaluated.",
            got=f"{type(matrix).__name__} {matrix!r}"[:100],
            do='build it first: fs.evaluate(fs.open("warehouse").build(spec), models)',
        )
    if models is not None and not isinstance(models, Mapping):
        raise FeatureError(
            "Each model needs a name.", got=repr(models)[:100], do='name it: evaluate(matrix, {"mine": model})'
        )
    return evaluate_models(
        matrix, None if models is None else beside_baselines(matrix, models), unseen=unseen, report=report
    )


def load_model(named: str) -> Any:
    """Make the model that ``module:name`` says: a class without arguments, a function that makes one, or an estimator.

    Modules are looked for in the working folder too.

    Raises
    ------
    FeatureError
        There is no such module, or nothing of that name in it.
    """
    module_name, _, name = named.partition(":")
    if not module_name or not name:
        raise FeatureError(
            f"'{named}' does not say where the model is.", expected="module:Class, such as mymodels:Mine"
        )
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        raise FeatureError(
            f"There is no module '{error.name}'.", where=f"model {named}", do=f"run it where {module_name}.py is"
        ) from None
    if not hasattr(module, name):
        do = did_you_mean(name, [each for each in vars(module) if not each.startswith("_")])
        raise FeatureError(f"Module '{module_name}' has no '{name}'.", where=str(module.__file__), do=do)
    found = getattr(module, name)
    return found() if isinstance(found, type) or not hasattr(found, "fit") else found
