"""The pairs to predict: which are rows, what their answer is, and which of them are held out together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import polars as pl

from featurestore.counts import count_of
from featurestore.errors import FeatureError, QueryError, did_you_mean
from featurestore.features.pairs.calls import answers
from featurestore.features.perturbations import assign_folds, own_targets, shared_target_groups
from featurestore.query.sqlfiles import sql_files

if TYPE_CHECKING:
    from featurestore.features.effects.signature_matrix import SignatureMatrix
    from featurestore.features.sections import Split, Target
    from featurestore.query.warehouse import Warehouse

TRAIN, TEST = "train", "test"
_DESCRIBED = ("condition_id", "perturbation_id", "perturbation_label", "group", "split")


@dataclass(frozen=True, slots=True)
class Division:
    """One division of the pairs into training and held-out ones.

    Parameters
    ----------
    name
        ``test``, or the fold that is held out.
    inner_fold
        Fold of each training pair, for what is learnt from labels; -1 for the held-out ones.
    """

    name: str
    inner_fold: npt.NDArray[np.int64]

    @property
    def is_held_out(self) -> npt.NDArray[np.bool_]:
        """Whether each pair is held out, shape (pairs,)."""
        return self.inner_fold < 0


@dataclass(frozen=True, slots=True)
class Pairs:
    """The rows.

    Parameters
    ----------
    rows
        One row per pair: its condition and gene, its group, and ``is_positive``: changed, or up.
    condition, gene
        Positions in the target's conditions and genes, shape (pairs,).
    call
        The answer of each, shape (pairs,): changed 1, not 0; up 1, down -1.
    divisions
        One where the data has its own split, one per fold else.
    """

    rows: pl.DataFrame
    condition: npt.NDArray[np.intp]
    gene: npt.NDArray[np.intp]
    call: npt.NDArray[np.float64]
    divisions: list[Division]


def split_conditions(warehouse: Warehouse, conditions: pl.DataFrame, target: Target, split: Split) -> pl.DataFrame:
    """Give every condition its ``group`` and its ``split``: what the data's own column says, or its fold.

    Raises
    ------
    FeatureError
        There is no such column, it says other things than train and test, or there are fewer groups than folds.
    """
    rows = conditions.with_columns(
        shared_target_groups(conditions)
        if split.by == "perturbation_id"
        else conditions[split.by].cast(pl.String()).fill_null("none").alias("group")
    )
    if split.column is not None:
        return rows.with_columns(split=_own_split(warehouse, conditions, target, split.column))
    _require_groups(rows["group"].n_unique(), split)
    folds = assign_folds(rows["group"], split.folds, split.seed)
    return rows.with_columns(split=pl.Series([f"fold {fold + 1}" for fold in folds]))


def pairs_of(conditions: pl.DataFrame, matrix: SignatureMatrix, target: Target, split: Split) -> Pairs:
    """List the pairs that the target's table lists, but for those of a perturbation with its own target gene.

    Parameters
    ----------
    conditions
        The target's conditions, with their group and split.
    matrix
        Their calls.
    target, split
        What is asked, and how it is held out.

    Raises
    ------
    FeatureError
        There is no pair of both answers among the training pairs.
    """
    condition, gene, call = answers(matrix, target.question)
    is_row = ~own_targets(conditions, matrix.genes)[condition, gene]
    condition, gene, call = condition[is_row], gene[is_row], call[is_row]
    is_positive = call > 0
    rows = pl.concat(
        [conditions.select(_DESCRIBED)[condition], matrix.genes.select("gene_id", "gene_symbol")[gene]],
        how="horizontal",
    ).with_columns(is_positive=pl.Series(is_positive))
    divisions = [_division(conditions, condition, name, split) for name in _held_out(conditions)]
    for division in divisions:
        if len(np.unique(is_positive[~division.is_held_out])) < 2:  # noqa: PLR2004, positive and negative
            raise FeatureError(
                "Training pairs have one answer only, so nothing can be learnt.",
                where=f"target, question = '{target.question}', {division.name} held out",
                got=f"{int((~division.is_held_out).sum()):,} training pairs",
            )
    return Pairs(rows, condition, gene, call, divisions)


def _held_out(conditions: pl.DataFrame) -> list[str]:
    names = conditions["split"].unique().sort().to_list()
    return [TEST] if set(names) == {TRAIN, TEST} else names


def _division(conditions: pl.DataFrame, condition: npt.NDArray[np.intp], name: str, split: Split) -> Division:
    """Deal the groups that are not held out to inner folds."""
    is_training = (conditions["split"] != name).to_numpy()
    groups = conditions["group"].filter(pl.Series(is_training))
    _require_groups(groups.n_unique(), split)
    inner = np.full(conditions.height, -1, dtype=np.int64)
    inner[is_training] = assign_folds(groups, split.folds, split.seed)
    return Division(name, inner[condition])


def _own_split(warehouse: Warehouse, conditions: pl.DataFrame, target: Target, column: str) -> pl.Series:
    selectable = sql_files("features")["selectable"]
    name = '"' + column.replace('"', '""') + '"'
    query = f"select condition_id, {name}::varchar as split from (\n{selectable}\n) where dataset_id = $dataset"  # noqa: S608
    try:
        says = warehouse.frame(query, {"dataset": target.dataset})
    except QueryError:
        known = warehouse.frame(f"select * from (\n{selectable}\n) limit 0").columns  # noqa: S608
        raise FeatureError(
            f"Conditions have no column '{column}'.", where="split, column", do=did_you_mean(column, known)
        ) from None
    split = conditions.join(says, on="condition_id", how="left", maintain_order="left")["split"]
    found = set(split.to_list())
    if found != {TRAIN, TEST}:
        raise FeatureError(
            f"Column '{column}' is no split into training and test conditions.",
            where=f"dataset '{target.dataset}'",
            expected=f"'{TRAIN}' and '{TEST}'",
            got=", ".join(sorted(repr(value) for value in found)),
        )
    return split


def _require_groups(n_groups: int, split: Split) -> None:
    if n_groups < split.folds:
        raise FeatureError(
            f"{count_of(n_groups, 'group')} cannot be dealt to {split.folds} folds.",
            where=f"split, by = '{split.by}'",
            do=(f"set folds to {n_groups} or fewer, or " if n_groups > 1 else "") + "predict more conditions",
        )
