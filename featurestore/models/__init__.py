"""Models of a perturbation's effect, from no change to regressions on external signatures; scikit-learn estimators.

Every model fits on features X, shape (rows, features), and effects Y, shape (rows, genes), where NaN means missing on
either side, and predicts effects without NaN. ``inputs`` names the part of a feature matrix that it takes for X, and
``covered(X)`` says which rows it has something to say about: the others get the mean of the training rows.
"""

from featurestore.models.baseline import NoChange, SamePerturbationElsewhere, TrainMean
from featurestore.models.forest import ForestOnSignatures
from featurestore.models.ridge import RidgeOnSignatures

__all__ = ["ForestOnSignatures", "NoChange", "RidgeOnSignatures", "SamePerturbationElsewhere", "TrainMean"]
