"""What every shipped spec makes of its source: ``python tests/benchmarks/sources.py [--data DIR]`` prints a table.

Each spec is ingested from a miniature that has the published layout and its traps; with ``--data``, those whose real
files are anywhere in that folder are ingested from them too. Nothing here is a test.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import click

from featurestore.errors import FeatureStoreError, SpecError
from featurestore.query.warehouse import Warehouse
from ingest.commands.ingest import shipped_specs
from ingest.pipeline import find_files, ingest_dataset
from ingest.spec import read_spec

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "files"))

from layouts.miniatures import MINIATURES
from layouts.published_results import PUBLISHED_RESULTS

QUERY = """
select d.source, d.assay, d.n_conditions, d.n_controls, d.n_genes, d.n_cells,
    (select avg((target_id is not null)::int) from mapping where entity = 'gene') as mapped,
    (select count(*) from rejected) as n_rejected
from dataset as d
"""


@click.command()
@click.option("--data", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Folder of real files.")
def main(data: Path | None) -> None:
    """Ingest, and print a table in Markdown."""
    click.echo("| source | spec | file | rows | conditions | controls | genes | mapped | rejected groups | seconds |")
    click.echo("|---|---|---|---|---|---|---|---|---|---|")
    layouts = MINIATURES | PUBLISHED_RESULTS
    for name in shipped_specs():
        if name in layouts:
            with tempfile.TemporaryDirectory() as folder:
                layouts[name](Path(folder))
                click.echo(_row(name, "miniature", Path(folder)))
        for folder in _folders(data) if data is not None else ():
            try:
                found = find_files(read_spec(shipped_specs()[name]), folder)
            except SpecError:
                continue
            click.echo(_row(name, found[0].name if len(found) == 1 else f"{len(found)} files", folder))
            break


def _folders(data: Path) -> Iterator[Path]:
    yield data
    yield from sorted(path for path in data.rglob("*") if path.is_dir())


def _row(name: str, file: str, data: Path) -> str:
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as root:
        try:
            ingest_dataset(shipped_specs()[name], Path(root) / "warehouse", data)
        except FeatureStoreError as error:
            return f"| | {name} | {file} | {str(error).splitlines()[0]} |"
        seconds = time.perf_counter() - started
        with Warehouse(Path(root) / "warehouse") as store:
            row = store.frame(QUERY).row(0, named=True)
    mapped = "" if row["mapped"] is None else f"{row['mapped']:.1%}"
    cells = "" if row["n_cells"] is None else f"{row['n_cells']:,}"
    numbers = f"{row['n_conditions']:,} | {row['n_controls']:,} | {row['n_genes']:,} | {mapped} | {row['n_rejected']:,}"
    return f"| {row['source']} | {name} | {file} | {cells} | {numbers} | {seconds:.1f} |"


if __name__ == "__main__":
    main()
