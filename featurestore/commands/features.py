"""``featurestore build`` and ``evaluate``: a feature matrix from a spec, and what it adds to a regression."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click
import polars as pl
from rich import box
from rich.console import Console
from rich.table import Table

from featurestore.warehouse import Warehouse

if TYPE_CHECKING:
    from featurestore.evaluate import Evaluation
    from featurestore.evaluate.pair_evaluation import PairEvaluation
    from featurestore.features.feature_matrix import FeatureMatrix
    from featurestore.features.pairs.pair_matrix import PairMatrix

WIDTH = 160

spec_argument = click.argument("spec", type=click.Path(path_type=Path))
format_option = click.option(
    "--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True
)


def output_option(what: str) -> Callable[[click.decorators.FC], click.decorators.FC]:
    """Return the option that names the folder to write to."""
    kind = click.Path(file_okay=False, path_type=Path)
    return click.option("-o", "--output", type=kind, required=True, help=f"Folder for the {what}.")


@click.command()
@spec_argument
@output_option("matrix")
@click.option(
    "--forbid",
    multiple=True,
    metavar="LICENCE",
    help="Write nothing that a source under this licence, or an unknown one, is in; 'non-commercial' for all of those.",
)
@format_option
@click.pass_obj
def build(warehouse: Path, spec: Path, output: Path, forbid: tuple[str, ...], form: str) -> None:
    """Build the feature matrix that SPEC (a TOML file, or the name of one that comes with featurestore) describes.

    Writes X, mask, Y, elsewhere, rows, columns, genes and coverage as Parquet, and manifest.json with the lineage of
    every column and the verdict of the leakage guard. The same spec and snapshot give the same bytes. Where a row is
    a pair of condition and gene: X for every part held out, rows with their answer, columns and manifest.json.

    \b
    Examples:
      featurestore build features.toml -o matrix/
      featurestore build features.toml -o matrix/ --forbid non-commercial
    """
    from featurestore.features.builder import build as build_matrix  # noqa: PLC0415

    with Warehouse(warehouse) as store, progress() as report:
        matrix = build_matrix(store, spec, report=report)
        report("writing")
        matrix.write(output, forbid=forbid)
    click.echo(json.dumps(matrix.manifest, indent=2, ensure_ascii=False) if form == "json" else described(matrix))


@click.command()
@spec_argument
@output_option("report")
@format_option
@click.option(
    "--shuffles",
    type=click.IntRange(min=0),
    default=3,
    show_default=True,
    help="Of pairs: how often to repeat with the sources' perturbations shuffled, as the null.",
)
@click.pass_obj
def evaluate(warehouse: Path, spec: Path, output: Path, form: str, shuffles: int) -> None:
    """Score models on the feature matrix that SPEC describes, every perturbation held out once.

    SPEC is a TOML file, or the name of one that comes with featurestore, such as perturbqa_k562_de.

    Compares no change, the train mean, the same perturbation elsewhere, ridge and random forest. Writes scores.json,
    per_perturbation.parquet and .csv, and a picture of predicted against measured effects for each model.

    Where a row is a pair of condition and gene, compares the same pair elsewhere, ridge and logistic regression by the
    area under the ROC curve of each gene. Writes scores.json, per_gene.csv, pairs.parquet and a picture.

    \b
    Example:
      featurestore evaluate features.toml -o report/
    """
    from featurestore.evaluate import evaluate as score_models  # noqa: PLC0415
    from featurestore.evaluate.pair_evaluation import evaluate_pairs  # noqa: PLC0415
    from featurestore.features.builder import build as build_matrix  # noqa: PLC0415
    from featurestore.features.pairs.builder import read_pairs  # noqa: PLC0415
    from featurestore.features.spec import read_spec  # noqa: PLC0415

    evaluation: Evaluation | PairEvaluation
    with Warehouse(warehouse) as store, progress() as report:
        what = read_spec(spec)
        if what.target.unit == "pair":
            evaluation = evaluate_pairs(read_pairs(store, what, report=report), shuffles=shuffles, report=report)
        else:
            evaluation = score_models(cast("FeatureMatrix", build_matrix(store, what, report=report)), report=report)
        report("writing")
        evaluation.write(output)
    click.echo(json.dumps(evaluation.to_dict(), indent=2, ensure_ascii=False) if form == "json" else sheet(evaluation))


@contextmanager
def progress() -> Iterator[Callable[[str], None]]:
    """Show on standard error what is being done: one line that changes on a terminal, one line a step elsewhere."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda text: console.print(f"  {text}", highlight=False)
        return
    with console.status("starting") as status:
        yield status.update


