"""Evaluation: hold every perturbation out once, score models against honest baselines, and say what is not better."""

from featurestore.evaluate.cross_validation import cell_weights, evaluate
from featurestore.evaluate.evaluation import Evaluation
from featurestore.evaluate.evidence import Evidence, read_evidence

__all__ = ["Evaluation", "Evidence", "cell_weights", "evaluate", "read_evidence"]
