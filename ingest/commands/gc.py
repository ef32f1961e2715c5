"""``featurestore gc``: remove what is no longer needed from a warehouse."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import click
import polars as pl

from featurestore.commands.query import format_option, output_option, show
from ingest.release.collect import collect


@click.command()
@click.option(
    "--keep", type=click.IntRange(min=1), metavar="N", help="Keep the newest N snapshots only; all by default."
)
@click.option("--dry-run", is_flag=True, help="Remove nothing; show what would be.")
@format_option
@output_option
@click.pass_obj
def gc(warehouse: Path, keep: int | None, dry_run: bool, form: str, output: Path | None) -> None:  # noqa: FBT001
    """Remove what no snapshot names, and what processes that were killed left behind.

    Every snapshot is kept unless you say how many. Work of living processes and snapshots that someone reads stay;
    nothing waits for this but publishing, for milliseconds.

    \b
    Examples:
      featurestore gc --dry-run
      featurestore gc --keep 10
    """
    removed = collect(warehouse, keep=keep, is_rehearsal=dry_run)
    if not removed and form == "table" and output is None:
        click.echo("Nothing to remove.")
        return
    rows = [dataclasses.astuple(each) for each in removed]
    schema = {"removed": pl.String, "path": pl.String, "bytes": pl.Int64}
    show(pl.DataFrame(rows, schema=schema, orient="row"), form, output)
