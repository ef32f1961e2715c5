"""``featurestore enrich``: which gene sets are enriched in a signature."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from featurestore.commands.options import format_option, output_option, snapshot_option
from featurestore.counts import count_of

if TYPE_CHECKING:
    import polars as pl

    from featurestore.lookup.enrichment import How

_DIGITS = 3
_NAMED = 8
"""Genes of a set that a table names."""


@click.command()
@click.argument("name")
@click.argument("gene_sets", metavar="SETS.gmt", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--how",
    type=click.Choice(["ranks", "changed"]),
    default="ranks",
    show_default=True,
    help="Pre-ranked GSEA over all genes, or over-representation among the genes that go up and those that go down.",
)
@click.option("--dataset", "dataset_id", metavar="DATASET", help="Of its conditions, those of this dataset.")
@click.option("--context", help="Of its conditions, those in this cell line.")
@click.option("--condition", "condition_id", metavar="ID", help="This condition; the clearest by default.")
@click.option(
    "--fewest", type=click.IntRange(min=2), default=10, show_default=True, help="Fewest measured genes of a set."
)
@click.option(
    "--most", type=click.IntRange(min=2), default=500, show_default=True, help="Most measured genes of a set."
)
@click.option("--top", type=click.IntRange(min=1), default=20, show_default=True, help="Sets to list.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the sampling.")
@format_option
@output_option
@snapshot_option
@click.pass_obj
def enrich(
    warehouse: Path,
    name: str,
    gene_sets: Path,
    how: How,
    dataset_id: str | None,
    context: str | None,
    condition_id: str | None,
    fewest: int,
    most: int,
    top: int,
    seed: int,
    form: str,
    output: Path | None,
    snapshot: int | None,
) -> None:
    """Test the gene sets of a GMT file in the signature of NAME, a perturbation by any of its names.

    Needs gseapy: pip install 'perturbation-featurestore[enrichment]'. By ranks (pre-ranked GSEA), genes are ordered by
    z, or by effect where nothing was tested, and p is by the multilevel procedure of fgsea. Of those changed
    (q < 0.05), up and down are tested separately for over-representation, against all genes that have a q. Own targets
    are left out. --format csv, json and parquet give every set.

    \b
    Examples:
      featurestore enrich STAT1 hallmark.gmt
      featurestore enrich STAT1 hallmark.gmt --how changed --context K562 --format csv -o sets.csv
    """
    from featurestore.commands.shown import show  # noqa: PLC0415
    from featurestore.commands.terminal import patience  # noqa: PLC0415
    from featurestore.lookup.enrichment import enrich as enriched  # noqa: PLC0415
    from featurestore.query.warehouse import Warehouse  # noqa: PLC0415

    with Warehouse(warehouse, snapshot) as store, patience(f"testing the sets of {gene_sets.name}"):
        found = enriched(
            store, name, gene_sets, how=how, dataset_id=dataset_id, context=context, condition_id=condition_id,
            fewest=fewest, most=most, seed=seed,
        )  # fmt: skip
    is_table = form == "table"
    frame = _short(found.table.head(top)) if is_table else found.table
    if is_table and output is None:
        n = found.table["gene_set"].n_unique()
        click.echo(f"{':'.join(found.condition)}: {found.n_genes:,} genes by {found.statistic}, {count_of(n, 'set')}.")
    show(frame, form, output)
    if found.n_left_out:
        told = f"Sets of fewer than {fewest} or more than {most} measured genes, left out: {found.n_left_out:,}."
        click.echo(told, err=True)
    if found.unknown:
        from featurestore.errors import first_of  # noqa: PLC0415

        click.echo(f"Unknown genes of the sets: {len(found.unknown):,}, such as {first_of(found.unknown)}.", err=True)


def _short(table: pl.DataFrame) -> pl.DataFrame:
    import polars as pl  # noqa: PLC0415

    listed = pl.col("genes").list.head(_NAMED).list.join(", ")
    more = pl.when(pl.col("genes").list.len() > _NAMED).then(pl.lit(", ...")).otherwise(pl.lit(""))
    return table.with_columns(pl.selectors.float().round_sig_figs(_DIGITS), genes=pl.concat_str(listed, more))
