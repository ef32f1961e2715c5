"""The genes that signatures of one perturbation change most surely, beside each other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

OF_EACH = 10
"""Genes that each signature brings."""
_Z_SCORES = ("moderated_z", "zscore")
"""Kinds of effects that are z-scores themselves."""


def surest_genes(signatures: Sequence[pl.DataFrame]) -> tuple[list[str], npt.NDArray[np.float64]]:
    """Read the z of the surest genes of each signature in all of them, raised genes first.

    Parameters
    ----------
    signatures
        Columns ``gene``, ``effect``, ``effect_kind`` and ``z``; where effects are z-scores themselves, as those of
        L1000, they are read.

    Returns
    -------
    The genes, and values of shape (genes, signatures); NaN where a gene was not measured or not tested.
    """
    is_z = pl.col("effect_kind").is_in(_Z_SCORES)
    scored = [
        each.drop_nulls("gene")
        .with_columns(z=pl.when(is_z).then("effect").otherwise("z"))
        .sort(pl.col("z").abs(), descending=True, nulls_last=True)
        for each in signatures
    ]
    genes = list(dict.fromkeys(gene for each in scored for gene in each.drop_nulls("z")["gene"].head(OF_EACH)))
    values = np.full((len(genes), len(signatures)), np.nan)
    for column, each in enumerate(scored):
        found = dict(each.select("gene", "z").iter_rows())
        values[:, column] = [np.nan if found.get(gene) is None else found[gene] for gene in genes]
    order = np.argsort(-np.nan_to_num(values).mean(axis=1), kind="stable") if genes else np.arange(0)
    return [genes[at] for at in order], values[order]
