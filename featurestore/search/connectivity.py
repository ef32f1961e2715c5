"""The scores that compare sets of a query with every signature of a dataset: wtcs, ncs, tau and xsum, with p-values."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from featurestore.features.effects.similarity import FEWEST_GENES, Floats, Rows
from featurestore.search.background import spread
from featurestore.search.block import SignatureBlock
from featurestore.search.correlation import count_known
from featurestore.search.enrichment import Ranks, connectivity, extreme_sum, set_enrichment, sets_enrichment
from featurestore.search.null import n_random_sets, p_of_pool, random_sets
from featurestore.search.query import Query

N_EXTREME = 100
"""Genes of a signature that xsum looks at."""
N_SAMPLED = 2000
"""Signatures, spread over the dataset, that random sets are scored in."""
Sets = Sequence[npt.NDArray[np.intp]]


def set_scores(block: SignatureBlock, query: Query, kind: str) -> tuple[Floats, Floats, npt.NDArray[np.int64]]:
    """Score the sets of a query in every signature of a block: ``wtcs`` or ``xsum``.

    Returns
    -------
    The scores, their p-values, and the number of the sets' genes that each signature has; shape (signatures,) each.
    """
    sets = query.members(block)
    n_genes = count_known(block.rows, np.concatenate(sets))
    if len(n_genes) == 0 or n_genes.max() < FEWEST_GENES:
        return np.full(len(n_genes), np.nan), np.full(len(n_genes), np.nan), n_genes
    score = _score(block.rows, block.ranks, sets, kind)
    score[n_genes < FEWEST_GENES] = np.nan
    at = spread(len(block.rows), N_SAMPLED)
    rows, ranks = block.rows[at], block.ranks[at]
    rng = np.random.default_rng(0)
    drawn = (random_sets(list(sets), block.mobility, rng) for _ in range(n_random_sets(len(at))))
    pool = np.concatenate([_score(rows, ranks, each, kind) for each in drawn])
    return score, p_of_pool(score, pool), n_genes


def _score(rows: Rows, ranks: Ranks, sets: Sets, kind: str) -> Floats:
    up, down = sets
    if kind == "xsum":
        return extreme_sum(rows, up, down, N_EXTREME)
    if not len(down) or not len(up):
        return set_enrichment(rows, ranks, up) if len(up) else -set_enrichment(rows, ranks, down)
    return connectivity(*sets_enrichment(rows, ranks, sets))


def normalised(score: Floats, conditions: pl.DataFrame) -> Floats:
    """Return ncs: scores over the mean magnitude of those of one sign, context and kind of perturbation."""
    frame = conditions.select(
        "context_id", "perturbation_kind", score=pl.Series(score, dtype=pl.Float64()).fill_nan(None)
    )
    sign = pl.col("score").sign()
    mean = pl.col("score").abs().mean().over("context_id", "perturbation_kind", sign)
    ncs = frame.select(pl.when(pl.col("score") == 0).then(0.0).otherwise(pl.col("score") / mean))
    return ncs.to_series().fill_null(float("nan")).to_numpy(writable=True)


def percentile(ncs: Floats, block: SignatureBlock, references: Sequence[Query]) -> Floats:
    """Return tau: the signed share, in percent, of references whose ncs with a signature is of less magnitude."""
    n_less, n_known = np.zeros(len(ncs)), np.zeros(len(ncs))
    for reference in references:
        sets = reference.members(block)
        if not len(sets[0]) or not len(sets[1]):
            continue
        theirs = normalised(_score(block.rows, block.ranks, sets, "wtcs"), block.conditions)
        theirs[block.is_own(reference.own)] = np.nan
        is_known = np.isfinite(theirs)
        n_known += is_known
        n_less += is_known & (np.abs(np.nan_to_num(theirs)) < np.abs(ncs))
    share = np.where(n_known > 0, 100.0 * n_less / np.maximum(n_known, 1), np.nan)
    return np.where(np.isnan(ncs), np.nan, np.sign(ncs) * share)
