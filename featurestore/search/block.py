"""The signatures of one dataset as rows that can be compared: scaled, without what they share, own targets left out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import polars as pl

from featurestore.contract import EFFECT_KINDS, TILE_CONDITIONS
from featurestore.errors import FeatureError
from featurestore.features.effects.signature_matrix import signature_matrix
from featurestore.features.effects.similarity import Floats, Rows, encoded, in_shares
from featurestore.query.sqlfiles import sql_files
from featurestore.search.background import Background, fit_background, scaled, spread
from featurestore.search.enrichment import Ranks, ranked

if TYPE_CHECKING:
    from featurestore.query.warehouse import Warehouse

AT_ONCE_BYTES = 64 * 2**20
"""What the effects of the conditions that are read at once take, in double precision."""
N_NEAREST = 10
"""Neighbours that say how crowded it is around a signature, as Conneau et al. 2018 take."""
MOST_NEIGHBOURS = 2000
_DENSE = 0.99
_BY_PREFERENCE = ("delta_log1p", "moderated_z", "zscore", "log2_fold_change", "signed_log10_p", "de_call")
_GENES = "select gene_id from release.gene where dataset_id = ? order by gene_index"
_KINDS = "select distinct effect_kind from release.signature where dataset_id = ?"


@dataclass(frozen=True)
class SignatureBlock:
    """Signatures of one dataset.

    Parameters
    ----------
    dataset_id, effect_kind
        The dataset, and the kind of effect that was read: one, never several.
    conditions
        What is known of each signature.
    genes
        gene_id of each column, in order.
    rows
        Encoded for :mod:`featurestore.search.enrichment`, shape (signatures, genes).
    kept
        What an index has besides: ranks and crowding, made when they are asked for where it is empty.
    whole
        What these signatures are a part of.
    """

    dataset_id: str
    effect_kind: str
    conditions: pl.DataFrame
    genes: npt.NDArray[np.str_]
    rows: Rows
    kept: dict[str, npt.NDArray[np.generic]]
    whole: SignatureBlock | None = None

    @cached_property
    def ranks(self) -> Ranks:
        """Each gene's place in its row by falling value, shape (signatures, genes)."""
        return self.kept["ranks"] if "ranks" in self.kept else ranked(self.rows)  # type: ignore[return-value]

    @cached_property
    def mobility(self) -> Floats:
        """Root mean square of each gene over signatures spread evenly over the dataset, shape (genes,)."""
        part = self.rows[spread(len(self.rows), MOST_NEIGHBOURS)]
        return np.asarray(np.sqrt(np.square(part, dtype=np.float64).mean(axis=0)))

    @cached_property
    def crowding(self) -> Floats:
        """Mean cosine of each signature with those nearest to it, shape (signatures,); see :func:`crowding`."""
        if "crowding" in self.kept:
            return self.kept["crowding"]  # type: ignore[return-value]
        return crowding(self.rows)

    @cached_property
    def norms(self) -> Rows:
        """Euclidean norm of each row, shape (signatures,)."""
        return self.kept["norms"] if "norms" in self.kept else norms(self.rows)  # type: ignore[return-value]

    @cached_property
    def is_dense(self) -> bool:
        """Whether nearly all genes were measured in nearly all signatures, of those spread evenly over the dataset."""
        part = self.rows[spread(len(self.rows), MOST_NEIGHBOURS)]
        return bool((part != 0).mean() > _DENSE)

    def part(self, at: npt.NDArray[np.intp]) -> SignatureBlock:
        """Return some of the signatures."""
        return replace(self, conditions=self.conditions[at], rows=self.rows[at], kept={}, whole=self)

    def is_own(self, keys: Collection[tuple[str, str]]) -> npt.NDArray[np.bool_]:
        """Say which signatures are of these conditions: dataset_id and condition_id of each."""
        ids = [condition_id for dataset_id, condition_id in keys if dataset_id == self.dataset_id]
        return self.conditions["condition_id"].is_in(ids).to_numpy()

    def columns_of(self, genes: npt.NDArray[np.str_]) -> npt.NDArray[np.intp]:
        """Find genes among the columns, shape (genes,); -1 where they are none."""
        if not len(self.genes):
            return np.full(len(genes), -1)
        at = np.minimum(np.searchsorted(self.genes, genes), len(self.genes) - 1)
        return np.where(self.genes[at] == genes, at, -1)


