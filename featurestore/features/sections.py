"""The sections of a feature spec beside its features: the target, the split, what is allowed, licences."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from featurestore.features.kinds.options import Condition, EffectKind, Question, SpecSection


class Target(SpecSection):
    """The conditions to predict: the rows of the matrix.

    Parameters
    ----------
    dataset
        Their dataset.
    where
        SQL condition over the columns of condition, quality, dataset and context; controls are never rows.
    effect_kind
        The measured effect to predict.
    phenotype
        A scalar readout to predict instead, such as ``gene_effect``.
    unit
        What a row is: a condition, or a pair of condition and gene with its call (``effect_kind = "de_call"``).
    question
        What is asked of a pair: whether the gene is ``changed`` (the call is not 0), or its ``direction`` where it is
        (up or down; pairs that are called unchanged are no rows then).
    """

    dataset: str
    where: Condition | None = None
    effect_kind: EffectKind = "delta_log1p"
    phenotype: Condition | None = None
    unit: Literal["condition", "pair"] = "condition"
    question: Question | None = None

    @model_validator(mode="after")
    def _asks_of_pairs(self) -> Self:
        is_pair = self.unit == "pair"
        if is_pair and (self.effect_kind != "de_call" or self.phenotype is not None):
            raise ValueError("pairs are predicted from calls: set effect_kind = 'de_call', and no phenotype")
        if is_pair != (self.question is not None):
            asked = "say what is asked of pairs: question = 'changed' or 'direction'"
            raise ValueError(asked if is_pair else "'question' is asked of pairs: set unit = 'pair'")
        return self


class Split(SpecSection):
    """How rows are held out: whole groups, so that no perturbation is both learnt from and predicted.

    Parameters
    ----------
    by
        Column whose values stay together. With ``perturbation_id``, perturbations that share a target gene stay
        together too: the combination ``A+B`` with ``A`` and with ``B``.
    folds
        Number of folds.
    seed
        Seed of the assignment.
    column
        The dataset's own split: a column of the conditions that says ``train`` or ``test``. Only the test rows are
        predicted; folds are dealt among the training rows, for what is learnt from their labels. Where rows are pairs.
    """

    by: Literal["perturbation_id", "condition_id", "context_id", "cluster"] = "perturbation_id"
    folds: Annotated[int, Field(ge=2)] = 5
    seed: Annotated[int, Field(ge=0)] = 0
    column: Condition | None = None


class Allow(SpecSection):
    """A pair of experiments between which the guard is overruled, and why; the manifest shows it.

    Parameters
    ----------
    target, source
        ``experiment_id`` of rows, and of source conditions that share or resemble it.
    reason
        Why this is no leak.
    """

    target: Condition
    source: Condition
    reason: Condition


class Licence(SpecSection):
    """Terms that a matrix may hold: the build is refused where a source's are others.

    Parameters
    ----------
    forbid
        Licences, or ``non-commercial`` for every licence that excludes commercial use. An unknown licence is refused.
    allow
        The only licences allowed.
    """

    forbid: list[str] = Field(default_factory=list)
    allow: Annotated[list[str], Field(min_length=1)] | None = None
