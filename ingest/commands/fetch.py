"""``featurestore fetch``: download a catalogued dataset."""

from __future__ import annotations

from pathlib import Path

import click

from featurestore.commands.options import as_meant
from ingest.catalogue.catalogue import Entry, find_entry, read_catalogue
from ingest.catalogue.fetch import Fetched, fetch_dataset

ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".gctx.gz", ".h5ad.gz")
"""Endings of what no reader opens as it is."""

FOREIGN = ("rds", "rdata")
"""Formats of objects of R, of which the note says how to go on."""

catalogue_option = click.option(
    "--catalogue",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    multiple=True,
    envvar="FEATURESTORE_CATALOGUE",
    help="Your own entries: added to the built-in ones, and replacing those with the same id.",
)


@click.command()
@click.argument("dataset_id")
@click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    callback=as_meant,
    default=Path(),
    help="Folder to download into; the current one by default.",
)
@click.option("--only", metavar="PATTERN", help="Only the files whose names match, such as 'train-0000?-*'.")
@catalogue_option
def fetch(dataset_id: str, output: Path, only: str | None, catalogue: tuple[Path, ...]) -> None:
    """Download the files of DATASET_ID, one of 'featurestore sources'.

    An interrupted download resumes where it stopped. Size and hash are checked where a publisher states them; a file
    gets its name only once it is complete. Archives are not unpacked.

    \b
    Examples:
      featurestore fetch replogle_2022_rpe1 -o downloads/
      featurestore fetch tahoe_100m --only 'train-0000?-*'
    """
    entry = find_entry(dataset_id, read_catalogue(*catalogue))
    size = f", {entry.gigabytes:,.3g} GB" if entry.gigabytes else ""
    click.echo(f"{entry.id}: {entry.title}{size if only is None else ''}; {entry.licence}", err=True)
    for fetched in fetch_dataset(entry, output, only=only):
        click.echo(_line(fetched))
    for hint in _next(entry, output):
        click.echo(hint, err=True)


def _line(fetched: Fetched) -> str:
    checked = f"{fetched.checked_by} as published" if fetched.checked_by else "no hash is published"
    archive = "; an archive: unpack it yourself" if fetched.path.name.endswith(ARCHIVES) else ""
    there = "" if fetched.is_new else "; there already"
    return f"{fetched.path}: {fetched.n_bytes:,} bytes, {checked}{there}{archive}"


def _next(entry: Entry, folder: Path) -> list[str]:
    if entry.format in FOREIGN:
        return [f"Next: {entry.note}"]
    if entry.spec is not None:
        return [f"Next: featurestore ingest {entry.id} --data {folder}"]
    return [f"Next: featurestore inspect {folder / entry.files[0].each()[0].name} --write {entry.id}.toml"]
