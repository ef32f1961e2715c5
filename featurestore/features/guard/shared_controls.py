"""Sources whose controls are the target's: effects of other perturbations that one set of control cells was taken from.

Where two files of one experiment come under two names, their perturbed cells differ and nothing looks alike, and yet
the noise of the common controls is in every effect of both. How many cells express a gene does not depend on depth,
scale or logarithm: two sets of control cells of one size that agree in it, gene by gene, are the same cells.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import polars as pl

from featurestore.errors import LeakageError
from featurestore.query.sqlfiles import sql_files

if TYPE_CHECKING:
    from featurestore.features.sections import Allow
    from featurestore.features.selection import Source
    from featurestore.query.warehouse import Warehouse

FEWEST_CELLS = 20
"""Control conditions of fewer cells could agree by chance."""
FEWEST_GENES = 20
_BETWEEN = (0.05, 0.95)
"""Shares of expressing cells between which a gene tells two sets of cells apart."""
_SAME = 0.9
"""Share of these genes that must agree exactly; of other cells of the same line, below a fifth does by chance."""


def controls_of(warehouse: Warehouse, conditions: pl.DataFrame) -> pl.DataFrame:
    """List the control conditions of the experiments that some conditions are from, with their numbers of cells."""
    query = sql_files("features")["control_conditions"]
    listed = [
        warehouse.frame(query, {"dataset_id": dataset, "fewest": FEWEST_CELLS}).with_columns(dataset_id=pl.lit(dataset))
        for dataset in conditions["dataset_id"].unique().sort()
    ]
    return pl.concat(listed).filter(pl.col("experiment_id").is_in(conditions["experiment_id"].unique().to_list()))


def check_controls(
    warehouse: Warehouse, controls: pl.DataFrame, source: Source, allow: Sequence[Allow] = ()
) -> dict[str, Any]:
    """Compare every set of control cells of a source with those of the target that have as many cells.

    Controls of the rows' own experiment are judged by its name, and pairs of experiments that the spec allows are left
    out. Controls that were shared only in part cannot be recognised in sums.

    Parameters
    ----------
    warehouse
        Where the sums are.
    controls
        Those of the rows, as :func:`controls_of` lists them.
    source
        The source.
    allow
        Pairs of experiments that the spec allows.

    Returns
    -------
    The verdict for the manifest: how many pairs of control conditions were compared.

    Raises
    ------
    LeakageError
        Two of them are the same cells.
    """
    allowed = {(pair.target, pair.source) for pair in allow}
    pairs = controls.join(controls_of(warehouse, source.conditions), on="n_cells", suffix="_source").filter(
        pl.col("experiment_id") != pl.col("experiment_id_source")
    )
    pairs = pairs.filter(
        [pair not in allowed for pair in pairs.select("experiment_id", "experiment_id_source").iter_rows()]
    )
    if not pairs.is_empty():
        compared = _compared(warehouse, pairs)
        same = compared.filter((pl.col("n_genes") >= FEWEST_GENES) & (pl.col("n_same") >= _SAME * pl.col("n_genes")))
        if not same.is_empty():
            raise _shared(source, same.row(0, named=True))
    return {"source": source.block, "n_compared": pairs.height, "n_shared": 0}


def _compared(warehouse: Warehouse, pairs: pl.DataFrame) -> pl.DataFrame:
    """Count the genes that tell cells apart, and those that as many cells of both sides express."""
    ours = _expressing(warehouse, pairs.select("dataset_id", "condition_id"))
    theirs = _expressing(warehouse, pairs.select(dataset_id="dataset_id_source", condition_id="condition_id_source"))
    of_source = ["dataset_id_source", "condition_id_source", "gene_id"]
    low, high = _BETWEEN
    share = pl.col("n_expressing") / pl.col("n_cells")
    return (
        pairs.join(ours, on=["dataset_id", "condition_id"])
        .join(theirs, left_on=of_source, right_on=["dataset_id", "condition_id", "gene_id"])
        .filter(share.is_between(low, high))
        .group_by(pairs.columns)
        .agg(n_genes=pl.len(), n_same=(pl.col("n_expressing") == pl.col("n_expressing_right")).sum())
        .sort("dataset_id", "condition_id", "condition_id_source")
    )


def _expressing(warehouse: Warehouse, conditions: pl.DataFrame) -> pl.DataFrame:
    """Read how many cells express each gene."""
    query = sql_files("features")["expressing"]
    found = [
        warehouse.frame(
            query, {"dataset_id": dataset, "conditions": of["condition_id"].unique().to_list()}
        ).with_columns(dataset_id=pl.lit(dataset))
        for (dataset,), of in conditions.group_by("dataset_id", maintain_order=True)
    ]
    return pl.concat(found)


def _shared(source: Source, same: dict[str, Any]) -> LeakageError:
    return LeakageError(
        f"Source {source.name} shares control cells with the target.",
        where=f"feature {source.block}",
        expected="controls that are other cells: their noise is in every effect that is taken from them",
        got=f"{same['condition_id']} of {same['dataset_id']} and {same['condition_id_source']} of "
        f"{same['dataset_id_source']}: {same['n_cells']:,} cells each, and as many express "
        f"{same['n_same']:,} of {same['n_genes']:,} genes",
        do="give both datasets one 'experiment' in their specs and ingest them again, or leave the source out; if this "
        f"is no leak, say so: [[allow]] target = '{same['experiment_id']}', source = '{same['experiment_id_source']}', "
        "reason = '...'",
    )
