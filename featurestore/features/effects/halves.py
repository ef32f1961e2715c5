"""Effects of disjoint halves of the cells, from the sums of a release: two measurements of the same conditions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import polars as pl

from featurestore.published_times import with_time_text
from featurestore.query.sqlfiles import sql_files

if TYPE_CHECKING:
    from featurestore.query.warehouse import Warehouse

Doubles = npt.NDArray[np.float64]
HALVES = ("first", "second", "whole")


@dataclass(frozen=True, slots=True)
class Halves:
    """Effects of the first and of the second half of the cells, each against its own half of the control.

    Against the whole control, both halves share what is wrong with it, as all rows of a context do: a model can learn
    that from other rows.

    Parameters
    ----------
    first, second, whole
        ``delta_log1p`` of each half and of all cells, shape (rows, genes); NaN where a side has no cells, or where the
        release has no sums.
    cells
        Cells of each half, shape (rows, 2).
    on_whole_control
        Effects of the first and of the second half against the whole control; None: the same as ``first``, ``second``.
    """

    first: Doubles
    second: Doubles
    whole: Doubles
    cells: Doubles
    on_whole_control: tuple[Doubles, Doubles] | None = None

    @property
    def sharing_control(self) -> tuple[Doubles, Doubles]:
        """The two halves against the same control, where that is known."""
        return self.on_whole_control or (self.first, self.second)


def read_halves(warehouse: Warehouse, dataset_id: str, rows: pl.DataFrame, genes: pl.DataFrame) -> Halves | None:
    """Compare the halves of some conditions with the control as signatures do: batch by batch, in equal shares.

    Parameters
    ----------
    warehouse
        An open warehouse.
    dataset_id
        The dataset of the rows.
    rows, genes
        Conditions, with ``condition_id``, and genes, with ``gene_id``.

    Returns
    -------
    The halves; None where the release has no sums of halves, as for signatures that a source published.
    """
    parameters = {"dataset_id": dataset_id}
    conditions = warehouse.frame(
        "select condition_index, condition_id, perturbation_kind, perturbation_id, context_id, cluster, time_h, "
        "is_control from release.condition where dataset_id = $dataset_id",
        parameters,
    )
    times = warehouse.frame(
        "select entity, original, target_id from release.mapping where dataset_id = $dataset_id and entity = 'time'",
        parameters,
    )
    conditions = with_time_text(conditions, times)
    known = warehouse.frame(
        "select gene_index, gene_id from release.gene where dataset_id = $dataset_id", parameters
    ).join(genes.select("gene_id").with_row_index("column"), on="gene_id", how="inner")
    treated = rows.select("condition_id").join(conditions, on="condition_id", how="inner", maintain_order="left")
    if treated.height < rows.height or known.height < genes.height:
        return None
    batches = warehouse.frame(sql_files("features")["batches"], parameters)
    wanted = parameters | {"condition_indices": treated["condition_index"].to_list()}
    sums = _cube(
        warehouse.frame(sql_files("features")["halves"], wanted), treated.select("condition_index"), known, genes.height
    )
    controls = batches.join(conditions.filter("is_control"), on="condition_index", how="semi")
    pools = controls.select("condition_index", "batch")
    control_sums = _cube(
        warehouse.frame(sql_files("features")["control_halves"], parameters), pools, known, genes.height
    )
    if not np.isfinite(sums).any() or not pools.height:
        return None
    sides = {}
    cells: list[Doubles] = []
    shared: list[Doubles] = []
    for place, side in enumerate(HALVES):
        number = {
            "first": pl.col("n_cells_half"),
            "second": pl.col("n_cells") - pl.col("n_cells_half"),
            "whole": pl.col("n_cells"),
        }[side].cast(pl.Float64())
        counted = batches.with_columns(n=number)
        own = treated.select("condition_index").join(
            counted.group_by("condition_index").agg(pl.col("n").sum()), on="condition_index", how="left"
        )
        n = own["n"].fill_null(0).to_numpy()
        mean = _ratio(sums[place], n[:, None])
        sides[side] = mean - _reference(treated, conditions, counted, counted, pools, control_sums[place])
        cells.append(n)
        if side != "whole":
            every = batches.with_columns(n=pl.col("n_cells").cast(pl.Float64()))
            shared.append(mean - _reference(treated, conditions, counted, every, pools, control_sums[-1]))
    first, second, whole = (sides[side] for side in HALVES)
    return Halves(first, second, whole, np.stack(cells[:2], axis=1), (shared[0], shared[1]))


def _cube(entries: pl.DataFrame, keys: pl.DataFrame, genes: pl.DataFrame, n_genes: int) -> Doubles:
    """Fill sums of the first half, the second half and all cells, shape (3, keys, genes); NaN where there are none."""
    at = entries.join(keys.with_row_index("row"), on=keys.columns, how="inner").join(
        genes.select("gene_index", "column"), on="gene_index", how="inner"
    )
    cube = np.full((3, keys.height, n_genes), np.nan)
    row, column = at["row"].to_numpy(), at["column"].to_numpy()
    half, whole = at["sum_log1p_half"].to_numpy(), at["sum_log1p"].to_numpy()
    for place, values in enumerate((half, whole - half, whole)):
        cube[place, row, column] = values
    return cube


def _reference(
    treated: pl.DataFrame,
    conditions: pl.DataFrame,
    counted: pl.DataFrame,
    controls_counted: pl.DataFrame,
    pools: pl.DataFrame,
    sums: Doubles,
) -> Doubles:
    """Return the control mean of each row, its batches in the row's shares; pooled where a batch has no control.

    The control of a row is of its context, cluster and time; where that time has none, of its context and cluster.
    Cells are ``counted`` by condition and batch, those of the controls that were summed too.
    """
    pool_cells = pools.join(controls_counted, on=["condition_index", "batch"], how="left", maintain_order="left")[
        "n"
    ].to_numpy()
    means = np.full((treated.height, sums.shape[1]), np.nan)
    for controls, members in _comparisons(treated, conditions):
        inside = pools["condition_index"].is_in(controls).to_numpy()
        names, batch = np.unique(pools["batch"].to_numpy()[inside], return_inverse=True)
        total = np.zeros((len(names), sums.shape[1]))
        np.add.at(total, batch, sums[inside])
        n = np.bincount(batch, pool_cells[inside], minlength=len(names))
        pooled = _ratio(total.sum(axis=0), n.sum())
        place = {name: i for i, name in enumerate(names) if n[i] > 0}
        by_batch = _ratio(total, n[:, None])
        rows = treated.select("condition_index").with_row_index("row").filter(pl.col("row").is_in(members))
        for (row,), own in rows.join(counted, on="condition_index").filter(pl.col("n") > 0).group_by("row"):
            if all(name in place for name in own["batch"]):
                share = own["n"].to_numpy() / own["n"].sum()
                means[row] = share @ by_batch[[place[name] for name in own["batch"]]]
            else:
                means[row] = pooled
    return means


def _comparisons(treated: pl.DataFrame, conditions: pl.DataFrame) -> list[tuple[list[int], list[int]]]:
    """Pair sets of controls with the positions of the rows that are compared with them."""
    exact, loose = ["context_id", "cluster", "time_h", "time_text"], ["context_id", "cluster"]
    controls = conditions.filter("is_control")
    rows = treated.with_row_index("row")
    found = []
    for key in (exact, loose):
        sets = controls.group_by(key).agg(controls=pl.col("condition_index").sort())
        matched = rows.join(sets, on=key, how="inner", nulls_equal=True)
        found += matched.group_by("controls").agg("row").rows()
        rows = rows.join(matched.select("row"), on="row", how="anti")
    return found


def _ratio(total: Doubles, n: npt.ArrayLike) -> Doubles:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(np.asarray(n) > 0, total / np.asarray(n), np.nan))
