"""How many genes a condition changes, by what its source reports: q-values, or its own calls."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from featurestore.contract import FALSE_DISCOVERY_RATE
from featurestore.storage.addresses import plain_path

Numbers = npt.NDArray[np.int32]

NOWHERE = -1
"""In place of the index of a gene that was not measured."""
MOST_ROWS, FEWEST_ROWS = 1_000_000, 3
SAME = 1e-4
MULTIPLES = """
select min(q_value / p_value), max(q_value / p_value), count(distinct p_value)
from (select p_value, q_value from read_parquet($1) where p_value > 0 and q_value < 1 limit $2)
"""


def multiple_of_p(folder: Path) -> int | None:
    """Return by what all p-values of a signature table were multiplied to give q-values; None where by several numbers.

    That is Bonferroni's correction, and no false discovery rate. The first rows are looked at.
    """
    import duckdb  # noqa: PLC0415, of what is summed nobody asks this

    with duckdb.connect(":memory:") as connection:
        row = connection.execute(MULTIPLES, [f"{plain_path(str(folder))}/signature/*.parquet", MOST_ROWS]).fetchone()
    low, high, n = row or (None, None, 0)
    is_fixed = n >= FEWEST_ROWS and low > 1 + SAME and high - low <= SAME * high
    return round(low) if is_fixed else None


class SignificantGenes:
    """Counts the genes that each condition changes, its own targets left out, while their numbers are written.

    Changed is a gene with q < 0.05, or one that is called changed.

    Parameters
    ----------
    condition, genes
        The release's condition and gene tables.
    is_called
        Whether the effects are calls: 0 is not changed.
    """

    def __init__(self, condition: pl.DataFrame, genes: pl.DataFrame, *, is_called: bool) -> None:
        self._is_called = is_called
        slot = dict(genes.select("gene_id", "gene_index").iter_rows())
        own = [[slot.get(gene, NOWHERE) for gene in ids or ()] for ids in condition["target_gene_ids"].to_list()]
        most = max(map(len, own), default=0)
        padded = [[*slots, *[NOWHERE] * (most - len(slots))] for slots in own]
        self._own = np.array(padded, np.int32).reshape(len(own), most).T
        self._n_known = np.zeros(len(own), np.int64)
        self._n_changed = np.zeros(len(own), np.int64)

    def add(self, condition: Numbers, gene: Numbers, effect: Any, q_value: Any) -> None:
        """Count further rows.

        Parameters
        ----------
        condition, gene
            Their indices. Shapes that broadcast.
        effect, q_value
            The numbers, NaN where none is known; None where none are given. Shape (rows,), or (conditions, genes).
        """
        shape = np.broadcast_shapes(condition.shape, gene.shape)
        is_known, is_changed = np.zeros((2, *shape), bool)
        if q_value is not None:
            is_known |= ~np.isnan(q_value)
            is_changed |= q_value < FALSE_DISCOVERY_RATE
        if self._is_called:
            is_known[:] = True
            is_changed |= (effect != 0) & ~np.isnan(effect)
        every = np.broadcast_to(condition, shape)
        for own in self._own:
            is_known &= own[condition] != gene
        is_changed &= is_known
        self._n_known += np.bincount(every[is_known], minlength=self._n_known.size)
        self._n_changed += np.bincount(every[is_changed], minlength=self._n_changed.size)

    def table(self) -> pl.DataFrame:
        """Return ``condition_index`` and ``n_significant``, which is NULL where there is neither q nor call."""
        index = pl.int_range(self._n_known.size, dtype=pl.Int32, eager=True).alias("condition_index")
        n_changed = pl.Series("n_significant", self._n_changed)
        return pl.select(index, pl.when(pl.Series(self._n_known > 0)).then(n_changed).alias("n_significant"))
