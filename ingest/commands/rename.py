"""``featurestore rename``: give a dataset of a warehouse another name."""

from __future__ import annotations

from pathlib import Path

import click

from ingest.release.rename import rename_dataset


@click.command()
@click.argument("dataset")
@click.argument("new")
@click.pass_obj
def rename(warehouse: Path, dataset: str, new: str) -> None:
    """Publish a snapshot in which DATASET is called NEW.

    Older snapshots keep the old name. The files are shared, not copied, where the disk can. Give the spec's id the new
    name too, or the next ingest brings the old one back; feature specs that name the dataset are left as they are.

    \b
    Example:
      featurestore rename my_screen lab_2026_jurkat
    """
    snapshot = rename_dataset(warehouse, dataset, new)
    click.echo(f"Snapshot {snapshot.number} has {dataset} as {new}. Older snapshots keep the old name.")
