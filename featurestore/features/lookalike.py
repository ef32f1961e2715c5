"""Sources that look like the target under another name: a reprocessing or a copy whose experiment_id does not say so.

Two screens of the same genes in the same line agree, but they differ in cell numbers and in noise. Where many matched
conditions have the same number of cells and nearly the same signature, the cells are the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from featurestore.errors import LeakageError
from featurestore.features.perturbations import match_conditions, own_targets
from featurestore.metrics import pearson_delta

if TYPE_CHECKING:
    from featurestore.features.elsewhere import Measured
    from featurestore.features.matrix import SignatureMatrix
    from featurestore.features.selection import Source
    from featurestore.features.spec import Allow

NEARLY_IDENTICAL = 0.98
"""Correlation over genes from which two signatures are nearly identical."""
SAME_NUMBER = 0.05
"""Relative difference up to which two numbers of cells are the same; an unknown number is like any other."""
_FEWEST_GENES = 20
_PAIRS_AT_ONCE = 64
_FEWEST_PAIRS = 3
_SHARE = 0.1
"""Share of the compared pairs from which lookalikes are no accident."""
_SHOWN = 3


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
        At least three pairs, and a tenth of those compared, are alike.
    """
    theirs, ours = measured.shared_genes(matrix.genes)
    pairs = _compared(source, measured)
    difference = (pl.col("n_row") - pl.col("n_source")).abs() / pl.max_horizontal("n_row", "n_source")
    close = pairs.filter((difference <= SAME_NUMBER).fill_null(value=True))
    own = own_targets(measured.rows, measured.genes)
    is_alike = np.zeros(close.height, dtype=bool)
    for first in range(0, close.height, _PAIRS_AT_ONCE):
        some = slice(first, first + _PAIRS_AT_ONCE)
        row, source_row = close["row"].to_numpy()[some], close["source_row"].to_numpy()[some]
        here = np.where(own[np.ix_(row, ours)], np.nan, measured.effects[np.ix_(row, ours)])
        there = matrix.values[np.ix_(source_row, theirs)]
        enough = (np.isfinite(here) & np.isfinite(there)).sum(axis=1) >= _FEWEST_GENES
        is_alike[some] = enough & (pearson_delta(there, here) >= NEARLY_IDENTICAL)
    alike = close.filter(is_alike)
    named = pl.DataFrame(
        {"target": [pair.target for pair in allow], "source": [pair.source for pair in allow]},
        schema={"target": pl.String(), "source": pl.String()},
    )
    refused = alike.join(named, on=["target", "source"], how="anti", maintain_order="left")
    if refused.height >= max(_FEWEST_PAIRS, _SHARE * pairs.height):
        raise _lookalike(source, refused, pairs.height, measured)
    return {
        "source": source.block,
        "n_compared": pairs.height,
        "n_alike": alike.height,
        "n_allowed": alike.height - refused.height,
    }


def _compared(source: Source, measured: Measured) -> pl.DataFrame:
    """Pair rows with all conditions of the same perturbation in other experiments."""
    matches = match_conditions(measured.rows, source.conditions)
    return matches.with_columns(
        target=measured.rows["experiment_id"].gather(matches["row"]),
        source=source.conditions["experiment_id"].gather(matches["source_row"]),
        n_row=measured.rows["n_cells"].gather(matches["row"]),
        n_source=source.conditions["n_cells"].gather(matches["source_row"]),
    ).filter(pl.col("target") != pl.col("source"))


def _lookalike(source: Source, alike: pl.DataFrame, n_compared: int, measured: Measured) -> LeakageError:
    first = alike.head(_SHOWN)
    names = zip(
        measured.rows["condition_id"].gather(first["row"]),
        source.conditions["condition_id"].gather(first["source_row"]),
        strict=True,
    )
    shown = "; ".join(f"{row} and {other}" for row, other in names)
    return LeakageError(
        f"Source {source.name} looks like the target under another name.",
        where=f"feature {source.block}",
        expected=f"signatures of other cells, which do not correlate above {NEARLY_IDENTICAL} at equal cell numbers",
        got=f"{alike.height} of {n_compared} matched conditions nearly identical: {shown}",
        do=f"leave the dataset out; if these are other cells, say so: [[allow]] target = '{first['target'][0]}', "
        f"source = '{first['source'][0]}', reason = '...'",
    )