def crowding(rows: Rows) -> Floats:
    """Return the mean cosine of each row with those nearest to it among some spread over all; a row is none of its own.

    What is missing is taken as 0.
    """
    near = spread(len(rows), MOST_NEIGHBOURS)
    other = _unit(rows[near])
    found = np.zeros(len(rows))
    n_nearest = min(N_NEAREST, len(near) - 1)
    if n_nearest < 1:
        return found

    def work(first: int, last: int) -> None:
        for at in range(first, last, 1024):
            stop = min(at + 1024, last)
            cosine = _unit(rows[at:stop]) @ other.T
            own = np.flatnonzero((near >= at) & (near < stop))
            cosine[near[own] - at, own] = -np.inf
            found[at:stop] = np.partition(cosine, -n_nearest, axis=1)[:, -n_nearest:].mean(axis=1)

    in_shares(len(rows), work)
    return found


def norms(rows: Rows) -> Rows:
    """Return the Euclidean norm of each row, shape (rows,), some at a time."""
    found = np.empty(len(rows), np.float32)
    for at in range(0, len(rows), 4096):
        part = rows[at : at + 4096]
        found[at : at + 4096] = np.sqrt(np.einsum("ij,ij->i", part, part))
    return found


def _unit(rows: Rows) -> Rows:
    return np.asarray(rows / np.maximum(norms(rows), np.float32(1e-20))[:, None])


@dataclass(frozen=True)
class Preparation:
    """How the signatures of a dataset are read and prepared, some at a time."""

    dataset_id: str
    effect_kind: str
    conditions: pl.DataFrame
    genes: npt.NDArray[np.str_]
    chunks: Callable[[], Iterator[tuple[slice, Floats]]]
    background: Background | None

    def prepared(self) -> Iterator[tuple[slice, Rows]]:
        """Yield encoded rows, and which they are."""
        targets = self.conditions["target_gene_ids"].to_list()
        for rows, values in self.chunks():
            clean = values if self.background is None else self.background.removed(values, rows)
            for i, own in enumerate(targets[rows]):
                for gene in own or ():
                    at = int(np.searchsorted(self.genes, gene))
                    if at < len(self.genes) and self.genes[at] == gene:
                        clean[i, at] = np.nan
            yield rows, encoded(clean)


def prepare(warehouse: Warehouse, dataset_id: str, *, keep_background: bool = False) -> Preparation | None:
    """Say how a dataset's signatures are to be read; None where it has none."""
    searchable = sql_files("features")["searchable"]
    with warehouse.cursor([dataset_id], _KINDS + searchable) as cursor:
        kinds = {row[0] for row in cursor.execute(_KINDS, [dataset_id]).fetchall()}
        found: pl.DataFrame = cursor.sql(searchable, params={"dataset_id": dataset_id}).pl()
    known = [kind for kind in (*_BY_PREFERENCE, *EFFECT_KINDS) if kind in kinds]
    if not known or found.is_empty():
        return None
    conditions = found.drop("condition_index")
    ids = conditions["condition_id"]
    with warehouse.cursor([dataset_id], _GENES) as cursor:
        genes = cursor.sql(_GENES, params=[dataset_id]).pl()["gene_id"]
    measured = genes.to_numpy().astype(np.str_)
    order = np.argsort(measured)
    n_at_once = max(1, AT_ONCE_BYTES // (8 * max(1, len(order)) * TILE_CONDITIONS)) * TILE_CONDITIONS

    def chunks() -> Iterator[tuple[slice, Floats]]:
        for first in range(0, len(ids), n_at_once):
            part = ids[first : first + n_at_once]
            try:
                values = signature_matrix(warehouse, dataset_id, part, known[0]).values[:, order]
            except FeatureError:  # none of these has the kind that others have
                values = np.full((len(part), len(order)), np.nan, np.float32)
            yield slice(first, first + len(part)), scaled(values)

    background = None if keep_background else fit_background(conditions, len(order), chunks)
    return Preparation(dataset_id, known[0], conditions, measured[order], chunks, background)


def read_block(warehouse: Warehouse, dataset_id: str, *, keep_background: bool = False) -> SignatureBlock | None:
    """Read and prepare the signatures of a dataset; None where it has none."""
    how = prepare(warehouse, dataset_id, keep_background=keep_background)
    if how is None:
        return None
    rows = np.empty((how.conditions.height, len(how.genes)), np.float32)
    for part, values in how.prepared():
        rows[part] = values
    return SignatureBlock(dataset_id, how.effect_kind, how.conditions, how.genes, rows, {})
