"""Whether a dataset's tests hold: what conditions in which nothing happened say of them, in sentences.

A release of cells has a null of its own: control cells dealt into pretend conditions, of which ``calibration`` tells.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

import polars as pl

from featurestore.contract import CONTRACT_VERSION, ENOUGH_NULLS, P_GRID
from featurestore.errors import first_of

if TYPE_CHECKING:
    from featurestore.query.warehouse import Warehouse

FIRST_OF_COUNTS = 2
"""Contract version whose p-values of cells are the first that hold where nothing happened."""
SUMS = "statistics"
"""The table of releases whose p-values were computed from their own cells, and not reported by the source."""
CALIBRATION = "select * from calibration where list_contains($datasets, dataset_id) order by dataset_id, kind, n_cells"
MOST_NAMED = 3
TOO_FEW = "null: controls are too few to be dealt into pretend conditions, so how far the tests hold is not known"


def null_line(table: pl.DataFrame) -> str:
    """Say in one line what pretend conditions of all sizes say together, and at which the tests do not hold.

    Parameters
    ----------
    table
        The rows of ``calibration`` of one dataset.
    """
    table = table.filter(pl.col("n_tests") > 0)
    if table.is_empty():
        return TOO_FEW
    tests, n_null = pl.col("n_tests"), pl.col("n_null")
    pooled = table.select(
        n_null=n_null.sum(),
        n_guides=n_null.filter(kind="guide").sum(),
        smallest=pl.col("n_cells").min(),
        largest=pl.col("n_cells").max(),
        share_p_05=pl.col("share_p_05").dot(tests) / tests.sum(),
        share_p_001=pl.col("share_p_001").dot(tests) / tests.sum(),
        mean_significant=pl.col("mean_significant").dot(n_null) / n_null.sum(),
    ).row(0, named=True)
    smallest, largest = pooled["smallest"], pooled["largest"]
    sizes = f"{smallest:,}" if smallest == largest else f"{smallest:,} to {largest:,}"
    guides = f" ({pooled['n_guides']:,} of them guides of controls)" if pooled["n_guides"] else ""
    line = f"null: {pooled['n_null']:,} pretend conditions{guides} of {sizes} cells: {_numbers(pooled)}"
    if pooled["n_null"] < ENOUGH_NULLS:
        return f"{line}; too few to tell if the tests hold"
    fault = misfit(table)
    return f"{line}; the tests do not hold {fault}" if fault else line


def qq_points(table: pl.DataFrame) -> pl.DataFrame:
    """Return what a QQ plot of the null shows: p as it should be against p as it is, -log10 of each.

    Parameters
    ----------
    table
        Rows of ``calibration`` of one dataset.

    Returns
    -------
    ``n_cells``, ``kind``, ``expected`` and ``observed``; no row of sizes without a test.
    """
    grid = pl.DataFrame({"place": range(len(P_GRID)), "expected": [-math.log10(p_value) for p_value in P_GRID]})
    each = table.filter(pl.col("n_tests") > 0).select("n_cells", "kind", observed="p_quantiles")
    each = each.with_columns(place=pl.int_ranges(pl.col("observed").list.len())).explode("place", "observed")
    points = each.drop_nulls("observed").join(grid.cast({"place": pl.Int64}), on="place", maintain_order="left")
    return points.select("n_cells", "kind", "expected", observed=-pl.col("observed").log10())


def misfit(table: pl.DataFrame) -> str:
    """Say at which sizes the tests of a dataset do not hold, the worst with its numbers; empty where all do.

    Sizes of too few pretend conditions to tell decide nothing.
    """
    wrong = table.filter(~pl.col("is_calibrated"), pl.col("n_tests") > 0, pl.col("n_null") >= ENOUGH_NULLS)
    if wrong.is_empty():
        return ""
    wrong = wrong.sort("mean_significant", "share_p_001", "share_p_05", "n_cells", descending=True)
    worst, *others = wrong.iter_rows(named=True)
    sizes = sorted({row["n_cells"] for row in others} - {worst["n_cells"]})
    too = f", nor at {', '.join(f'{size:,}' for size in sizes)}" if sizes else ""
    nothing = f"{worst['n_null']:,} conditions in which nothing happened"
    return f"at {worst['n_cells']:,} cells ({_numbers(worst)} in {nothing}){too}"


def doubt(dataset_id: str, manifest: Mapping[str, Any], table: pl.DataFrame) -> str:
    """Say in one sentence why a dataset's p-values are not to be relied on; empty where nothing is known against them.

    Parameters
    ----------
    manifest
        That of its release.
    table
        Its rows of ``calibration``.
    """
    if is_old(manifest):
        written = manifest.get("contract_version", 0)
        return (
            f"{dataset_id}: p-values and responders are not to be relied on: a release of contract version {written} "
            f"tests cells as {CONTRACT_VERSION} does no longer; to bring it there: {again(manifest)}"
        )
    fault = misfit(table)
    return f"{dataset_id}: tests do not hold {fault}: its p-values and responders say too much" if fault else ""


def doubts(warehouse: Warehouse, datasets: Collection[str]) -> list[str]:
    """Say it of each of some datasets of a warehouse, those left out of which nothing is known."""
    names = [name for name in dict.fromkeys(datasets) if name in warehouse.snapshot.datasets]
    table = warehouse.frame(CALIBRATION, {"datasets": names})
    found = (doubt(name, warehouse.manifest(name), table.filter(dataset_id=name)) for name in names)
    return [sentence for sentence in found if sentence]


def old_note(warehouse: Warehouse) -> str:
    """Name the datasets of a warehouse whose p-values an older contract worked out; empty where there is none."""
    manifests = {name: warehouse.manifest(name) for name in sorted(warehouse.snapshot.datasets)}
    old = {name: manifest for name, manifest in manifests.items() if is_old(manifest)}
    if not old:
        return ""
    names = first_of(list(old), MOST_NAMED)
    return (
        f"p-values and responders of {names} are not to be relied on: an older featurestore tested cells as this one "
        f"does no longer; ingest them again: {again(next(iter(old.values())))}{' ...' if len(old) > 1 else ''}"
    )


def is_old(manifest: Mapping[str, Any]) -> bool:
    """Say whether a release has p-values that were computed from cells by a contract before they held."""
    is_older = manifest.get("contract_version", 0) < FIRST_OF_COUNTS
    return is_older and any(file["table"] == SUMS and file["rows"] for file in manifest["files"])


def again(manifest: Mapping[str, Any]) -> str:
    """Return the command that ingests a release anew."""
    return f"featurestore ingest {manifest.get('spec_file', 'SPEC.toml')}"


def _numbers(row: Mapping[str, Any]) -> str:
    """Write what calibration is judged by."""
    return (
        f"{100 * row['share_p_05']:.2g} % of p < 0.05, {100 * row['share_p_001']:.2g} % of p < 0.001, "
        f"{row['mean_significant']:.2g} genes at q < 0.05 each"
    )
