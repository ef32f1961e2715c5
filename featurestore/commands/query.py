"""``featurestore sql``, ``datasets`` and ``history``: look into a warehouse.

Libraries are imported by the process that asks: the one that watches it needs none.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from featurestore.commands.options import format_option, output_option, snapshot_option
from featurestore.errors import QueryError
from featurestore.query.watched import limit_address_space, watch

if TYPE_CHECKING:
    from featurestore.query.warehouse import Warehouse

DATASETS = (
    "select dataset_id, assay, value_kind, n_cells, n_conditions, n_data_points, min_cells, n_controls, n_genes, "
    "licence, release_id "
    "from dataset order by dataset_id"
)


@click.command()
@click.argument("query")
@format_option
@output_option
@snapshot_option
@click.option("--timeout", type=click.FloatRange(min=0, min_open=True), metavar="SECONDS", help="Give up after this.")
@click.option("--memory", metavar="SIZE", help="The most memory to take, such as 4GB; by default 80% of the machine's.")
@click.pass_obj
def sql(
    warehouse: Path,
    query: str,
    form: str,
    output: Path | None,
    snapshot: int | None,
    timeout: float | None,
    memory: str | None,
) -> None:
    """Ask the warehouse one SELECT statement, or run a file of one (QUERY may be a path that ends in .sql).

    Views: dataset, gene, condition, compound, compound_identity, context, statistics, signature, effects, phenotype,
    quality, calibration, mapping, rejected. "describe signature" lists a view's columns. Nothing can be written, and no
    other file read. Start with effects: signatures with the names, cells and quality of their conditions.
    similar('NAME') and similar('DATASET', 'CONDITION') are tables of similar signatures, as search lists them.

    \b
    Example:
      featurestore sql "select dataset_id, count(*) from condition group by all"
    """
    text = _query_text(query)
    is_apart = watch(timeout)
    from featurestore.commands.shown import show  # noqa: PLC0415
    from featurestore.commands.terminal import patience  # noqa: PLC0415
    from featurestore.query.no_rows import unknown_values  # noqa: PLC0415
    from featurestore.store import Store  # noqa: PLC0415

    with Store(warehouse, snapshot, memory=memory) as store:
        _say_if_old(store)
        if is_apart:
            limit_address_space(store.most_bytes)
        with patience("asking"):
            frame = store.frame(text, timeout=timeout, most_bytes=store.most_bytes)
        show(frame, form, output)
        if frame.is_empty():
            for sentence in unknown_values(store, text):
                click.echo(sentence, err=True)


@click.command()
@format_option
@output_option
@snapshot_option
@click.pass_obj
def datasets(warehouse: Path, form: str, output: Path | None, snapshot: int | None) -> None:
    """List the datasets of the warehouse, with their effective data points: conditions."""
    from featurestore.commands.shown import show  # noqa: PLC0415
    from featurestore.query.warehouse import Warehouse  # noqa: PLC0415

    with Warehouse(warehouse, snapshot) as store:
        _say_if_old(store)
        show(store.frame(DATASETS), form, output)


@click.command()
@format_option
@output_option
@click.pass_obj
def history(warehouse: Path, form: str, output: Path | None) -> None:
    """List the snapshots of the warehouse, newest first."""
    import polars as pl  # noqa: PLC0415

    from featurestore.commands.shown import show  # noqa: PLC0415
    from featurestore.storage.snapshot import (  # noqa: PLC0415
        check_warehouse,
        newest_number,
        read_snapshot,
        snapshot_numbers,
    )

    check_warehouse(warehouse)
    newest_number(warehouse)
    snapshots = [read_snapshot(warehouse, number) for number in reversed(snapshot_numbers(warehouse))]
    table = pl.DataFrame(
        [(s.number, s.created_at, s.note, len(s.datasets)) for s in snapshots],
        schema={"snapshot": pl.Int64, "created_at": pl.String, "note": pl.String, "n_datasets": pl.Int64},
        orient="row",
    )
    show(table, form, output)


def _say_if_old(store: Warehouse) -> None:
    """Say once on standard error that p-values of an older contract are not to be relied on."""
    from featurestore.calibration import old_note  # noqa: PLC0415

    if note := old_note(store):
        click.echo(f"Note: {note}", err=True)


def _query_text(query: str) -> str:
    if not query.endswith(".sql"):
        return query
    try:
        return Path(query).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise QueryError("The SQL file cannot be read.", where=query, got=error.strerror or str(error)) from None
