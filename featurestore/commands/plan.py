"""``featurestore plan``: what a feature spec would find, before anything is built."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich import box
from rich.table import Table

from featurestore.commands.options import as_meant, spec_argument, table_or_json_option
from featurestore.commands.terminal import progress, rendered
from featurestore.counts import count_of
from featurestore.errors import first_of
from featurestore.query.warehouse import Warehouse

if TYPE_CHECKING:
    from featurestore.features.plan import Plan

_SHOWN = 5


@click.command()
@spec_argument
@table_or_json_option
@click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    callback=as_meant,
    help="Folder for a heat map and JSON.",
)
@click.pass_obj
def plan(warehouse: Path, spec_path: Path, form: str, output: Path | None) -> None:
    """Say what SPEC (a TOML file) would find: who covers the target, what is missing, what the guard would withhold.

    Sources are ranked by their agreement with the target on training perturbations: over all of them, and near a row
    over those most alike it in the sources.

    \b
    Example:
      featurestore plan features.toml -o plan/
    """
    from featurestore.features.plan import plan as make_plan  # noqa: PLC0415

    with Warehouse(warehouse) as store, progress() as report:
        made = make_plan(store, spec_path, report=report)
        if output is not None:
            made.write(output)
    click.echo(json.dumps(made.to_dict(), indent=2, ensure_ascii=False) if form == "json" else describe_plan(made))


def describe_plan(made: Plan) -> str:
    """Lay out a plan: the target, its sources by relevance, what is missing and what is withheld."""
    from featurestore.features.local_agreement import local_sentences  # noqa: PLC0415, it imports SciPy

    facts = made.facts
    names = ("source", "conditions", "cells", "responders", "rows covered", "genes shared", "agreement", "near a row")
    table = Table(*names, box=box.SIMPLE)
    for column in table.columns[1:]:
        column.justify = "right"
    for source in made.sources.iter_rows(named=True):
        agreement = source["agreement"]
        counts = ("n_conditions", "n_cells", "n_responders", "n_rows_covered", "n_genes_shared")
        shown = ["-" if source[name] is None else f"{source[name]:,}" for name in counts]
        low, high = source["local_low"], source["local_high"]
        near = "-" if low is None else f"{low:.2f} to {high:.2f}"
        table.add_row(source["source"], *shown, "-" if agreement is None else f"{agreement:.2f}", near)
    size = (
        f"{facts['name']}: {count_of(facts['n_rows'], 'row')} of {count_of(facts['n_perturbations'], 'perturbation')} "
        f"in {count_of(facts['n_groups'], 'group')}, {count_of(facts['n_genes'], 'gene')}; "
        f"{count_of(facts['n_data_points'], 'data point')} with the sources, snapshot {facts['snapshot']}"
    )
    lines = [size, rendered(table)]
    local = local_sentences(made.sources, made.local)
    lines += [f"Near a row: {sentence}." for sentence in local[:_SHOWN]]
    lines += [f"{len(local) - _SHOWN:,} more sources near a row: see --output."] * (len(local) > _SHOWN)
    lines += [
        f"Also {block['block']} ({block['kind']}): {count_of(block['n_features'], 'feature')}, "
        + (
            count_of(block["n_rows_covered"], "row")
            if "n_rows_covered" in block
            else count_of(block["n_genes_covered"], "gene")
        )
        + " covered."
        for block in facts["own_blocks"]
    ]
    joined = facts["compounds"]
    lines += [f"One compound: {one['compound_id']} is {one['is']}, by {one['by']}." for one in joined[:_SHOWN]]
    lines += [f"{len(joined) - _SHOWN:,} more compounds are others: see --format json."] * (len(joined) > _SHOWN)
    withheld = made.sources.filter(made.sources["withheld"].is_not_null())
    lines += [f"Withheld: {name}: {reason}." for name, reason in withheld.select("source", "withheld").iter_rows()]
    lines += [f"Doubt: {sentence}." for sentence in facts["doubts"]]
    first = first_of(facts["uncovered"], _SHOWN)
    missing = f"No source covers {count_of(facts['n_rows_uncovered'], 'row')} ({first})." if facts["uncovered"] else ""
    return "\n".join([*lines, missing or "Some source covers every row."])
