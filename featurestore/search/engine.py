"""Compare one query with every signature of a warehouse."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

import numpy as np
import numpy.typing as npt
import polars as pl

from featurestore.features.effects.similarity import FEWEST_GENES, Floats
from featurestore.query.sqlfiles import sql_files
from featurestore.search.background import spread
from featurestore.search.block import N_NEAREST, SignatureBlock, read_block
from featurestore.search.connectivity import normalised, percentile, set_scores
from featurestore.search.correlation import correlate, count_known
from featurestore.search.index import indexed_block, is_indexed
from featurestore.search.null import inflation_of, p_of_z
from featurestore.search.query import Query, combined_query

if TYPE_CHECKING:
    from featurestore.query.warehouse import Warehouse

Score: TypeAlias = Literal["cosine", "pearson", "spearman", "csls", "wtcs", "ncs", "tau", "xsum"]
SCORES: tuple[Score, ...] = get_args(Score)
OF_VALUES: tuple[Score, ...] = ("cosine", "pearson", "spearman", "csls")
"""Scores that compare values, rather than the sets at both ends of a query."""
SHORTLIST = 1000
"""Signatures at each end of a large dataset, at least, that are compared gene by gene."""
N_SPREAD = 2500
"""Signatures of a large dataset, spread over it, that say how wide its scores spread."""
N_REFERENCES = 100
"""Responders, spread over the warehouse, whose connectivity tau is a percentile of."""
ANSWER = (
    "dataset_id", "condition_id", "perturbation", "context_label", "dose_um", "time_h", "score", "p_value", "q_value",
    "n_genes", "is_responder",
)  # fmt: skip
Report: TypeAlias = Callable[[str], None]


@dataclass(frozen=True)
class Signatures:
    """All signatures of a warehouse that are compared, by dataset."""

    blocks: tuple[SignatureBlock, ...]

    def references(self) -> list[Query]:
        """Return queries of responders spread over the warehouse; of any conditions where none is one."""
        frame = pl.concat(
            [
                block.conditions.select("condition_id", "is_responder", number=pl.lit(number)).with_row_index("row")
                for number, block in enumerate(self.blocks)
            ]
        )
        responders = frame.filter(pl.col("is_responder"))
        chosen = responders if responders.height else frame
        chosen = chosen[spread(chosen.height, N_REFERENCES)]
        return [
            self.query_of_row(self.blocks[number], row) for number, row in chosen.select("number", "row").iter_rows()
        ]

    @staticmethod
    def query_of_row(block: SignatureBlock, row: int) -> Query:
        """Return one signature as a query."""
        values = block.rows[row]
        key = (block.dataset_id, str(block.conditions["condition_id"][int(row)]))
        is_here = values != 0
        return Query("/".join(key), block.genes[is_here], values[is_here], own=frozenset({key}))

    def query_of(self, own: Collection[tuple[str, str]], name: str) -> Query:
        """Return the mean of some signatures as a query."""
        return combined_query(self.blocks, own, name)


_READ: weakref.WeakKeyDictionary[Warehouse, dict[bool, Signatures]] = weakref.WeakKeyDictionary()
_LOCK = threading.Lock()


def signatures_of(
    warehouse: Warehouse, *, keep_background: bool = False, report: Report = lambda _: None
) -> Signatures:
    """Return the signatures of a warehouse, read once as long as it is open."""
    with _LOCK:
        known = _READ.setdefault(warehouse, {})
        if keep_background not in known:
            blocks = []
            for number, dataset_id in enumerate(sorted(warehouse.snapshot.datasets), start=1):
                report(f"reading {dataset_id} ({number} of {len(warehouse.snapshot.datasets)})")
                block = None if keep_background else indexed_block(warehouse, dataset_id)
                block = block or read_block(warehouse, dataset_id, keep_background=keep_background)
                if block is not None:
                    blocks.append(block)
            known[keep_background] = Signatures(tuple(blocks))
        return known[keep_background]


def is_at_hand(warehouse: Warehouse) -> bool:
    """Say whether the signatures were read before, or all have an index: a first search reads every dataset."""
    with _LOCK:
        return False in _READ.get(warehouse, {}) or all(
            is_indexed(warehouse, dataset_id) for dataset_id in warehouse.snapshot.datasets
        )


def conditions_where(warehouse: Warehouse, where: str) -> pl.DataFrame:
    """Return dataset_id and condition_id where a user's SQL says so, inside one SELECT that the warehouse confines."""
    selectable = sql_files("features")["selectable"]
    return warehouse.frame(f"select dataset_id, condition_id from (\n{selectable}\n) where (\n{where}\n)")  # noqa: S608


