"""Sources that look like the target under another name: a reprocessing or a copy whose experiment_id does not say so.

Two screens of the same genes in the same line agree, but they differ in cell numbers and in noise. Where many matched
conditions have the same number of cells and nearly the same signature, the cells are the same.

Of ``m`` rows and ``n`` source conditions of one perturbation, at several doses, times or contexts, a copy makes the
smaller number alike, not all ``m * n`` pairs. So that many are counted, alike and compared; and where a condition has
many pairs, of which one may look alike by chance, few genes must agree better.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import polars as pl

from featurestore.errors import LeakageError
from featurestore.features.effects.elsewhere import as_run
from featurestore.features.guard.near_duplicate import NEARLY_IDENTICAL, near_duplicate
from featurestore.features.matching import match_conditions
from featurestore.features.perturbations import own_targets, structure_key
from featurestore.metrics import pearson_delta

if TYPE_CHECKING:
    from featurestore.features.effects.elsewhere import Measured
    from featurestore.features.effects.signature_matrix import SignatureMatrix
    from featurestore.features.sections import Allow
    from featurestore.features.selection import Source

SAME_NUMBER = 0.05
"""Relative difference up to which two numbers of cells are the same; an unknown number is like any other."""
_FEWEST_GENES = 20
_PAIRS_AT_ONCE = 64
_FEWEST_PAIRS = 3
_SHARE = 0.1
"""Share of the compared conditions, each counted once, from which lookalikes are no accident."""
_SHOWN = 3
_SLACK = 0.02
"""Correlations this far below the least are not looked at closely: they are rough by a tenth of it."""
_CLEAR = 0.1
"""Share of a row's squares that has to be variance, or single precision could hide it."""


def check_lookalikes(
    source: Source, matrix: SignatureMatrix, measured: Measured, allow: Sequence[Allow] = ()
) -> dict[str, Any]:
    """Compare every condition of a source with the rows of the same perturbation.

    Own target genes are left out: any two screens of a gene share its knock-down. So are the row's own experiment,
    which is judged by its name, and pairs of experiments that the spec allows.

    Returns
    -------
    The verdict for the manifest: pairs compared, pairs alike, and pairs alike that the spec allows.

    Raises
    ------
    LeakageError
        At least three pairs, and a tenth of the conditions compared, are alike.
    """
    theirs, ours = measured.shared_genes(matrix.genes)
    pairs = _compared(source, measured)
    difference = (pl.col("n_row") - pl.col("n_source")).abs() / pl.max_horizontal("n_row", "n_source")
    close = pairs.filter((difference <= SAME_NUMBER).fill_null(value=True))
    own, effects = own_targets(measured.rows, measured.genes)[:, as_run(ours)], measured.effects[:, as_run(ours)]
    values = matrix.values[:, as_run(theirs)]
    n_each = close["n_each"].to_numpy()
    is_alike = np.zeros(close.height, dtype=bool)
    for first in range(0, close.height, _PAIRS_AT_ONCE):
        some = slice(first, first + _PAIRS_AT_ONCE)
        row, source_row = close["row"].to_numpy()[some], close["source_row"].to_numpy()[some]
        here, there = np.where(own[row], np.nan, effects[row]), values[source_row]
        n_genes, rough = rough_correlation(here, there)
        least = _least_correlation(n_genes, n_each[some])
        near = np.flatnonzero((n_genes >= _FEWEST_GENES) & (rough >= least - _SLACK))
        if len(near):
            is_alike[first + near] = pearson_delta(there[near], here[near]) >= least[near]
    alike = close.filter(is_alike)
    named = pl.DataFrame(
        {"target": [pair.target for pair in allow], "source": [pair.source for pair in allow]},
        schema={"target": pl.String(), "source": pl.String()},
    )
    refused = alike.join(named, on=["target", "source"], how="anti", maintain_order="left")
    if refused.height >= _FEWEST_PAIRS and _conditions(refused) >= _SHARE * _conditions(pairs):
        raise _lookalike(source, refused, _conditions(pairs), measured)
    return {
        "source": source.block,
        "n_compared": pairs.height,
        "n_alike": alike.height,
        "n_allowed": alike.height - refused.height,
    }


