"""``featurestore sources``: what the field has published, and how much of it is in the warehouse."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import click

from featurestore.commands.options import format_option, output_option, refuse_given
from featurestore.commands.shown import show
from ingest.catalogue.catalogue import Entry, find_entry, last_checked, read_catalogue
from ingest.catalogue.check import WRONG, check_addresses, table_of_checks
from ingest.catalogue.entry_text import entry_text
from ingest.catalogue.sources import knowledge, sentences, sums, table_of_sources
from ingest.commands.fetch import catalogue_option

SHOWN = (
    "dataset_id", "assay", "format", "n_conditions", "n_cells", "size_gb", "licence", "fetch", "release_id",
)  # fmt: skip
"""Columns of the printed table; other formats have them all."""
SHOWN_OF_CHECKS = ("dataset_id", "file", "verdict", "stated_bytes", "bytes", "answer")


@click.command()
@format_option
@output_option
@click.option("--sums", "is_sums", is_flag=True, help="The sums by assay instead of the datasets.")
@click.option("--check", "is_check", is_flag=True, help="Ask every address whether its file is there, and how long.")
@click.option("--entry", "entry_id", metavar="ID", help="Print one entry, as a catalogue of your own to correct.")
@catalogue_option
@click.pass_obj
def sources(
    warehouse: Path,
    form: str,
    output: Path | None,
    is_sums: bool,  # noqa: FBT001
    is_check: bool,  # noqa: FBT001
    entry_id: str | None,
    catalogue: tuple[Path, ...],
) -> None:
    """List the catalogued datasets: size, licence, the conditions they would add, and what the warehouse has of them.

    Conditions, not cells, are the data points. A number that its publisher does not state is null. Copies of the same
    cells (same_cells_as) add none.

    --check downloads nothing; it ends with status 1 where a file is gone or has another size, or nothing answers.

    \b
    Examples:
      featurestore sources
      featurestore sources --sums
      featurestore sources --check
      featurestore sources --entry replogle_2022_rpe1 > mine.toml
      featurestore sources --catalogue mine.toml --format json
    """
    entries = read_catalogue(*catalogue)
    today = datetime.now(tz=UTC).date()
    if entry_id is not None:
        refuse_given(["form", "output", "is_sums", "is_check"], "an entry is printed as TOML, and nothing else is.")
        click.echo(entry_text(find_entry(entry_id, entries), today), nl=False)
        return
    if is_check:
        refuse_given(["is_sums"], "--check asks each address.")
        _check(entries.values(), form, output)
        return
    table = table_of_sources(entries, warehouse)
    if is_sums:
        show(sums(table), form, output)
        return
    show(table.select(SHOWN) if form == "table" else table, form, output)
    if form == "table" and output is None:
        click.echo(sentences(table))
        click.echo(knowledge(last_checked(), today))


def _check(entries: Iterable[Entry], form: str, output: Path | None) -> None:
    table = table_of_checks(check_addresses(entries))
    show(table.select(SHOWN_OF_CHECKS) if form == "table" else table, form, output)
    verdicts = dict(table["verdict"].value_counts().iter_rows())
    click.echo(f"Checked {table.height} files: " + ", ".join(f"{n} {name}" for name, n in verdicts.items()), err=True)
    is_alone = set(verdicts) - {"not asked"} == {"no answer"}
    if is_alone:
        click.echo("No publisher answers: there may be no network here.", err=True)
    if is_alone or any(verdict in WRONG for verdict in verdicts):
        click.get_current_context().exit(1)
