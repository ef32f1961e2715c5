"""``featurestore sources``: what the field has published, and how much of it is in the warehouse."""

from __future__ import annotations

from pathlib import Path

import click

from featurestore.commands.options import format_option, output_option
from featurestore.commands.shown import show
from ingest.catalogue.catalogue import read_catalogue
from ingest.catalogue.sources import sentences, sums, table_of_sources
from ingest.commands.fetch import catalogue_option

SHOWN = (
    "dataset_id", "assay", "format", "n_conditions", "n_cells", "size_gb", "licence", "fetch", "release_id",
)  # fmt: skip
"""Columns of the printed table; other formats have them all."""


@click.command()
@format_option
@output_option
@click.option("--sums", "is_sums", is_flag=True, help="The sums by assay instead of the datasets.")
@catalogue_option
@click.pass_obj
def sources(warehouse: Path, form: str, output: Path | None, is_sums: bool, catalogue: Path) -> None:  # noqa: FBT001
    """List the catalogued datasets: size, licence, the conditions they would add, and what the warehouse has of them.

    Conditions, not cells, are the data points. A number that its publisher does not state is null. Copies of the same
    cells (same_cells_as) add none.

    \b
    Examples:
      featurestore sources
      featurestore sources --sums
      featurestore sources --format json
    """
    table = table_of_sources(read_catalogue(catalogue), warehouse)
    if is_sums:
        show(sums(table), form, output)
        return
    show(table.select(SHOWN) if form == "table" else table, form, output)
    if form == "table" and output is None:
        click.echo(sentences(table))
