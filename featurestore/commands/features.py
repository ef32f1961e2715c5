"""``featurestore build`` and ``evaluate``: a feature matrix from a spec, and what it adds to a regression."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click
from rich import box
from rich.table import Table

from featurestore.commands.options import folder_option, refuse_given, spec_argument, table_or_json_option
from featurestore.commands.pairs import describe_pairs, pair_sheet
from featurestore.commands.score_sheet import score_sheet
from featurestore.commands.terminal import progress, rendered
from featurestore.counts import count_of
from featurestore.query.warehouse import Warehouse

if TYPE_CHECKING:
    from featurestore.evaluation import Evaluation
    from featurestore.evaluation.pair_evaluation import PairEvaluation
    from featurestore.evaluation.splits import Unseen
    from featurestore.features.matrix.feature_matrix import FeatureMatrix
    from featurestore.features.pairs.pair_matrix import PairMatrix


@click.command()
@spec_argument
@folder_option("matrix")
@click.option(
    "--forbid",
    multiple=True,
    metavar="LICENCE",
    help="Write nothing that a source under this licence, or an unknown one, is in; 'non-commercial' for all of those.",
)
@table_or_json_option
@click.pass_obj
def build(warehouse: Path, spec_path: Path, output: Path, forbid: tuple[str, ...], form: str) -> None:
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
    from featurestore.features.matrix.licence import check_spec_words  # noqa: PLC0415
    from featurestore.features.spec import read_spec  # noqa: PLC0415

    spec = read_spec(spec_path)
    with Warehouse(warehouse) as store, progress() as report:
        check_spec_words(spec, store, forbid)
        matrix = build_matrix(store, spec, report=report)
        report("writing")
        matrix.write(output, forbid=forbid)
    click.echo(json.dumps(matrix.manifest, indent=2, ensure_ascii=False) if form == "json" else described(matrix))


@click.command()
@spec_argument
@folder_option("report")
@table_or_json_option
@click.option(
    "--shuffles",
    type=click.IntRange(min=0),
    default=3,
    show_default=True,
    help="Of pairs: how often to repeat with the sources' perturbations shuffled, as the null.",
)
@click.option(
    "--unseen",
    type=click.Choice(["perturbation", "context", "both"]),
    default="perturbation",
    show_default=True,
    help="Of conditions: what no training row has of the rows predicted.",
)
@click.option("--thorough", is_flag=True, help="Draw learning curves too, by external data points.")
@click.option(
    "--predictions",
    metavar="MODEL",
    help="Write what a model such as ridge or blend predicted of each row while it was held out, for 'submit'.",
)
@click.option(
    "--model",
    "own",
    multiple=True,
    metavar="MODULE:CLASS",
    help="Of conditions: score this regressor too: a class of scikit-learn's form in a module of yours.",
)
@click.pass_obj
def evaluate(
    warehouse: Path,
    spec_path: Path,
    output: Path,
    form: str,
    shuffles: int,
    unseen: Unseen,
    predictions: str | None,
    own: tuple[str, ...],
    *,
    thorough: bool,
) -> None:
    """Score models on the feature matrix that SPEC describes, every perturbation held out once.

    SPEC is a TOML file, or the name of one that comes with featurestore, such as perturbqa_k562_de.

    Compares baselines (no change, the train mean, the same perturbation elsewhere) with regressions (neighbours, ridge,
    kernel ridge, random trees, the linear model of Ahlmann-Eltze), and a blend of these. Writes report.html, which
    opens without network, scores.json, per_perturbation.parquet and .csv, and every picture as PNG. Fails, with the
    report written, where a model scores better than is possible without leakage.

    Where a row is a pair of condition and gene, compares the same pair elsewhere, ridge, logistic regression and a
    blend of regression, ranking and trees by the area under the ROC curve of each gene, and their probabilities with
    how often pairs were positive. Writes report.html, scores.json, per_gene.csv, pairs.parquet and pictures.

    \b
    Examples:
      featurestore evaluate features.toml -o report/
      featurestore evaluate features.toml -o report/ --unseen context --thorough
      featurestore evaluate features.toml -o report/ --predictions ridge
      featurestore evaluate features.toml -o report/ --model mymodels:MyNetwork
    """
    from featurestore.calibration import doubts  # noqa: PLC0415
    from featurestore.evaluation import Evaluation, read_evidence  # noqa: PLC0415
    from featurestore.evaluation import evaluate as score_models  # noqa: PLC0415
    from featurestore.evaluation.cross_validation import standard_models  # noqa: PLC0415
    from featurestore.evaluation.evaluation import check_model  # noqa: PLC0415
    from featurestore.evaluation.own import load_model  # noqa: PLC0415
    from featurestore.evaluation.pair_evaluation import evaluate_pairs  # noqa: PLC0415
    from featurestore.evaluation.pair_report import write as write_pair_report  # noqa: PLC0415
    from featurestore.evaluation.pair_scoring import PAIR_MODELS  # noqa: PLC0415
    from featurestore.evaluation.report import write as write_report  # noqa: PLC0415
    from featurestore.features.builder import build as build_matrix  # noqa: PLC0415
    from featurestore.features.pairs.builder import read_pairs  # noqa: PLC0415
    from featurestore.features.spec import read_spec  # noqa: PLC0415

    evaluation: Evaluation | PairEvaluation
    spec = read_spec(spec_path)
    given = {named.rpartition(":")[2]: load_model(named) for named in own}
    with Warehouse(warehouse, spec.snapshot) as store, progress() as report:
        if spec.target.unit == "pair":
            refuse_given(
                ["unseen", "own"],
                "of conditions alone, and a row of this spec is a pair. Its perturbations are held out, and its models "
                "are those of pairs.",
            )
            if predictions is not None:
                check_model(predictions, PAIR_MODELS)
            task = read_pairs(store, spec, report=report)
            known_against = doubts(store, task.manifest["releases"])
            evaluation = evaluate_pairs(task, shuffles=shuffles, thorough=thorough, doubts=known_against, report=report)
        else:
            refuse_given(["shuffles"], "of pairs alone, and a row of this spec is a condition.")
            matrix = cast("FeatureMatrix", build_matrix(store, spec, report=report))
            models = standard_models(matrix) | given
            if predictions is not None:
                check_model(predictions, models)
            known = read_evidence(store, matrix)
            evaluation = score_models(matrix, models, unseen=unseen, evidence=known, thorough=thorough, report=report)
        report("writing")
        if isinstance(evaluation, Evaluation):
            write_report(evaluation, output, predictions=predictions)
        else:
            write_pair_report(evaluation, output, predictions=predictions)
    click.echo(json.dumps(evaluation.to_dict(), indent=2, ensure_ascii=False) if form == "json" else sheet(evaluation))
    if isinstance(evaluation, Evaluation):
        evaluation.check()


def described(matrix: FeatureMatrix | PairMatrix) -> str:
    """Describe a matrix of either unit."""
    from featurestore.features.pairs.pair_matrix import PairMatrix  # noqa: PLC0415

    return describe_pairs(matrix) if isinstance(matrix, PairMatrix) else describe(matrix)


def sheet(evaluation: Evaluation | PairEvaluation) -> str:
    """Lay out the scores of either unit."""
    from featurestore.evaluation.pair_evaluation import PairEvaluation  # noqa: PLC0415

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
        f"{manifest['name']}: {count_of(manifest['n_rows'], 'row')} x {count_of(manifest['n_features'], 'feature')} -> "
        f"{count_of(manifest['n_genes'], 'gene')}; snapshot {manifest['snapshot']}, recipe {manifest['recipe'][:12]}"
    )
    skipped = [f"Skipped {s['source']}: {s['skipped']}." for s in manifest["sources"] if "skipped" in s]
    experiments = ", ".join(manifest["guard"]["experiments"]["target_experiments"])
    guard = (
        f"Guard: no source shares an experiment with the rows ({experiments}); "
        f"no two of the {manifest['n_groups']:,} groups share a perturbation."
    )
    licences = "; ".join(f"{name} {licence or 'unknown'}" for name, licence in manifest["licences"].items())
    return "\n".join([size, rendered(table), *skipped, guard, f"Licences: {licences}."])