def rough_correlation(
    here: npt.NDArray[np.float32], there: npt.NDArray[np.float32]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Count the genes that two rows share, and correlate them to within :data:`_SLACK`; 1 where rounding hides it."""
    shared = np.isfinite(here) & np.isfinite(there)
    a, b = (np.where(shared, side, np.float32(0)) for side in (here, there))
    n = shared.sum(axis=1)
    means = [side.sum(axis=1, dtype=np.float64) / np.maximum(n, 1) for side in (a, b)]
    squares = [np.einsum("ij,ij->i", side, side).astype(np.float64) for side in (a, b)]
    of_a, of_b = (square - n * mean**2 for square, mean in zip(squares, means, strict=True))
    is_clear = (of_a > _CLEAR * squares[0]) & (of_b > _CLEAR * squares[1])
    joint = np.einsum("ij,ij->i", a, b) - n * means[0] * means[1]
    return n, np.where(is_clear, joint / np.sqrt(np.where(is_clear, of_a * of_b, 1.0)), 1.0)


def _compared(source: Source, measured: Measured) -> pl.DataFrame:
    """Pair rows with all conditions of the same perturbation elsewhere: of ``n_each`` a condition may look like one."""
    matches = match_conditions(measured.rows, source.conditions)
    pairs = matches.with_columns(
        key=measured.rows.select(key=structure_key())["key"].gather(matches["row"]),
        target=measured.rows["experiment_id"].gather(matches["row"]),
        source=source.conditions["experiment_id"].gather(matches["source_row"]),
        n_row=measured.rows["n_cells"].gather(matches["row"]),
        n_source=source.conditions["n_cells"].gather(matches["source_row"]),
    ).filter(pl.col("target") != pl.col("source"))
    return pairs.with_columns(n_each=pl.max_horizontal(pl.col("row", "source_row").n_unique().over("key")))


def _least_correlation(n_genes: npt.NDArray[np.int64], n_pairs: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Return the correlation to reach: above that of nearly identical ones by the best chance of several pairs.

    The largest of ``n`` standard normal variables is below the root of ``2 log n``; Fisher's transform of a correlation
    over ``g`` genes has the standard error ``1 / sqrt(g - 3)``.
    """
    chance = np.sqrt(2 * np.log(n_pairs) / (np.maximum(n_genes, _FEWEST_GENES) - 3))
    return np.where(n_pairs > 1, np.tanh(np.arctanh(NEARLY_IDENTICAL) + chance), NEARLY_IDENTICAL)


def _conditions(pairs: pl.DataFrame) -> int:
    """Count conditions once: of each perturbation its rows or its source conditions, whichever are fewer."""
    each = pairs.group_by("key").agg(n=pl.min_horizontal(pl.col("row", "source_row").n_unique()))
    return int(each["n"].sum())


def _lookalike(source: Source, alike: pl.DataFrame, n_compared: int, measured: Measured) -> LeakageError:
    first = alike.head(_SHOWN)
    names = zip(
        measured.rows["condition_id"].gather(first["row"]),
        source.conditions["condition_id"].gather(first["source_row"]),
        strict=True,
    )
    shown = "; ".join(f"{row} and {other}" for row, other in names)
    return near_duplicate(
        source,
        "",
        expected=f"signatures of other cells, which do not correlate above {NEARLY_IDENTICAL} at equal cell numbers",
        got=f"{_conditions(alike)} of {n_compared} matched conditions nearly identical: {shown}",
        do=f"leave the dataset out; if these are other cells, say so: [[allow]] target = '{first['target'][0]}', "
        f"source = '{first['source'][0]}', reason = '...'",
    )
