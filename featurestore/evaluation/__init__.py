"""Evaluation: hold every perturbation out once, score models against honest baselines, and say what is not better."""

from featurestore.evaluation.cross_validation import cell_weights, evaluate
from featurestore.evaluation.evaluation import Evaluation
from featurestore.evaluation.evidence import Evidence, read_evidence

__all__ = ["Evaluation", "Evidence", "cell_weights", "evaluate", "read_evidence"]
