"""Models of a perturbation's effect, from no change to regressions on external signatures; scikit-learn estimators.

Every model fits on features X, shape (rows, features), and effects Y, shape (rows, genes), where NaN means missing on
either side, and predicts effects without NaN. ``inputs`` names what it takes for X: the features of a matrix, the
effects elsewhere, the genes that are a row's own targets, or all of these. ``covered(X)`` says which rows it has
something to say about: the others get the mean of the training rows. ``chosen`` holds the options that a fitted model
chose, where it chooses any.
"""

from featurestore.models.baseline import CrisprInformedMean, NoChange, TrainMean
from featurestore.models.bilinear import BilinearOnSignatures
from featurestore.models.blend import Blend
from featurestore.models.diagonal import DiagonalOnGenes
from featurestore.models.elsewhere import SamePerturbationElsewhere
from featurestore.models.estimator import EstimatorOnSignatures
from featurestore.models.forest import ForestOnSignatures
from featurestore.models.kernel_ridge import KernelRidgeOnSignatures
from featurestore.models.neighbours import NeighboursOnSignatures
from featurestore.models.ridge import RidgeOnSignatures

__all__ = [
    "BilinearOnSignatures",
    "Blend",
    "CrisprInformedMean",
    "DiagonalOnGenes",
    "EstimatorOnSignatures",
    "ForestOnSignatures",
    "KernelRidgeOnSignatures",
    "NeighboursOnSignatures",
    "NoChange",
    "RidgeOnSignatures",
    "SamePerturbationElsewhere",
    "TrainMean",
]
