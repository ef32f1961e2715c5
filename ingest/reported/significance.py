"""How many genes a condition changes, by what its source reports: q-values, or its own calls."""

from __future__ import annotations

from pathlib import Path

import duckdb
import polars as pl

from featurestore.contract import FALSE_DISCOVERY_RATE

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
    with duckdb.connect(":memory:") as connection:
        row = connection.execute(MULTIPLES, [str(folder / "signature" / "*.parquet"), MOST_ROWS]).fetchone()
    low, high, n = row or (None, None, 0)
    is_fixed = n >= FEWEST_ROWS and low > 1 + SAME and high - low <= SAME * high
    return round(low) if is_fixed else None


def count_significant(folder: Path, condition: pl.DataFrame, genes: pl.DataFrame) -> pl.DataFrame:
    """Count over a staged signature table, a condition's own targets left out.

    Parameters
    ----------
    folder
        The staged release, its signature table written.
    condition, genes
        Its condition and gene tables.

    Returns
    -------
    ``condition_index`` and ``n_significant``: genes with q < 0.05, or genes that are called changed; NULL where
    there is neither q nor call.
    """
    own = condition.select("condition_index", gene_id="target_gene_ids").explode("gene_id")
    targets = own.join(genes.select("gene_index", "gene_id"), on="gene_id").select("condition_index", "gene_index")
    with duckdb.connect(":memory:") as connection:
        connection.register("targets", targets.to_arrow())
        table: pl.DataFrame = connection.sql(
            "select condition_index, case when bool_or(q_value is not null or effect_kind = 'de_call') "
            "then count(*) filter (q_value < $1 or effect_kind = 'de_call' and effect <> 0) end as n_significant "
            "from read_parquet($2, hive_partitioning = false) "
            "anti join targets using (condition_index, gene_index) group by all",
            params=[FALSE_DISCOVERY_RATE, str(folder / "signature" / "*.parquet")],
        ).pl()
    return table
