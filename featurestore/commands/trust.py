"""``featurestore verify`` and ``doctor``: is what was published still there, and is all well with this machine."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from featurestore.commands.options import snapshot_option, table_or_json_option
from featurestore.commands.terminal import patience
from featurestore.counts import count_of
from featurestore.errors import FeatureStoreError
from featurestore.query.warehouse import Warehouse
from featurestore.upkeep.doctor import Symptom, diagnose
from featurestore.upkeep.examine import Fault, Report
from featurestore.upkeep.verify import verify as verify_warehouse

DEEP_CHECKS = "featurestore.checks"
"""Entry points of further checks; the write path registers the one that recomputes signatures."""


@click.command()
@click.option("--deep", is_flag=True, help="Also recompute every signature from its sums.")
@click.option(
    "--matrix",
    "matrices",
    multiple=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Also build this written feature matrix again from its pinned snapshot, and compare every byte.",
)
@snapshot_option
@table_or_json_option
@click.pass_context
def verify(context: click.Context, deep: bool, matrices: tuple[Path, ...], snapshot: int | None, form: str) -> None:  # noqa: FBT001
    """Read every byte of the warehouse again, and compare it with what was published.

    Finds any flipped bit in a release, a reference, a snapshot, a kept matrix, a saved spec or a report, decodes every
    table, and runs the questions of sql/checks. What has no checksums is named as not read. Each fault is named with
    the release, the file, and the command that restores it. Exit code 1 if any.

    \b
    Examples:
      featurestore verify
      featurestore verify --deep --format json
      featurestore verify --matrix matrix/
    """
    checks = [point.load() for point in entry_points(group=DEEP_CHECKS)] if deep else []
    with patience("reading every byte"):
        report = verify_warehouse(context.obj, snapshot, deep=checks)
        report.faults += [fault for matrix in matrices for fault in rebuilt_faults(context.obj, matrix)]
    if form == "json":
        said = dataclasses.asdict(dataclasses.replace(report, seen=set()))
        said.pop("seen")
        click.echo(json.dumps(said, indent=1))
    else:
        for fault in report.faults:
            click.echo(_sentence(fault) + "\n")
        for note in report.notes:
            click.echo(f"Note: {note}.")
        click.echo(_summary(report, len(matrices), deep=deep))
    context.exit(1 if report.faults else 0)


@click.command()
@table_or_json_option
@click.pass_context
def doctor(context: click.Context, form: str) -> None:
    """Look at the environment and the warehouse: versions, space, memory, permissions, locks, what is left over.

    Nothing is changed. Exit code 1 if there is a problem; notes do not count.

    \b
    Example:
      featurestore --warehouse lab/warehouse doctor
    """
    symptoms = diagnose(context.obj)
    if form == "json":
        click.echo(json.dumps([dataclasses.asdict(symptom) for symptom in symptoms], indent=1))
    else:
        Console(soft_wrap=True).print(_table(symptoms))
    context.exit(1 if any(symptom.status == "problem" for symptom in symptoms) else 0)


def rebuilt_faults(warehouse: Path, matrix: Path) -> Iterator[Fault]:
    """Build a matrix again; yield a fault where it is not what was written."""
    from featurestore.features.registry import rebuild  # noqa: PLC0415, only where a matrix is named

    with Warehouse(warehouse) as store:
        differing = rebuild(store, matrix)
    if differing:
        yield Fault(
            "The feature matrix is not what its spec gives.",
            str(matrix),
            expected="the same bytes, built again from its manifest",
            got=f"other bytes in {', '.join(differing)}",
            do="build it again: featurestore build SPEC.toml -o FOLDER",
        )


def _sentence(fault: Fault) -> str:
    """Show a fault as every failure is shown."""
    release = f" (release {fault.release_id} of {fault.dataset_id})" if fault.dataset_id else ""
    return str(
        FeatureStoreError(fault.what, where=fault.where + release, expected=fault.expected, got=fault.got, do=fault.do)
    )


def _summary(report: Report, n_matrices: int, *, deep: bool) -> str:
    what = (
        f"{count_of(report.n_snapshots, 'snapshot')}, {count_of(report.n_releases, 'release')}, "
        f"{count_of(report.n_files, 'file')}, "
        f"{report.n_bytes / 1e6:,.1f} MB read"
    )
    if n_matrices:
        what += f", {count_of(n_matrices, 'matrix')} built again"
    if report.faults:
        return f"{what}: {count_of(len(report.faults), 'fault')}."
    return f"{what}: all as published" + (", and as the sums give." if deep else ".")


def _table(symptoms: list[Symptom]) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in ("check", "status", "found", "do"):
        table.add_column(name)
    for symptom in symptoms:
        table.add_row(symptom.check, symptom.status, symptom.found, symptom.do)
    return table
