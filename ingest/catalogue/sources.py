"""How much perturbation data the field has: the catalogue beside the warehouse, and the sums over both.

The unit is the condition. A mirror or reprocessing of cells that another entry has adds none, and an entry whose
publisher states no number is counted as unknown, not as nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path

import polars as pl

from featurestore.query.warehouse import Warehouse
from featurestore.storage.snapshot import read_snapshot
from ingest.catalogue.catalogue import SIMULATED, Entry

RNA_SEQ = ("perturb_seq", "drug_seq", "bulk_rna_seq")
"""Assays whose conditions are perturbations with RNA-Seq behind them."""

SOURCES = pl.Schema(
    {
        "dataset_id": pl.String(),
        "source": pl.String(),
        "assay": pl.String(),
        "format": pl.String(),
        "n_conditions": pl.Int64(),
        "n_cells": pl.Int64(),
        "size_gb": pl.Float64(),
        "licence": pl.String(),
        "fetch": pl.String(),
        "same_cells_as": pl.String(),
        "release_id": pl.String(),
        "n_conditions_ingested": pl.Int64(),
    }
)
"""Columns of the table of sources; ``n_conditions`` is as published, null where it is not or the cells are not new."""


def table_of_sources(entries: Mapping[str, Entry], root: Path) -> pl.DataFrame:
    """List what is catalogued, then what is in the warehouse beyond it; the columns are :data:`SOURCES`."""
    catalogued = pl.DataFrame([_row(entry) for entry in entries.values()], schema=pl.Schema(SOURCES), orient="row")
    catalogued = catalogued.drop("release_id", "n_conditions_ingested")
    table = catalogued.join(_ingested(root), on="dataset_id", how="full", coalesce=True, maintain_order="left_right")
    return table.with_columns(
        pl.coalesce(name, f"{name}_ingested").alias(name) for name in ("source", "assay", "licence", "n_cells")
    ).select(pl.col(name).cast(dtype) for name, dtype in SOURCES.items())


def sums(table: pl.DataFrame) -> pl.DataFrame:
    """Sum a table of sources by assay, ending with all RNA-Seq.

    Returns
    -------
    Columns assay; n_datasets, catalogued and of new cells; n_conditions, of those that state a number; n_unknown,
    those that state none; n_datasets_ingested and n_conditions_ingested.
    """
    is_new = _is_new()
    columns = {
        "n_datasets": is_new.sum(),
        "n_conditions": pl.col("n_conditions").filter(is_new).sum(),
        "n_unknown": (is_new & pl.col("n_conditions").is_null()).sum(),
        "n_datasets_ingested": pl.col("release_id").is_not_null().sum(),
        "n_conditions_ingested": pl.col("n_conditions_ingested").sum(),
    }
    columns = {name: total.cast(pl.Int64) for name, total in columns.items()}
    table = table.filter(pl.col("assay") != SIMULATED)
    by_assay = table.group_by("assay", maintain_order=True).agg(**columns)
    rna_seq = table.filter(pl.col("assay").is_in(RNA_SEQ)).select(pl.lit("all RNA-Seq").alias("assay"), **columns)
    return pl.concat([by_assay, rna_seq])


def sentences(table: pl.DataFrame) -> str:
    """Say what the sums come to."""
    total = sums(table).row(-1, named=True)
    new = table.filter(pl.col("assay").is_in(RNA_SEQ) & _is_new())
    unknown = new.filter(pl.col("n_conditions").is_null())["dataset_id"].to_list()
    parts = [f"{row['n_conditions']:,} {row['assay']}" for row in sums(table).to_dicts() if row["assay"] in RNA_SEQ]
    n_stated = total["n_datasets"] - total["n_unknown"]
    published = f"{total['n_conditions']:,} conditions published in {n_stated} datasets ({', '.join(parts)})"
    lines = [f"Perturbation RNA-Seq: {published}."]
    if unknown:
        lines.append(f"Unknown, their publishers state no number: {', '.join(unknown)}.")
    lines.append(
        f"In the warehouse: {total['n_conditions_ingested']:,} conditions of {total['n_datasets_ingested']} datasets."
    )
    return "\n".join(lines)


def knowledge(checked: date | None, today: date) -> str:
    """Say how old what the catalogue says is, and how to set it right."""
    when = "is of unknown age" if checked is None else f"is as of {checked}, {(today - checked).days} days ago"
    return (
        f"The catalogue {when}. 'sources --check' asks every address; 'sources --entry ID' prints an entry to "
        "correct, which '--catalogue FILE' then puts in its place."
    )


def _is_new() -> pl.Expr:
    """Whether an entry of the catalogue has cells that no other has."""
    return pl.col("same_cells_as").is_null() & pl.col("fetch").is_not_null()


def _row(entry: Entry) -> dict[str, object]:
    how = {"login": "login", "requester_pays": "payer"}.get(entry.access) or ("yes" if entry.files else "by hand")
    given = {name: getattr(entry, name) for name in SOURCES if hasattr(entry, name)}
    size = None if entry.gigabytes is None else round(entry.gigabytes, 3)
    return dict.fromkeys(SOURCES) | given | {"dataset_id": entry.id, "size_gb": size, "fetch": how}


def _ingested(root: Path) -> pl.DataFrame:
    """Read what the latest snapshot of the warehouse holds."""
    columns = {"source": "source", "assay": "assay", "licence": "licence", "n_cells": "n_cells"}
    names = ", ".join(f"{column} as {name}_ingested" for name, column in columns.items())
    if not read_snapshot(root).datasets:
        text = {f"{name}_ingested": SOURCES[name] for name in columns}
        schema = {"dataset_id": pl.String(), "release_id": pl.String(), "n_conditions_ingested": pl.Int64(), **text}
        return pl.DataFrame(schema=schema)
    with Warehouse(root) as store:
        return store.frame(
            f"select dataset_id, release_id, n_conditions as n_conditions_ingested, {names} "  # noqa: S608
            "from dataset order by dataset_id"
        )
