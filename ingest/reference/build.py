"""Build the gene reference from published wheels: ``python -m ingest.reference.build [--wheels DIR] [-o DIR]``.

Nothing here runs when data is ingested. The same wheels give the same bytes: every table is sorted by its key.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import io
import json
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from featurestore.errors import FeatureStoreError
from ingest.reference.succession import retired_table
from ingest.reference.tables import (
    RELEASES,
    Sources,
    gene_table,
    label_table,
    ortholog_table,
    read_sources,
    release_table,
    with_retired_names,
)
from ingest.reference.wheels import WHEELS, Wheelhouse, download

if TYPE_CHECKING:
    import polars as pl

_SHORT_HASH = 12
_COMMITTED = Path(__file__).parent / "data"


def reference_tables(published: Sources) -> dict[str, pl.DataFrame]:
    """Every table of the reference, by name."""
    genes = gene_table(published)
    labels = label_table(published, genes)
    retired = retired_table(published, genes, labels)
    return {
        "gene": genes,
        "gene_label": with_retired_names(labels, retired, published),
        "gene_release": release_table(published.annotations),
        "gene_retired": retired,
        "ortholog_human_mouse": ortholog_table(published, genes),
    }


def content_hash(tables: dict[str, pl.DataFrame]) -> str:
    """Hash column names, types and values: the same whatever wrote the Parquet files."""
    digest = hashlib.sha256()
    for name in sorted(tables):
        digest.update(f"{name} {dict(tables[name].schema)}\n".encode())
        digest.update(tables[name].write_csv(null_value="\\N").encode())
    return digest.hexdigest()[:_SHORT_HASH]


def write_reference(tables: dict[str, pl.DataFrame], directory: Path) -> dict[str, Any]:
    """Write the tables and ``manifest.json``; return the manifest.

    The build date stays that of the first build of the same content, so that rebuilding changes no file.
    """
    directory.mkdir(parents=True, exist_ok=True)
    identity = content_hash(tables)
    described = {}
    for name, table in sorted(tables.items()):
        buffer = io.BytesIO()
        table.write_parquet(buffer, compression="zstd", compression_level=19, statistics=False)
        (directory / f"{name}.parquet").write_bytes(buffer.getvalue())
        described[name] = {
            "rows": table.height,
            "columns": table.columns,
            "sha256": hashlib.sha256(buffer.getvalue()).hexdigest(),
        }
    manifest = {
        "reference_id": identity,
        "built_on": _first_built(directory / "manifest.json", identity),
        "annotation_releases": list(RELEASES),
        "tables": described,
        "sources": [dataclasses.asdict(wheel) for wheel in WHEELS],
    }
    (directory / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
    return manifest


def _first_built(path: Path, identity: str) -> str:
    if path.is_file():
        earlier = json.loads(path.read_text(encoding="utf-8"))
        if earlier["reference_id"] == identity:
            return str(earlier["built_on"])
    return dt.datetime.now(dt.UTC).date().isoformat()


@click.command()
@click.option("--wheels", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Wheels already at hand.")
@click.option("-o", "--output", type=click.Path(file_okay=False, path_type=Path), default=_COMMITTED)
def main(wheels: Path | None, output: Path) -> None:
    """Build the gene reference and write it to a folder."""
    try:
        if wheels is not None:
            tables = reference_tables(read_sources(Wheelhouse(wheels)))
        else:
            with tempfile.TemporaryDirectory() as folder:
                download(Path(folder))
                tables = reference_tables(read_sources(Wheelhouse(Path(folder))))
        manifest = write_reference(tables, output)
    except FeatureStoreError as error:
        click.echo(f"{type(error).__name__}: {error}", err=True)
        sys.exit(1)
    rows = ", ".join(f"{name} {facts['rows']:,}" for name, facts in manifest["tables"].items())
    click.echo(f"{manifest['reference_id']}: {rows}")


if __name__ == "__main__":
    main()
