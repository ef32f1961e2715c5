"""``featurestore gc``: remove what is no longer needed from a warehouse."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from pathlib import Path

import click
import polars as pl

from featurestore.commands.options import format_option, output_option
from featurestore.commands.shown import show
from ingest.release.collect import RETENTION, Removed, collect
from ingest.release.trash import bring_back


@click.command()
@click.option(
    "--keep", type=click.IntRange(min=1), metavar="N", help="Keep the newest N snapshots only; all by default."
)
@click.option("--dry-run", is_flag=True, help="Do nothing; show what would be done.")
@click.option("--now", is_flag=True, help="Delete at once, also what was set aside before.")
@click.option("--undo", is_flag=True, help="Bring back all that is set aside; with --dry-run, show it.")
@format_option
@output_option
@click.pass_obj
def gc(
    warehouse: Path,
    keep: int | None,
    dry_run: bool,  # noqa: FBT001
    now: bool,  # noqa: FBT001
    undo: bool,  # noqa: FBT001
    form: str,
    output: Path | None,
) -> None:
    """Remove what no snapshot names, and what processes that were killed left behind.

    It is shown first. What was published is set aside for 7 days, in trash/, and then deleted by the next gc; until
    then --undo brings it back. Every snapshot is kept unless you say how many. Work of living processes and snapshots
    that someone reads stay; nothing waits for this but publishing, for milliseconds.

    \b
    Examples:
      featurestore gc --dry-run
      featurestore gc --keep 10
      featurestore gc --undo
    """
    if undo:
        if now or keep is not None:
            raise click.UsageError("--undo brings back and removes nothing: it goes with neither --keep nor --now.")
        back = bring_back(warehouse, is_rehearsal=dry_run)
        if back or form != "table" or output is not None:
            show(pl.DataFrame({"brought_back": back}, {"brought_back": pl.String}), form, output)
        else:
            click.echo("Nothing is set aside.")
        return

    def tell(removed: list[Removed]) -> None:
        if removed or form != "table" or output is not None:
            show(_table(removed), form, output)

    retention = timedelta() if now else RETENTION
    removed = collect(warehouse, keep=keep, retention=retention, tell=tell, is_rehearsal=dry_run)
    if form == "table" and output is None:
        click.echo(_sentence(removed, is_rehearsal=dry_run))


def _table(removed: list[Removed]) -> pl.DataFrame:
    rows = [dataclasses.astuple(each) for each in removed]
    schema = {"removed": pl.String, "path": pl.String, "bytes": pl.Int64, "kept_until": pl.String}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _sentence(removed: list[Removed], *, is_rehearsal: bool) -> str:
    if not removed:
        return "Nothing to remove."
    aside = [each for each in removed if each.until]
    size = sum(each.bytes for each in removed if not each.until) / 1e6
    would = "would be " if is_rehearsal else ""
    parts = [f"{len(removed) - len(aside)} {would}deleted, {size:,.1f} MB"] if len(aside) < len(removed) else []
    if aside:
        parts.append(f"{len(aside)} {would}set aside until {aside[0].until}; to bring back: featurestore gc --undo")
    return "; ".join(parts) + "."