def described(matrix: FeatureMatrix | PairMatrix) -> str:
    """Describe a matrix of either unit."""
    from featurestore.commands.pairs import describe_pairs  # noqa: PLC0415, it imports this module
    from featurestore.features.pairs.pair_matrix import PairMatrix  # noqa: PLC0415

    return describe_pairs(matrix) if isinstance(matrix, PairMatrix) else describe(matrix)


def sheet(evaluation: Evaluation | PairEvaluation) -> str:
    """Lay out the scores of either unit."""
    from featurestore.commands.pairs import pair_sheet  # noqa: PLC0415, it imports this module
    from featurestore.evaluate.pair_evaluation import PairEvaluation  # noqa: PLC0415

    return pair_sheet(evaluation) if isinstance(evaluation, PairEvaluation) else score_sheet(evaluation)


def describe(matrix: FeatureMatrix) -> str:
    """Describe a matrix of conditions: its size, its sources, the guard's verdict and the licences."""
    manifest = matrix.manifest
    table = Table("source", "effect", "conditions", "rows covered", "features", "variance", box=box.SIMPLE)
    for source in manifest["sources"]:
        variance = source.get("explained_variance")
        table.add_row(
            source["source"],
            source["effect_kind"],
            f"{source['n_conditions']:,}",
            f"{source['n_rows_covered']:,}",
            f"{source['n_features']:,}",
            "" if variance is None else f"{variance:.0%}",
        )
    for column in table.columns[2:]:
        column.justify = "right"
    size = (
        f"{manifest['name']}: {manifest['n_rows']:,} rows x {manifest['n_features']:,} features -> "
        f"{manifest['n_genes']:,} genes; snapshot {manifest['snapshot']}, recipe {manifest['recipe'][:12]}"
    )
    skipped = [f"Skipped {s['source']}: {s['skipped']}." for s in manifest["sources"] if "skipped" in s]
    experiments = ", ".join(manifest["guard"]["experiments"]["target_experiments"])
    guard = (
        f"Guard: no source shares an experiment with the rows ({experiments}); "
        f"no two of the {manifest['n_groups']:,} groups share a perturbation."
    )
    licences = "; ".join(f"{name} {licence or 'unknown'}" for name, licence in manifest["licences"].items())
    return "\n".join([size, rendered(table), *skipped, guard, f"Licences: {licences}."])


def score_sheet(evaluation: Evaluation) -> str:
    """Lay out mean scores by model, coverage, and the verdict; a dash is a score that is undefined."""
    from featurestore.evaluate.scoring import METRICS  # noqa: PLC0415
    from featurestore.evaluate.verdict import title  # noqa: PLC0415

    counts = evaluation.counts()
    table = Table("model", *(m.title for m in METRICS), "fell back", box=box.SIMPLE)
    for column in table.columns[1:]:
        column.justify = "right"
    n_fallback = dict(evaluation.per_perturbation.group_by("model").agg(pl.col("is_fallback").sum()).iter_rows())
    for model in evaluation.predicted:
        scores = [evaluation.score(model, metric.name) for metric in METRICS]
        shown = ["-" if score is None else f"{score:.3f}" for score in scores]
        table.add_row(title(model), *shown, f"{n_fallback[model]:,}")
    held_out = (
        f"{counts['n_perturbations']:,} perturbations ({counts['n_rows']:,} conditions), each held out once in "
        f"{counts['n_folds']} folds; some source covers {counts['n_rows_covered']:,} conditions, none the other "
        f"{counts['n_rows_uncovered']:,}."
    )
    note = "Means over perturbations, own target genes left out. PDS, within a fold: 1 perfect, 0.5 chance."
    return "\n".join([held_out, rendered(table), note, *undefined(evaluation), *evaluation.verdict])


def undefined(evaluation: Evaluation) -> list[str]:
    """Say which scores are undefined for how many perturbations, in one line."""
    from featurestore.evaluate.scoring import METRICS  # noqa: PLC0415
    from featurestore.evaluate.verdict import title  # noqa: PLC0415

    gaps = evaluation.summary.filter((pl.col("stratum") == "all") & (pl.col("n_undefined") > 0))
    texts = []
    for metric in METRICS:
        for n, models in (
            gaps.filter(metric=metric.name).group_by("n_undefined", maintain_order=True).agg("model").rows()
        ):
            everyone = len(models) == len(evaluation.predicted)
            texts.append(f"{metric.title} of {'all' if everyone else ', '.join(map(title, models))} ({n:,})")
    return [f"Undefined, with the number of perturbations: {'; '.join(texts)}."] if texts else []


def rendered(table: Table) -> str:
    """Render a table as plain text."""
    console = Console(width=WIDTH, force_terminal=False, color_system=None)
    with console.capture() as capture:
        console.print(table)
    return "\n".join(line.rstrip() for line in capture.get().splitlines()).rstrip()
