"""``featurestore score`` and ``metrics``: predicted cells scored."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich import box
from rich.table import Table

from featurestore.commands.options import (
    as_meant,
    column_option,
    control_option,
    existing_file,
    refuse_given,
    table_or_json_option,
)
from featurestore.commands.terminal import progress, rendered
from featurestore.counts import count_of
from featurestore.errors import FeatureError, SourceFormatError, first_of

if TYPE_CHECKING:
    from featurestore.challenge import CellScores
    from featurestore.challenge.contexts import ChallengeScores
    from featurestore.challenge.ends_2026 import Ends

_GUIDE = re.compile(r"[-_.]\d+$")
"""What the name of a guide has after that of its gene."""


@click.command()
@click.argument("predicted", type=existing_file)
@click.argument("measured", type=existing_file, nargs=-1, required=True)
@click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    callback=as_meant,
    help="Folder to write scores to.",
)
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
    help="Folder that this command wrote: of 2025 for a baseline, which adds the challenge's score; of 2026 for any "
    "prediction of the same MEASURED, whose ends of the scale are taken instead of computed again.",
)
@column_option
@control_option
@click.option(
    "--context-column", default="context", show_default=True, help="Of 2026: column of obs with the cell context."
)
@click.option(
    "--targets",
    type=existing_file,
    help="Of 2026: CSV with the perturbations that are not called like their target gene, such as guides, and that "
    "gene, one pair a row; nothing after the comma where there is none.",
)
@table_or_json_option
def score(
    predicted: Path,
    measured: tuple[Path, ...],
    output: Path | None,
    protocol: str,
    baseline: Path | None,
    column: str,
    control: str,
    context_column: str,
    targets: Path | None,
    form: str,
) -> None:
    """Score the cells of PREDICTED against those of MEASURED (h5ad files) on every metric that cells allow.

    PREDICTED may be a .vcc file. By the protocol of 2026 it needs no control cells: those of MEASURED serve both sides,
    each context its own, and the score is the challenge's: 0 is the mean response of the measured cells, 1 what one
    half of them tells of the other, over five splits. Differential expression of both sides is by the Wilcoxon rank-sum
    test against control cells. Perturbations for which a metric is undefined, such as those without a significant gene,
    are counted and left out of its mean.

    \b
    Examples:
      featurestore score predicted.h5ad measured.h5ad -o scores/ --baseline baseline_scores/
      featurestore score submission.h5ad context_A.h5ad context_B.h5ad context_C.h5ad --protocol 2026
    """
    if protocol == "2026":
        found = _score_2026(predicted, measured, baseline, column, control, context_column, targets)
        if output is not None:
            found.write(output)
        click.echo(json.dumps(found.to_dict(), indent=2, allow_nan=False) if form == "json" else sheets(found))
        return
    from featurestore.challenge.cells import read_cells  # noqa: PLC0415
    from featurestore.challenge.score import read_baseline, score_cells  # noqa: PLC0415

    refuse_given(["context_column", "targets"], "they are of --protocol 2026.")
    if len(measured) > 1:
        raise FeatureError("The protocol of 2025 scores one context.", got=f"{len(measured):,} measured files")
    with progress() as report:
        report("reading")
        truth = read_cells(measured[0], column=column, control=control)
        cells = read_cells(predicted, column=column, control=control)
        scores = score_cells(cells, truth, report=report)
    shares = None if baseline is None else scores.challenge(read_baseline(baseline))
    if output is not None:
        scores.write(output)
    if form == "json":
        plain = scores.to_dict() | ({} if shares is None else {"challenge_2025": shares})
        click.echo(json.dumps(plain, indent=2, allow_nan=False))
    else:
        click.echo(sheet(scores))
        if shares is not None:
            click.echo(f"Against the baseline, score of the challenge of 2025: {_parts(shares)}.")


def _score_2026(
    predicted: Path,
    measured: tuple[Path, ...],
    baseline: Path | None,
    column: str,
    control: str,
    context: str,
    targets: Path | None,
) -> ChallengeScores:
    from featurestore.challenge.contexts import read_ends, read_pairs, score_contexts  # noqa: PLC0415

    known = None if baseline is None else read_ends(baseline)
    mapped = None if targets is None else read_targets(targets)
    with progress() as report:
        report("reading")
        pairs = read_pairs(predicted, measured, column=column, control=control, context=context, targets=mapped)
        return score_contexts(pairs, known=known, report=report)


def read_targets(path: Path) -> dict[str, str]:
    """Read the target gene of perturbations from a CSV without header: name, gene.

    Raises
    ------
    SourceFormatError
        A row does not have two values.
    """
    rows = [line.split(",") for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    wrong = [",".join(row) for row in rows if len(row) != 2]  # noqa: PLR2004, name and gene
    if wrong:
        raise SourceFormatError(
            "A row of targets is not a pair.", where=str(path), expected="PERTURBATION,GENE", got=wrong[0]
        )
    return {name.strip(): gene.strip() for name, gene in rows}


def sheets(found: ChallengeScores) -> str:
    """Lay out the scores of every context, where they lie on the scale, and the score of the challenge."""
    parts = []
    for name, scores in found.contexts.items():
        head = f"Context {name}: " if name else ""
        if name in found.without_scale:
            reason = found.without_scale[name]
            parts.append(f"{head}{sheet(scores)}\nThere is no score of the challenge of 2026: {reason}")
            continue
        shares = found.shares(name)
        said = f"Score of the challenge of 2026: {shares['average']:.3f}, the mean of the six"
        parts.append(f"{head}{sheet(scores, found.ends[name], shares)}\n{said}; 0 is the mean response, 1 a replicate.")
    if found.score is not None and len(parts) > 1:
        each = ", ".join(f"{name} {found.shares(name)['average']:.3f}" for name in found.contexts)
        parts.append(
            f"Score of the challenge of 2026 over {len(found.contexts):,} contexts: {found.score:.3f} ({each})."
        )
    return "\n\n".join(parts)


def sheet(scores: CellScores, ends: Ends | None = None, shares: dict[str, float] | None = None) -> str:
    """Lay out mean scores, their place on the scale, what is best, and for how many perturbations each is undefined."""
    on_scale = ("baseline", "replicate", "score") if ends and shares else ()
    table = Table("metric", "mean", *on_scale, "best", "undefined", box=box.SIMPLE)
    for column in table.columns[1:]:
        column.justify = "right"
    for row in scores.summary.iter_rows(named=True):
        name, mean = row["metric"], "-" if row["mean"] is None else f"{row['mean']:.4f}"
        n = "" if row["n_undefined"] is None else f"{row['n_undefined']:,}"
        placed: list[str] = []
        if ends and shares:
            values = (ends.baseline.get(name), ends.replicate.get(name), shares.get(name))
            placed = ["" if value is None else f"{value:.4f}" for value in values]
        table.add_row(row["title"], mean, *placed, f"{row['best']:.0f}", n)
    head = f"{count_of(scores.per_perturbation.height, 'perturbation')} by the protocol of {scores.protocol}."
    lines = [head, rendered(table), "Means over the perturbations where a metric is defined."]
    if scores.without_gene:
        lines.append(
            f"{len(scores.without_gene):,} of them are not named like genes ({first_of(scores.without_gene)}): "
            "no own target is left out of their scores."
        )
        genes = set(scores.genes)
        guides = [name for name in scores.without_gene if _GUIDE.sub("", name) in genes]
        if guides:
            lines.append(f"{guides[0]} looks like a guide of {_GUIDE.sub('', guides[0])}: say so with --targets.")
    return "\n".join(lines)


def _parts(shares: dict[str, float]) -> str:
    parts = ", ".join(f"{name} {share:.3f}" for name, share in shares.items() if name != "average")
    return f"{shares['average']:.3f} ({parts})"


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
