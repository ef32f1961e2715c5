"""``featurestore score``, ``metrics`` and ``submit``: predicted cells scored, and predictions written as cells."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

import click
import numpy as np
import numpy.typing as npt
import polars as pl
from rich import box
from rich.table import Table

from featurestore.commands.options import in_folder, table_or_json_option
from featurestore.commands.terminal import progress, rendered
from featurestore.errors import FeatureError, SourceFormatError, did_you_mean, first_of
from featurestore.query.warehouse import Warehouse
from featurestore.storage.snapshot import snapshot_numbers

if TYPE_CHECKING:
    from featurestore.challenge import CellScores

Protocol = Literal["2025", "2026"]

existing = click.Path(exists=True, dir_okay=False, path_type=Path)
control_option = click.option(
    "--control", default="non-targeting", show_default=True, help="Label of the control cells."
)
column_option = click.option(
    "--column", default="target_gene", show_default=True, help="Column of obs with the perturbation of each cell."
)


@click.command()
@click.argument("predicted", type=existing)
@click.argument("measured", type=existing)
@click.option("-o", "--output", type=click.Path(file_okay=False, path_type=Path), help="Folder to write scores to.")
@click.option(
    "--protocol",
    type=click.Choice(["2025", "2026"]),
    default="2025",
    show_default=True,
    help="Virtual Cell Challenge whose definitions are used: log1p cells, or counts.",
)
@click.option(
    "--baseline",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder that this command wrote for a baseline; adds the score of the challenge of 2025.",
)
@column_option
@control_option
@table_or_json_option
def score(
    predicted: Path,
    measured: Path,
    output: Path | None,
    protocol: str,
    baseline: Path | None,
    column: str,
    control: str,
    form: str,
) -> None:
    """Score the cells of PREDICTED against those of MEASURED (h5ad files) on every metric that cells allow.

    PREDICTED may be a .vcc file. By the protocol of 2026 it needs no control cells: those of MEASURED serve both sides.
    Differential expression of both sides is by the Wilcoxon rank-sum test against control cells. Perturbations for
    which a metric is undefined, such as those without a significant gene, are counted and left out of its mean.

    \b
    Example:
      featurestore score predicted.h5ad measured.h5ad -o scores/ --baseline baseline_scores/
    """
    from featurestore.challenge.cells import read_cells  # noqa: PLC0415
    from featurestore.challenge.score import read_baseline, score_cells  # noqa: PLC0415

    with progress() as report:
        report("reading")
        truth = read_cells(measured, column=column, control=control)
        lender = truth if protocol == "2026" else None
        cells = read_cells(predicted, column=column, control=control, lender=lender)
        scores = score_cells(cells, truth, protocol=cast("Protocol", protocol), report=report)
    shares = None if baseline is None else scores.challenge(read_baseline(baseline))
    if output is not None:
        scores.write(output)
    if form == "json":
        found = scores.to_dict() | ({} if shares is None else {"challenge_2025": shares})
        click.echo(json.dumps(found, indent=2, allow_nan=False))
    else:
        click.echo(sheet(scores, shares))


def sheet(scores: CellScores, shares: dict[str, float] | None) -> str:
    """Lay out mean scores, what is best, and for how many perturbations each is undefined."""
    table = Table("metric", "mean", "best", "undefined", box=box.SIMPLE)
    for column in table.columns[1:]:
        column.justify = "right"
    for row in scores.summary.iter_rows(named=True):
        mean = "-" if row["mean"] is None else f"{row['mean']:.4f}"
        n = "" if row["n_undefined"] is None else f"{row['n_undefined']:,}"
        table.add_row(row["title"], mean, f"{row['best']:.0f}", n)
    head = f"{scores.per_perturbation.height:,} perturbations by the protocol of {scores.protocol}."
    lines = [head, rendered(table), "Means over the perturbations where a metric is defined."]
    if scores.without_gene:
        lines.append(
            f"{len(scores.without_gene):,} of them are called like no gene ({first_of(scores.without_gene)}): "
            "no own target is left out of their scores."
        )
    if shares is not None:
        parts = ", ".join(f"{name} {share:.3f}" for name, share in shares.items() if name != "average")
        lines.append(f"Against the baseline, score of the challenge of 2025: {shares['average']:.3f} ({parts}).")
    return "\n".join(lines)


@click.command()
@table_or_json_option
def metrics(form: str) -> None:
    """List every metric: what it means, its best value, what it needs, and how a worthless prediction scores well.

    \b
    Example:
      featurestore metrics
    """
    from featurestore.metrics import describe  # noqa: PLC0415

    listed = describe()
    if form == "json":
        click.echo(json.dumps(listed, indent=2, ensure_ascii=False))
        return
    for m in listed:
        chance = "" if m["chance"] is None else f", chance {m['chance']:g}"
        click.echo(f"{m['name']}: {m['title']}, best {m['best']:g}{chance}, one value a {m['per']}")
        facts = {"": m["definition"], "loophole": m["loophole"], "needs": ", ".join(m["needs"]), "source": m["source"]}
        for label, text in facts.items():
            click.echo(click.wrap_text(f"{label}: {text}" if label else text, 116, "  ", "    "))
        click.echo()


@click.command()
@click.argument("effects", type=existing)
@click.argument("controls", type=existing)
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    callback=in_folder,
    required=True,
    help="File to write.",
)
@click.option(
    "--protocol",
    type=click.Choice(["2025", "2026"]),
    default="2025",
    show_default=True,
    help="Virtual Cell Challenge: .vcc of log1p cells, or .h5ad of counts.",
)
@click.option("--cells", type=click.IntRange(min=1), help="Cells of each perturbation.  [default: 100 or 400]")
@click.option("--genes", type=existing, help="File with the genes that are expected, one a line, in order.")
@click.option("--context", default="A", show_default=True, help="Of 2026: name of the cell context.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the choice of control cells.")
@column_option
@control_option
@click.pass_obj
def submit(
    warehouse: Path,
    effects: Path,
    controls: Path,
    output: Path,
    protocol: str,
    cells: int | None,
    genes: Path | None,
    context: str,
    seed: int,
    column: str,
    control: str,
) -> None:
    """Write predicted EFFECTS as cells, made of the control cells of CONTROLS (h5ad) times the predicted fold change.

    EFFECTS is a Parquet or CSV file: a column of perturbations first, then a column for each gene with the predicted
    difference of mean log1p of counts per 10,000, as 'evaluate --predictions' writes it. Genes that it does not have
    stay as they are in the controls. A gene may have another name there than here, an Ensembl id and a symbol it no
    longer has: the warehouse's reference tells, if there is a warehouse.

    \b
    Examples:
      featurestore submit predicted.parquet controls.h5ad -o prediction.vcc --genes gene_names.csv
      featurestore submit predicted.parquet controls.h5ad -o prediction.h5ad --protocol 2026
    """
    from featurestore.challenge.cells import read_cells  # noqa: PLC0415
    from featurestore.challenge.submission import (  # noqa: PLC0415
        CELLS_EACH_2025,
        CELLS_EACH_2026,
        emit_cells,
        write_counts,
        write_vcc,
    )

    expected = None if genes is None else read_genes(genes)
    with progress() as report:
        report("reading")
        pool = read_cells(controls, column=column, control=control)
        labels, values = read_effects(effects, pool.genes, same_genes(warehouse))
        is_2026 = protocol == "2026"
        n = cells or (CELLS_EACH_2026 if is_2026 else CELLS_EACH_2025)
        made = emit_cells(pool, values, labels, n_cells=n, as_counts=is_2026, seed=seed, report=report)
        report("writing")
        if is_2026:
            write_counts(made, output, context=context, genes=expected, column=column)
        else:
            write_vcc(made, output, genes=expected, column=column)
    n_controls = 0 if is_2026 else int((made.labels == control).sum())
    click.echo(
        f"{output}: {len(labels):,} perturbations of {n:,} cells, {n_controls:,} control cells, "
        f"{len(expected or pool.genes):,} genes."
    )


def read_genes(path: Path) -> list[str]:
    """Read names of genes, one a line; a header ``gene_name`` is none."""
    names = [line.split(",")[0].strip().strip('"') for line in path.read_text(encoding="utf-8").splitlines()]
    return [name for name in names if name and name != "gene_name"]


def same_genes(warehouse: Path) -> Callable[[Sequence[str]], dict[str, str]]:
    """Return what tells the gene_id of each name of a gene, as far as a warehouse, if there is one, knows it."""

    def ids(names: Sequence[str]) -> dict[str, str]:
        from featurestore.features.identifiers import harmonise  # noqa: PLC0415, only where names differ

        if not snapshot_numbers(warehouse):
            return {}
        with Warehouse(warehouse) as store:
            found = harmonise(store, names).filter(entity="gene", status="mapped")
        return dict(found.select("original", "target_id").iter_rows())

    return ids


def read_effects(
    path: Path, genes: tuple[str, ...], ids: Callable[[Sequence[str]], dict[str, str]] = lambda _: {}
) -> tuple[list[str], npt.NDArray[np.float64]]:
    """Read predicted effects on a gene axis; genes that the file lacks are NaN.

    Parameters
    ----------
    path
        Parquet or CSV: perturbations, then a column for each gene.
    genes
        The axis.
    ids
        Tells the id of each name, as far as it is known: where a gene has one name in the file and another on the axis.

    Raises
    ------
    SourceFormatError
        The file cannot be read, or names a perturbation twice.
    FeatureError
        It has none of the genes.
    """
    try:
        frame = pl.read_parquet(path) if path.suffix == ".parquet" else pl.read_csv(path, infer_schema_length=None)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise SourceFormatError("The effects cannot be read.", where=str(path), got=str(error)) from None
    labels = frame[frame.columns[0]].cast(pl.String()).to_list()
    if len(set(labels)) < len(labels):
        twice = sorted({name for name in labels if labels.count(name) > 1})
        raise SourceFormatError("Perturbations are there more than once.", where=str(path), got=", ".join(twice[:5]))
    column_of = {name: name for name in frame.columns[1:]}
    lacking = [gene for gene in genes if gene not in column_of]
    extra = sorted(set(column_of).difference(genes))
    if lacking and extra:
        known, named = ids([*lacking, *extra]), Counter[str]()
        for name in extra:
            named[known.get(name, "")] += 1
        by_id = {known[name]: name for name in extra if name in known and named[known[name]] == 1}
        column_of |= {gene: by_id[known[gene]] for gene in lacking if known.get(gene) in by_id}
    shared = [gene in column_of for gene in genes]
    if not any(shared):
        raise FeatureError(
            "The effects have none of the controls' genes.",
            where=str(path),
            expected=f"columns named as the genes of the controls, such as {', '.join(genes[:3])}",
            got=did_you_mean(genes[0], frame.columns[1:]) if genes else "no genes",
        )
    values = np.full((len(labels), len(genes)), np.nan)
    names = [column_of[gene] for gene, is_shared in zip(genes, shared, strict=True) if is_shared]
    place = {name: i for i, name in enumerate(dict.fromkeys(names))}
    read = frame.select(list(place)).cast(pl.Float64()).to_numpy()
    values[:, np.flatnonzero(shared)] = read[:, [place[name] for name in names]]
    return labels, values
