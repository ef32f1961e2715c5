"""``featurestore search``: which conditions have the same effect as one, and which the opposite."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from featurestore.commands.options import format_option, output_option, snapshot_option
from featurestore.errors import first_of

if TYPE_CHECKING:
    from featurestore.search.query import Query
    from featurestore.store import Store

SCORES = ("cosine", "pearson", "spearman", "csls", "wtcs", "ncs", "tau", "xsum")


@click.command()
@click.argument("name", required=False)
@click.option("--context", metavar="NAME", help="Of the conditions of NAME, those in this cell line or type.")
@click.option("--condition", metavar="DATASET:ID", help="One condition instead.")
@click.option("--up", metavar="FILE|LIST", help="Genes that go up: A,B,C; a file of one a line; SETS.gmt:NAME.")
@click.option("--down", metavar="FILE|LIST", help="Genes that go down.")
@click.option("--signature", metavar="FILE", help="A table with a column of genes and one of values, as it is.")
@click.option("--all", "is_all", is_flag=True, help="Compare every responder with every other; needs -o FILE.parquet.")
@click.option("--score", type=click.Choice(SCORES), default="cosine", show_default=True, help="How two are compared.")
@click.option("--where", metavar="SQL", help="Search only these: over columns of condition, quality, dataset, context.")
@click.option("--kind", help="Search only this perturbation_kind, such as compound.")
@click.option("--opposite", is_flag=True, help="What reverses the query, the most opposite first.")
@click.option(
    "--by",
    type=click.Choice(["condition", "perturbation", "moa", "target"]),
    default="condition",
    show_default=True,
    help="One row for each of these.",
)
@click.option("--top", type=click.IntRange(min=0), default=50, show_default=True, help="Rows at most; 0 for all.")
@click.option(
    "--background",
    type=click.Choice(["removed", "kept"]),
    default="removed",
    show_default=True,
    help="What all signatures of a dataset share.",
)
@format_option
@output_option
@snapshot_option
@click.pass_obj
def search(
    warehouse: Path,
    name: str | None,
    context: str | None,
    condition: str | None,
    up: str | None,
    down: str | None,
    signature: str | None,
    score: Any,
    where: str | None,
    kind: str | None,
    by: Any,
    top: int,
    background: Literal["removed", "kept"],
    form: str,
    output: Path | None,
    snapshot: int | None,
    *,
    is_all: bool,
    opposite: bool,
) -> None:
    """Find what has the same effect as NAME, or the opposite, in all datasets at once.

    NAME is a perturbed gene or a compound, by any of its names: the mean of its conditions. --condition, --up with
    --down, --signature or --all stand in its place.

    Signatures are compared over the genes that both have, own targets left out, after removing what all signatures of a
    dataset share. p is how often random genes agree as well, q the false discovery rate down to that row.

    \b
    Scores:
      cosine, pearson, spearman   of the values (of sets: 1 up, -1 down, 0 for the others)
      csls                        cosine minus the mean cosine of the 10 nearest on either side: the best retrieval
      wtcs, ncs, tau              CMap's weighted connectivity; within context and kind; percentile of responders
      xsum                        values of the up set minus those of the down set among the 100 most extreme genes

    \b
    Examples:
      featurestore search JAK2 --context K562
      featurestore search --up IRF1,STAT1 --down down.grp --score wtcs --kind compound --opposite
      featurestore search --signature results.csv --by moa --where "is_responder"
      featurestore search --condition lincs_demo:JAK2/A549 --top 0 -o hits.parquet --format parquet
      featurestore search --all -o matrix.parquet
    """
    from featurestore.commands.shown import show  # noqa: PLC0415
    from featurestore.commands.terminal import progress  # noqa: PLC0415, help needs no library
    from featurestore.search.answer import search as find  # noqa: PLC0415
    from featurestore.search.matrix import write_similarities  # noqa: PLC0415
    from featurestore.store import Store  # noqa: PLC0415

    asked = [condition, name, signature, up or down]
    if sum(each is not None for each in asked) + is_all != 1:
        raise click.UsageError("Search for one of NAME, --condition, --up with --down, --signature or --all.")
    if is_all and output is None:
        raise click.UsageError("--all needs -o FILE.parquet")
    if is_all and score not in {"cosine", "pearson"}:
        raise click.UsageError("--all compares by cosine or pearson.")
    with Store(warehouse, snapshot) as store, progress() as report:
        if is_all and output is not None:
            n = write_similarities(store, output, score=score, where=where, report=report)
            click.echo(f"{n:,} signatures against each other: {output}", err=True)
            return
        query = _sets_or_table(store, up, down, signature)
        found = find(
            store, query, condition=condition, perturbation=name, context=context, score=score, where=where,
            kind=kind, opposite=opposite, by=by, top=top, background=background, report=report,
        )  # fmt: skip
    show(found, form, output)


def _sets_or_table(store: Store, up: str | None, down: str | None, signature: str | None) -> Query | None:
    """Make a query of what the user brings, and say on standard error which genes it lacks."""
    from featurestore.search.query import set_query, signature_query  # noqa: PLC0415
    from featurestore.search.table import read_signature  # noqa: PLC0415

    if up is None and down is None and signature is None:
        return None
    query = set_query(store, up, down) if signature is None else signature_query(store, *read_signature(signature))
    if query.unknown:
        counts = f"{len(query.genes):,} genes searched for; {len(query.unknown):,} are not known or could be several"
        click.echo(f"Note: {counts}: {first_of(query.unknown)}", err=True)
    return query
