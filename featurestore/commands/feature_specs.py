"""``featurestore features``: specs by name and version, and proof that a written matrix can be built again."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

import click
from rich import box
from rich.table import Table

from featurestore.commands.options import spec_argument, table_or_json_option
from featurestore.commands.terminal import rendered
from featurestore.query.warehouse import Warehouse

label_argument = click.argument("label", metavar="NAME[@VERSION]")


@click.group()
def features() -> None:
    """Keep feature specs by name and version, with their snapshot and files.

    \b
    Examples:
      featurestore features save features.toml
      featurestore features diff k562_from_other_experiments@1 k562_from_other_experiments@2
      featurestore features rebuild matrix/
    """


@features.command()
@spec_argument
@click.pass_obj
def save(warehouse: Path, spec_path: Path) -> None:
    """Save SPEC (a TOML file) as the next version of its name."""
    from featurestore.features import registry  # noqa: PLC0415

    with Warehouse(warehouse) as store:
        saved = registry.save(store, spec_path)
    click.echo(f"{saved.label}, pinned to snapshot {saved.snapshot}")


@features.command("list")
@table_or_json_option
@click.pass_obj
def list_specs(warehouse: Path, form: str) -> None:
    """List every version of every spec."""
    from featurestore.features import registry  # noqa: PLC0415

    with Warehouse(warehouse) as store:
        saved = registry.saved_specs(store)
        for error in registry.damaged_specs(store.path):
            click.echo(str(error), err=True)
    if form == "json":
        click.echo(json.dumps([asdict(each) for each in saved], indent=2, ensure_ascii=False))
        return
    table = Table("spec", "snapshot", "saved at", "retired", box=box.SIMPLE)
    for each in saved:
        table.add_row(each.label, str(each.snapshot), each.saved_at, each.retired or "")
    click.echo(rendered(table))


@features.command()
@label_argument
@click.pass_obj
def show(warehouse: Path, label: str) -> None:
    """Print a saved spec as it was saved."""
    from featurestore.features import registry  # noqa: PLC0415

    with Warehouse(warehouse) as store:
        click.echo(registry.find(store, label).text.rstrip())


@features.command()
@click.argument("old", metavar="NAME@VERSION")
@click.argument("new", metavar="NAME@VERSION")
@click.pass_obj
def diff(warehouse: Path, old: str, new: str) -> None:
    """Show what changed from one version to another."""
    from featurestore.features import registry  # noqa: PLC0415

    with Warehouse(warehouse) as store:
        click.echo(registry.difference(registry.find(store, old), registry.find(store, new)) or "no difference")


@features.command()
@label_argument
@click.option("--reason", required=True, help="Why it should no longer be used.")
@click.pass_obj
def retire(warehouse: Path, label: str, reason: str) -> None:
    """Mark a version as no longer to be used; it stays readable."""
    from featurestore.features import registry  # noqa: PLC0415

    with Warehouse(warehouse) as store:
        click.echo(f"retired {registry.retire(store, label, reason).label}")


@features.command()
@click.argument("matrix", type=click.Path(file_okay=False, path_type=Path))
@click.pass_obj
def rebuild(warehouse: Path, matrix: Path) -> None:
    """Build a written MATRIX again from its manifest and compare every byte; exit code 1 where they differ."""
    from featurestore.features import registry  # noqa: PLC0415

    with Warehouse(warehouse) as store:
        differing = registry.rebuild(store, matrix)
    if differing:
        click.echo(f"differs: {', '.join(differing)}")
        sys.exit(1)
    click.echo("identical")
