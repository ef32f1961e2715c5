"""Which name of a gene a value is taken from, where the rows of a condition list the gene by several.

A file's lines come sorted, so names of one gene stand together; of conditions that several files list, only the lines
of genes with several names are looked at beforehand.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from ingest.conditions.axis import GeneAxis
from ingest.harmonise.gene_axis import RELIABILITY
from ingest.release.tables import as_numpy
from ingest.reported.long_table import LongTable

PAIR = ["condition_index", "gene_index"]
NONE = (-1, -1, -1)
"""Before the first line of a file: no condition, gene and rank."""


def ranked_names(names: pl.Series, axis: GeneAxis) -> pl.DataFrame:
    """Return the names that have a gene, best first: gene, gene_index, ledger_row and rank, the number of the row."""
    table = pl.DataFrame({"gene": names, "gene_index": axis.slots, "ledger_row": axis.ledger_row})
    placed = table.filter(pl.col("gene_index") >= 0)
    status = axis.mapping["status"].gather(placed["ledger_row"])
    reliability = status.replace_strict(RELIABILITY, return_dtype=pl.Int32)
    best_first = placed.with_columns(reliability=reliability).sort("reliability", maintain_order=True)
    return best_first.drop("reliability").with_columns(rank=pl.int_range(pl.len(), dtype=pl.Int32))


def shared_conditions(lines: Sequence[pl.DataFrame]) -> pl.Series:
    """List the conditions that several files have."""
    conditions = pl.concat([each["condition_index"].unique() for each in lines])
    return conditions.filter(conditions.is_duplicated()).unique()


def best_between(tables: Sequence[LongTable], lines: Sequence[pl.DataFrame], names: pl.DataFrame) -> pl.DataFrame:
    """Find the best name of each gene with several names in each condition of several files, as its rank."""
    found = [pl.DataFrame(schema=dict.fromkeys([*PAIR, "best"], pl.Int32))]
    rivals = names.filter(pl.col("gene_index").is_duplicated())
    shared = shared_conditions(lines)
    if rivals.height and shared.len():
        for table, each in zip(tables, lines, strict=True):
            of_shared = each.filter(pl.col("condition_index").is_in(shared.implode()))
            batches = (pl.DataFrame(pa.Table.from_batches([b])) for b in table.effects(of_shared, rivals))
            found.extend(batch.select(*PAIR, best="rank") for batch in batches)
    return pl.concat(found).group_by(PAIR).agg(pl.col("best").min())


class NameChoice:
    """Takes of each condition and gene the line with the best name, and counts what it leaves out.

    Parameters
    ----------
    n_names
        How many names there are.
    between
        What `best_between` finds.
    """

    def __init__(self, n_names: int, between: pl.DataFrame) -> None:
        self.left_out = np.zeros(n_names, np.int64)
        """Values left out of each name, by its rank."""
        self._between = between
        self._last: tuple[int, ...] = NONE

    def start(self) -> None:
        """Begin with a file."""
        self._last = NONE

    def take(self, batch: pa.RecordBatch) -> tuple[pa.RecordBatch, tuple[int, int] | None]:
        """Take lines of a batch.

        Parameters
        ----------
        batch
            What `LongTable.effects` streams.

        Returns
        -------
        The lines that are taken; and a condition and gene that two lines list by one name, if there are any.
        """
        if not batch.num_rows:
            return batch, None
        keys = [as_numpy(batch.column(name)) for name in (*PAIR, "rank")]
        last, self._last = self._last, tuple(int(key[-1]) for key in keys)
        is_worse = np.concatenate([keys[1][:1] == last[1], keys[1][1:] == keys[1][:-1]])
        if is_worse.any():  # a tile of few genes, or a gene by several names
            same = [np.diff(key, prepend=before) == 0 for key, before in zip(keys, last, strict=True)]
            is_worse = same[0] & same[1]
            repeated = np.flatnonzero(is_worse & same[2])
            if repeated.size:
                return batch, (int(keys[0][repeated[0]]), int(keys[1][repeated[0]]))
        if self._between.height:
            pairs = pl.DataFrame(dict(zip(PAIR, keys, strict=False)))
            best = pairs.join(self._between, on=PAIR, how="left", maintain_order="left")["best"]
            is_worse |= (best < pl.Series(keys[2])).fill_null(value=False).to_numpy()
        if not is_worse.any():
            return batch, None
        self.left_out += np.bincount(keys[2][is_worse], minlength=self.left_out.size)
        return batch.filter(pa.array(~is_worse)), None


def with_left_out(mapping: pl.DataFrame, names: pl.DataFrame, left_out: npt.NDArray[np.int64]) -> pl.DataFrame:
    """Note in the ledger of which names how many values were left out."""
    counted = names.select(row="ledger_row", n=pl.Series(left_out)).filter(pl.col("n") > 0)
    remarks = counted.select("row", remark=pl.format("{} values left out: listed by a better name too", "n"))
    joined = mapping.with_row_index("row").with_columns(pl.col("row").cast(pl.Int32))
    joined = joined.join(remarks, on="row", how="left", maintain_order="left")
    note = pl.when(pl.col("remark").is_null()).then("note")
    both = pl.concat_str("note", "remark", separator="; ", ignore_nulls=True)
    return joined.with_columns(note=note.otherwise(both)).select(mapping.columns)
