"""``featurestore genes``: what a list of gene identifiers became, with or without a warehouse."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from featurestore.commands.options import output_option
from featurestore.commands.shown import show
from featurestore.storage.snapshot import SNAPSHOTS
from featurestore.storage.whole import beside
from ingest import map_genes
from ingest.identifiers.gene_list import parse_gene_list, read_gene_list

STANDARD_INPUT = Path("-")


@click.command()
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True), metavar="FILE|-")
@click.option("--column", help="Column of identifiers, in a table; 'index' of a matrix's genes where it is left out.")
@click.option("--symbols", help="Column of symbols beside them; an identifier takes precedence over its symbol.")
@click.option(
    "--format", "form", type=click.Choice(["table", "csv", "json"]), default="table", show_default=True,
    help="A report; or one row, or object, for each input: original, gene_id, symbol, status, method, candidates.",
)  # fmt: skip
@output_option
@click.option(
    "--context", is_flag=True,
    help="Decide ambiguous names by the rest of the list; sound where each gene occurs once, as in a matrix.",
)  # fmt: skip
@click.option("--translate-mouse", is_flag=True, help="Map mouse genes to their only human ortholog.")
@click.option(
    "--online", is_flag=True,
    help="Ask mygene.info (or FEATURESTORE_MYGENE_URL) for what the reference leaves without a gene.",
)  # fmt: skip
@click.pass_obj
def genes(
    warehouse: Path,
    file: Path,
    column: str | None,
    symbols: str | None,
    form: str,
    output: Path | None,
    *,
    context: bool,
    translate_mouse: bool,
    online: bool,
) -> None:
    """Map gene identifiers of any notation to current genes, and say what became of each.

    FILE holds one identifier a line, or is a table (CSV, TSV, Parquet; see --column), or any matrix that can be
    ingested; - reads standard input. No warehouse is needed, and no network is touched without --online. What could
    mean several genes is left unmapped.

    \b
    Examples:
      featurestore genes gene_names.csv
      featurestore genes screen.h5ad --symbols gene_name --format csv -o genes.csv
      cut -f1 table.tsv | featurestore genes - --format json
    """
    from ingest.identifiers.gene_report import report, rows  # noqa: PLC0415, help needs no table of genes

    if file == STANDARD_INPUT:
        listed = parse_gene_list(sys.stdin.buffer.read(), column=column, symbols=symbols)
    else:
        listed = read_gene_list(file, column, symbols)
    mapping = map_genes(listed.ids, symbols=listed.symbols, by_context=context, translate_mouse=translate_mouse)
    if online:
        from ingest.harmonise.online import OnlineGenes  # noqa: PLC0415

        fallback = OnlineGenes.at(warehouse if (warehouse / SNAPSHOTS).is_dir() else None)
        mapping = fallback.complete(mapping)
        fallback.save()
        click.echo(fallback.summary(), err=True)
    if form != "table":
        show(rows(mapping), form, output)
    elif output is not None:
        with beside(output) as path:
            path.write_text(report(mapping, listed.where) + "\n", encoding="utf-8")
    else:
        click.echo(report(mapping, listed.where))
