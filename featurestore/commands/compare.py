"""``featurestore compare``: whether two datasets agree."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from featurestore.commands.options import as_picture, format_option, output_option, snapshot_option
from featurestore.counts import count_of

if TYPE_CHECKING:
    from featurestore.lookup.agreement import Agreement

_DIGITS = 3
_MORE = "crispra|overexpression"


@click.command()
@click.argument("dataset")
@click.argument("other")
@click.option(
    "--top", type=click.IntRange(min=0), default=10, show_default=True, help="How many perturbations to list."
)
@click.option(
    "--picture",
    type=click.Path(dir_okay=False, path_type=Path),
    callback=as_picture,
    help="Draw the correlations beside those of different perturbations: PNG, SVG or PDF.",
)
@format_option
@output_option
@snapshot_option
@click.pass_obj
def compare(
    warehouse: Path,
    dataset: str,
    other: str,
    top: int,
    picture: Path | None,
    form: str,
    output: Path | None,
    snapshot: int | None,
) -> None:
    """Compare what the same perturbations do in DATASET and in OTHER, where they respond in both.

    Correlations are over the genes that both measured, own targets left out; centred ones are after removing what the
    shared perturbations have in common. Beside them is chance (the same with other perturbations), and the noise
    ceiling: the most r that noise in both allows. --format csv, json and parquet give every perturbation.

    \b
    Examples:
      featurestore compare replogle_2022_k562_essential replogle_2022_rpe1
      featurestore compare my_screen replogle_2022_rpe1 --picture agreement.png --format csv -o agreement.csv
    """
    from featurestore.commands.shown import show  # noqa: PLC0415
    from featurestore.commands.terminal import progress  # noqa: PLC0415
    from featurestore.lookup.agreement import compare_datasets  # noqa: PLC0415
    from featurestore.query.warehouse import Warehouse  # noqa: PLC0415

    with Warehouse(warehouse, snapshot) as store, progress() as report:
        found = compare_datasets(store, dataset, other, report=report)
    if picture is not None:
        from featurestore.lookup.pictures import agreement_histogram, save  # noqa: PLC0415

        save(agreement_histogram(found), picture)
    if form == "table" and output is None:
        click.echo(_described(found, top))
    else:
        show(found.rows, form, output)


def _described(found: Agreement, top: int) -> str:
    import polars as pl  # noqa: PLC0415

    from featurestore.commands.shown import table_text  # noqa: PLC0415

    told = {name: "unknown" if value is None else f"{value:.2f}" for name, value in found.summary.items()}
    n = found.rows.height
    ceiling = told["ceiling"] + _of_wells(found)
    lines = [
        f"{count_of(n, 'perturbation')} respond{'s' * (n == 1)} in both, of {_counts(found)}.",
        f"Median r {told['r']}; with other perturbations {told['chance_r']}; noise ceiling {ceiling}.",
        f"Median centred r {told['centred_r']}; with other perturbations {told['centred_chance_r']}.",
        f"Mean rank {told['rank']}: the share of other perturbations that are less alike; 0.50 is chance.",
    ]
    if len(set(found.effect_kinds)) > 1:
        lines.append(f"Effects are {found.effect_kinds[0]} and {found.effect_kinds[1]}.")
    is_activated = [pl.col(name).str.contains(_MORE) for name in ("perturbation_kind", "perturbation_kind_other")]
    turned = found.rows.filter(is_activated[0] != is_activated[1])
    if turned.height:
        lines.append(f"{turned.height:,} of them are activated in one, silenced in the other: expect opposite effects.")
    if found.shared_experiments:
        lines.append(f"Both are of the same cells, which agree with themselves: {', '.join(found.shared_experiments)}.")
    if top:
        shown = found.rows.drop("perturbation_id", "perturbation_kind", "perturbation_kind_other").head(top)
        lines += ["", table_text(shown.with_columns(pl.selectors.float().round(_DIGITS)))]
    return "\n".join(lines)


def _of_wells(found: Agreement) -> str:
    """Say why a ceiling is too high, or is not known."""
    if not found.is_of_wells:
        return ""
    if found.summary["ceiling"] is None:
        return ": L1000 was published without its numbers of wells, or how they agree"
    return " or less: wells of L1000 agree by their upper quartile"


def _counts(found: Agreement) -> str:
    pairs = zip(found.n_responders, found.datasets, strict=True)
    return " and ".join(f"{n:,} in {name}" for n, name in pairs)
