"""One dataset on its way into a staged release: by what its values are, it takes one of six routes."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, Self

import polars as pl

from featurestore.contract import RELEASE
from ingest import reference
from ingest.release.publish import content_hash
from ingest.release.tables import write_table
from ingest.routes.opened import Opened, OpenJournal
from ingest.routes.written import Written
from ingest.spec import DatasetSpec
from ingest.values import Route

LISTED = "listed:ListedEffects"
ROUTES: dict[Route, str] = {
    "summed": "summed:SummedMatrix",
    "replicates": "replicates:ReplicateMatrix",
    "reported": "reported:ReportedMatrix",
    "phenotypes": "phenotypes:Phenotypes",
    "responses": "responses:Responses",
}
"""Module and class of each route, loaded when it is taken: what is taken as reported needs no compiler of kernels."""


class Job(Protocol):
    """A dataset whose tables of rows and genes are read, and whose matrix is not touched yet."""

    @property
    def opened(self) -> Opened:
        """Its files."""
        ...

    @classmethod
    def read(cls, opened: Opened) -> Self:
        """Read and harmonise the tables of genes and rows."""
        ...

    def write(self, folder: Path, journal: OpenJournal) -> Written:
        """Write the large tables of the release."""
        ...

    def facts(self) -> dict[str, Any]:
        """Return what the manifest says besides."""
        ...


def read_job(opened: Opened) -> Job:
    """Read and harmonise the tables of genes and rows, on the route of the dataset's values.

    Raises
    ------
    FeatureStoreError
        Spec or files are at fault.
    """
    module, name = (ROUTES[opened.spec.route] if opened.spec.table is None else LISTED).split(":")
    route: type[Job] = getattr(import_module(f"ingest.routes.{module}"), name)
    return route.read(opened)


def write_release(
    job: Job, folder: Path, identity: Callable[[], dict[str, Any]], journal: OpenJournal
) -> dict[str, Any]:
    """Write every table of the release into a new folder, and return its manifest.

    What a journal has of an ingest that was interrupted is not done again. The identity, by which the release is
    named, is asked for last: it waits for the checksums of the inputs.

    Raises
    ------
    FeatureStoreError
        The files are at fault.
    """
    started = time.monotonic()
    folder.mkdir()
    spec = job.opened.spec
    written = job.write(folder, journal)
    if written.condition is not None:
        write_table(folder, "condition", written.condition)
    write_table(folder, "gene", written.genes)
    for name in ("compound", "context", "mapping", "rejected"):
        write_table(folder, name, getattr(written, name))
    made_of = identity()
    release_id = content_hash(made_of)
    write_table(folder, "dataset", _dataset_row(spec, written, release_id))
    return {
        "dataset_id": spec.dataset.id,
        "release_id": release_id,
        **made_of,
        "formats": [source.format for source in job.opened.sources],
        "environment": {"python": platform.python_version()},
        **job.facts(),
        "seconds": round(time.monotonic() - started, 3),
    }


def _dataset_row(spec: DatasetSpec, written: Written, release_id: str) -> pl.DataFrame:
    dataset = spec.dataset
    return pl.DataFrame(
        {
            "dataset_id": dataset.id,
            "release_id": release_id,
            "experiment_id": spec.experiment,
            "title": dataset.title,
            "source": dataset.source,
            "assay": dataset.assay,
            "organism": dataset.organism,
            "value_kind": dataset.values,
            "licence": dataset.licence,
            "citation": dataset.citation,
            "url": dataset.url,
            "n_cells": written.n_cells,
            "n_conditions": written.n_conditions,
            "n_data_points": written.n_data_points,
            "min_cells": spec.min_cells if spec.route == "summed" else None,
            "n_controls": written.n_controls,
            "n_genes": written.genes.height,
            "gene_reference": reference.reference_id(),
            "ingested_at": datetime.now(UTC),
        },
        schema=RELEASE["dataset"].schema,
    )