def most_alike(
    signatures: Signatures, query: Query, n_shown: int, report: Report = lambda _: None
) -> tuple[pl.DataFrame, int]:
    """Score by cosine those signatures that can be at either end of the list: in large datasets, not all.

    There, one product of matrix and vector says which are looked at, :data:`SHORTLIST` at each end at least. It takes
    genes that one side lacks as 0 rather than leaving them out of both norms.

    Returns
    -------
    As :func:`compare`, and how many further signatures were looked over.
    """
    short, n_others = [], 0
    for block in signatures.blocks:
        n_kept = max(SHORTLIST, 20 * n_shown)
        if len(block.rows) <= 4 * n_kept or not block.is_dense:
            short.append(block)
            continue
        report(f"comparing with {len(block.rows):,} signatures of {block.dataset_id}")
        alike = (block.rows @ query.on(block)) / np.maximum(block.norms, np.float32(1e-20))
        order = np.argpartition(alike, [n_kept, len(alike) - n_kept])
        chosen = np.sort(np.concatenate([order[:n_kept], order[len(order) - n_kept :]]))
        short.append(block.part(chosen))
        n_others += len(block.rows) - len(chosen)
    return compare(Signatures(tuple(short)), query, "cosine", report), n_others


def compare(signatures: Signatures, query: Query, score: Score, report: Report = lambda _: None) -> pl.DataFrame:
    """Score every signature but the query's own.

    Returns
    -------
    What is known of each condition, with score, p_value and n_genes; signatures without a score are left out.
    """
    references: Sequence[Query] = signatures.references() if score == "tau" else ()
    parts = []
    for block in signatures.blocks:
        report(f"comparing with {len(block.rows):,} signatures of {block.dataset_id}")
        values, p, n_genes = _compared(block, query, score, references)
        frame = block.conditions.with_columns(
            effect_kind=pl.lit(block.effect_kind),
            score=pl.Series(values, dtype=pl.Float64()),
            p_value=pl.Series(p, dtype=pl.Float64()),
            n_genes=pl.Series(n_genes, dtype=pl.Int64()),
        ).filter(pl.col("score").is_finite())
        parts.append(frame)
    found = pl.concat(parts)
    own = pl.DataFrame(sorted(query.own), schema={"dataset_id": pl.String, "condition_id": pl.String}, orient="row")
    return found.join(own, on=["dataset_id", "condition_id"], how="anti", maintain_order="left")


def _compared(
    block: SignatureBlock, query: Query, score: Score, references: Sequence[Query]
) -> tuple[Floats, Floats, npt.NDArray[np.int64]]:
    """Return scores, p-values and numbers of shared genes."""
    if score not in OF_VALUES:
        values, p, n_genes = set_scores(block, query, "xsum" if score == "xsum" else "wtcs")
        if score in {"ncs", "tau"}:
            values = normalised(values, block.conditions)
        if score == "tau":
            values = percentile(values, block, references)
        return values, p, n_genes
    on_block = query.on(block)
    kind = "cosine" if score == "csls" else score
    values, z, n_genes = correlate(block.rows, on_block, kind)
    if query.is_sets:
        n_genes = count_known(block.rows, np.concatenate(query.members(block)))
        values, z = (np.where(n_genes >= FEWEST_GENES, each, np.nan) for each in (values, z))
    if score == "csls":
        known = np.sort(values[np.isfinite(values) & ~block.is_own(query.own)])
        values = 2 * values - block.crowding - (known[-N_NEAREST:].mean() if known.size else 0.0)
    whole = block.whole or block
    if len(whole.rows) > N_SPREAD:
        sampled = whole.rows[spread(len(whole.rows), N_SPREAD)]
        return values, p_of_z(z, inflation_of(correlate(sampled, on_block, kind)[1])), n_genes
    return values, p_of_z(z, inflation_of(z)), n_genes
