"""A dataset as an AnnData: its conditions as observations, pseudobulks and signatures as layers."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import polars as pl

from featurestore.features.matrix.licence import check_words, refuse_licences
from featurestore.query.sqlfiles import sql_files

if TYPE_CHECKING:
    from anndata import AnnData

    from featurestore.query.warehouse import Warehouse

_LAYERS = {
    "pseudobulks": ("mean_log1p", "counts", "share_expressing"),
    "signatures": ("effect", "standard_error", "z", "p_value"),
}


def dataset_anndata(warehouse: Warehouse, dataset_id: str, *, forbid: Collection[str] = ()) -> AnnData:
    """Return the conditions of a dataset with what is known of each gene in each.

    Parameters
    ----------
    warehouse, dataset_id
        The warehouse, and the dataset.
    forbid
        Licences that must not leave the warehouse, or ``non-commercial`` for all that exclude commercial use.

    Returns
    -------
    ``obs``: conditions with their quality, and the names that scPerturb and pertpy use: ``perturbation`` (``control``
    for references), ``nperts``, ``cell_line``, ``ncells``. ``var``: genes by ``gene_id``, with ``gene_symbol``.
    ``layers``: ``mean_log1p``, ``counts`` and ``share_expressing`` of the pseudobulks; ``effect``, ``standard_error``,
    ``z`` and ``p_value`` of the signatures. ``X``: ``mean_log1p``, or ``effect`` where there are no cells. NaN is
    missing.

    Raises
    ------
    UnknownDatasetError
        The snapshot has no such dataset.
    FeatureError
        Its licence is forbidden, or unknown where any is forbidden, or what is forbidden is no licence.
    """
    from anndata import AnnData  # noqa: PLC0415

    warehouse.snapshot.release_of(dataset_id)
    facts = warehouse.frame("select * from dataset where dataset_id = $dataset_id", {"dataset_id": dataset_id})
    check_words(forbid, warehouse)
    refuse_licences([(dataset_id, facts["licence"][0])], list(forbid))
    conditions = warehouse.frame(sql_files("features")["conditions"], {"dataset_id": dataset_id}).drop("dataset_id")
    query = "select gene_id, gene_symbol from release.gene where dataset_id = $dataset_id order by gene_index"
    genes = warehouse.frame(query, {"dataset_id": dataset_id})
    layers: dict[str, npt.NDArray[np.float32]] = {}
    for name, columns in _LAYERS.items():
        layers |= _layers(warehouse, dataset_id, sql_files("features")[name], columns, conditions, genes)
    X = layers.get("mean_log1p", layers.get("effect"))  # noqa: N806
    kind = warehouse.frame(
        "select distinct effect_kind from release.signature where dataset_id = $dataset_id order by all",
        {"dataset_id": dataset_id},
    )
    return AnnData(
        X=None if X is None else X.copy(),
        obs=indexed(observations(conditions), "condition_id"),
        var=indexed(genes, "gene_id"),
        layers=layers,
        uns={
            "effect_kind": kind["effect_kind"].to_list(),
            "dataset": {name: str(value) for name, value in facts.row(0, named=True).items() if value is not None},
            "snapshot": warehouse.snapshot.number,
        },
    )


def _layers(
    warehouse: Warehouse,
    dataset_id: str,
    query: str,
    columns: tuple[str, ...],
    conditions: pl.DataFrame,
    genes: pl.DataFrame,
) -> dict[str, npt.NDArray[np.float32]]:
    entries = warehouse.frame(query, {"dataset_id": dataset_id})
    if entries.is_empty():
        return {}
    row = entries.join(conditions.select("condition_id").with_row_index("i"), on="condition_id", maintain_order="left")
    column = entries.join(genes.select("gene_id").with_row_index("i"), on="gene_id", maintain_order="left")
    layers = {}
    for name in columns:
        values = np.full((conditions.height, genes.height), np.nan, dtype=np.float32)
        values[row["i"].to_numpy(), column["i"].to_numpy()] = entries[name].cast(pl.Float32()).to_numpy()
        layers[name] = values
    return layers


def observations(conditions: pl.DataFrame) -> pl.DataFrame:
    """Add the names that scPerturb and pertpy use."""
    return conditions.with_columns(
        nperts=pl.when("is_control").then(0).otherwise(pl.max_horizontal(pl.col("target_gene_ids").list.len(), 1)),
        cell_line="context_label",
        ncells="n_cells",
    )


def indexed(frame: pl.DataFrame, index: str) -> Any:
    """Turn a frame into a pandas frame that an h5ad file can hold, by its key."""
    lists = [name for name, dtype in frame.schema.items() if dtype == pl.List(pl.String())]
    plain = frame.with_columns(pl.col(lists).list.join("+"))
    gaps = [series.name for series in plain if series.dtype == pl.String() and series.null_count()]
    truths = {s.name: "boolean" for s in plain if s.dtype == pl.Boolean() and s.null_count()}
    pandas = plain.with_columns(pl.col(gaps).cast(pl.Categorical)).to_pandas().astype(truths)
    return pandas.set_index(index).rename_axis(None)
