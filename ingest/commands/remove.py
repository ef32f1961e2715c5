"""``featurestore remove``: take datasets out of a warehouse."""

from __future__ import annotations

from pathlib import Path

import click

from featurestore.counts import count_of
from ingest.release.remove import remove_datasets


@click.command()
@click.argument("datasets", metavar="DATASET...", nargs=-1, required=True)
@click.pass_obj
def remove(warehouse: Path, datasets: tuple[str, ...]) -> None:
    """Publish a snapshot without some datasets.

    Older snapshots keep them, and so does the disk, until gc is told to keep newer snapshots only. To bring one back,
    ingest it again: what is there already is only named again.

    \b
    Examples:
      featurestore remove replogle_2022_rpe1
      featurestore gc --keep 1 --dry-run
    """
    snapshot = remove_datasets(warehouse, dict.fromkeys(datasets))
    left = len(snapshot.datasets)
    click.echo(
        f"Snapshot {snapshot.number} is without {', '.join(dict.fromkeys(datasets))}, and has "
        f"{count_of(left, 'dataset')}. Older snapshots keep what they had; 'gc --keep 1' frees the room."
    )
