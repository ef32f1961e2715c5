"""Splits that speak perturbations and contexts: hold out unseen perturbations, unseen contexts, or both at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import polars as pl
from sklearn.model_selection import BaseCrossValidator

from featurestore.errors import FeatureError
from featurestore.features.identifiers import perturbed
from featurestore.features.perturbations import assign_folds, shared_target_groups, target_atoms
from featurestore.query.warehouse import Warehouse

Positions = npt.NDArray[np.intp]
_PAIR = 2
_NAME = r"(?:[^+()]|\((?:[^()]|\([^()]*\))*\))+"
"""One name of a combination: a plus in brackets, as of ``(+)-JQ1``, belongs to the name."""


class PerturbationSplit(BaseCrossValidator):  # type: ignore[misc]
    """Cross-validation in which no perturbation, or no context, or neither, is both learnt from and predicted.

    A combination ``A+B`` stays with ``A``, with ``B`` and with ``B+A``; a compound with its other forms of the same
    skeleton; with a store, a gene with its aliases and a compound with its names.

    Parameters
    ----------
    n_splits
        Folds of perturbations.
    unseen
        What the test rows have that no training row has: a ``perturbation`` (``n_splits`` folds of whole groups), a
        ``context`` (each context held out once), or ``both`` (each fold crossed with each context; rows that share
        only one of the two with the test rows are in neither part).
    seed
        Seed of the assignment.
    store
        Path of a warehouse, or an open one, whose names of genes and compounds are to be known.
    """

    __metadata_request__split: ClassVar[dict[str, bool]] = {"groups": True}

    def __init__(
        self,
        n_splits: int = 5,
        *,
        unseen: Literal["perturbation", "context", "both"] = "perturbation",
        seed: int = 0,
        store: Warehouse | str | Path | None = None,
    ) -> None:
        if unseen not in {"perturbation", "context", "both"}:
            raise ValueError(f"unseen is 'perturbation', 'context' or 'both', not {unseen!r}")
        if not isinstance(n_splits, int):
            raise TypeError(f"n_splits is a number of folds, not {n_splits!r}; did you mean unseen={n_splits!r}?")
        self.unseen = unseen
        self.n_splits = n_splits
        self.seed = seed
        self.store = store

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[tuple[Positions, Positions]]:  # noqa: ARG002, N803
        """Yield positions of training and test rows.

        Parameters
        ----------
        X
            Anything where ``groups`` is given; else what groups are, as text.
        y
            Ignored.
        groups
            Perturbations, shape (rows,); for ``context``, contexts; or both, shape (rows, 2), perturbations first.

        Yields
        ------
        Two arrays of row numbers, of the training rows and of the test rows.

        Raises
        ------
        ValueError
            There are fewer groups than folds, or ``groups`` are of another shape.
        FeatureError
            Without ``groups``, X is not text: features say nothing of what must stay together.
        """
        parts = self._parts(_names(X) if groups is None else groups)
        for tests in parts[0]:
            for others in parts[1]:
                test, train = np.flatnonzero(tests & others), np.flatnonzero(~tests & ~others)
                if self.unseen != "both":
                    train = np.flatnonzero(~(tests & others))
                if len(test) and len(train):
                    yield train, test

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:  # noqa: ARG002, N803
        """Return the number of splits; with contexts it depends on the rows.

        Parameters
        ----------
        X, y, groups
            As of :meth:`split`; needed where contexts are held out.

        Raises
        ------
        ValueError
            Contexts are held out, and no rows are given.
        """
        if self.unseen == "perturbation":
            return self.n_splits
        if X is None and groups is None:
            raise ValueError("the number of splits depends on the contexts: give groups")
        return sum(1 for _ in self.split(X, groups=groups))

    def _parts(self, labels: Any) -> tuple[list[npt.NDArray[np.bool_]], list[npt.NDArray[np.bool_]]]:
        """Return the rows of each fold of perturbations, and of each context."""
        values = np.asarray(labels, dtype=object)
        values = values[:, None] if values.ndim == 1 else values
        if self.unseen == "both" and values.shape[1] != _PAIR:
            raise ValueError(f"unseen='both' needs perturbations and contexts, shape (rows, 2), not {values.shape}")
        whole = [np.ones(len(values), dtype=bool)]
        by_context = [values[:, -1] == context for context in dict.fromkeys(values[:, -1])]
        if self.unseen == "context":
            return whole, by_context
        groups = self._groups([str(value) for value in values[:, 0]])
        if groups.n_unique() < self.n_splits:
            raise ValueError(f"{groups.n_unique()} groups of perturbations cannot make {self.n_splits} folds")
        folds = assign_folds(groups, self.n_splits, self.seed)
        by_fold = [folds == fold for fold in range(self.n_splits)]
        return by_fold, whole if self.unseen == "perturbation" else by_context

    def _groups(self, names: list[str]) -> pl.Series:
        series = pl.Series(names, dtype=pl.String())
        if isinstance(self.store, Warehouse):
            return _groups_of(series, self.store)
        if self.store is None:
            return _groups_of(series, None)
        with Warehouse(self.store) as store:
            return _groups_of(series, store)


def _groups_of(names: pl.Series, store: Warehouse | None) -> pl.Series:
    """Group names; a combination that the store does not know as a whole is made of those parts that it knows."""
    rows = _described(names, store)
    is_known = (pl.col("target_gene_ids").list.len() > 0).fill_null(value=False) | pl.col("compound_id").is_not_null()
    named = rows.select(~is_known.alias("is_open"), name=names.str.extract_all(_NAME)).with_row_index("row")
    parts = named.filter("is_open", pl.col("name").list.len() > 1).explode("name")
    atoms = target_atoms(_described(parts["name"].str.strip_chars(), store))
    own = atoms.select("atom", row=parts["row"].gather(atoms["row"])).group_by("row").agg(target_gene_ids="atom")
    return shared_target_groups(rows.with_row_index("row").update(own, on="row").drop("row"))


def _described(names: pl.Series, store: Warehouse | None) -> pl.DataFrame:
    if store is not None:
        return perturbed(store, names)
    return pl.DataFrame(
        {"perturbation_id": names, "target_gene_ids": [None] * len(names), "compound_id": [None] * len(names)},
        schema={"perturbation_id": pl.String(), "target_gene_ids": pl.List(pl.String()), "compound_id": pl.String()},
    )


def _names(features: Any) -> Any:
    """Return what stands for groups where none are given, as long as it is text."""
    values = np.asarray(features)
    is_text = values.dtype.kind == "U"
    if values.dtype == object:
        is_text = all(isinstance(v, str) or v is None or (isinstance(v, float) and np.isnan(v)) for v in values.flat)
    if not is_text:
        raise FeatureError(
            "The perturbations of the rows are not given.",
            where="PerturbationSplit.split",
            expected="groups, or names as X",
            got=f"no groups, and an X that is not text: {type(features).__name__}",
            do="split(X, groups=labels), with the perturbation of every row as labels",
        )
    return features
