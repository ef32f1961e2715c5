"""What ``featurestore build`` and ``evaluate`` print where a row is a pair of condition and gene."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.table import Table

from featurestore.commands.terminal import rendered
from featurestore.counts import count_of

if TYPE_CHECKING:
    from featurestore.evaluation.pair_evaluation import PairEvaluation
    from featurestore.features.pairs.pair_matrix import PairMatrix


def describe_pairs(matrix: PairMatrix) -> str:
    """Describe a matrix of pairs: its size, its sources, the guard's verdict and the licences."""
    from featurestore.evaluation.pair_verdict import POSITIVE  # noqa: PLC0415

    manifest = matrix.manifest
    table = Table("source", "conditions", "genes", "pairs", "agreement", "features", box=box.SIMPLE)
    for column in table.columns[1:5]:
        column.justify = "right"
    agreement = {verdict["source"]: verdict["correlation"] for verdict in manifest["guard"]["lookalikes"]}
    blocks: dict[str, list[str]] = {}
    embeddings = [source for source in manifest["sources"] if source["kind"] == "embedding"]
    for source in manifest["sources"]:
        if source in embeddings:
            continue
        block, name = source["source"].split("/", 1)
        blocks.setdefault(name, []).append(block)
    for name, own in blocks.items():
        first = next(s for s in manifest["sources"] if s["source"] == f"{own[0]}/{name}")
        counts = [f"{first[key]:,}" for key in ("n_conditions", "n_genes", "n_pairs")]
        r = agreement[first["source"]]
        table.add_row(name, *counts, "-" if r is None else f"{r:.2f}", ", ".join(own))
    also = [
        f"Also {source['source']} (vectors of each {source['of']}): {source['n_features']:,} features, "
        f"{source['n_covered']:,} of {source['n_asked']:,} {source['of']}s and {source['n_pairs']:,} pairs covered."
        for source in embeddings
    ]
    fitted = matrix.columns.filter("is_fitted")["name"].to_list()
    positive = f"{manifest['n_positive']:,} {POSITIVE[manifest['spec']['target']['question']]}"
    size = (
        f"{manifest['name']}: {count_of(manifest['n_rows'], 'pair')} of "
        f"{count_of(manifest['n_perturbations'], 'perturbation')} and {count_of(manifest['n_genes'], 'gene')}, "
        f"{positive} x {count_of(manifest['n_features'], 'feature')}; snapshot {manifest['snapshot']}, "
        f"recipe {manifest['recipe'][:12]}"
    )
    held_out = f"Held out: {', '.join(matrix.held_out)}. Learnt from training labels, anew for each: {_listed(fitted)}."
    experiments = ", ".join(manifest["guard"]["experiments"]["target_experiments"])
    guard = f"Guard: no source shares an experiment with the rows ({experiments}); no perturbation is on both sides."
    licences = "; ".join(f"{name} {licence or 'unknown'}" for name, licence in manifest["licences"].items())
    note = "Agreement: correlation with the training calls over the pairs that both list, each gene's mean taken away."
    sources = [rendered(table), note] if blocks else []
    return "\n".join([size, *sources, *also, held_out, guard, f"Licences: {licences}."])


def pair_sheet(evaluation: PairEvaluation) -> str:
    """Lay out the mean area of every model, its standard error, and the null; a dash is a score that is undefined."""
    from featurestore.evaluation.pair_scoring import title  # noqa: PLC0415

    counts = evaluation.counts()
    table = Table("model", "AUROC by gene", "standard error", "sources shuffled", "probability off by", box=box.SIMPLE)
    for column in table.columns[1:]:
        column.justify = "right"
    for model in evaluation.scores:
        off = evaluation.reliability.get(model, {}).get("calibration_error")
        numbers = (evaluation.areas.get(model), evaluation.errors[model], evaluation.shuffled(model), off)
        table.add_row(title(model), *("-" if n is None else f"{n:.3f}" for n in numbers))
    held_out = (
        f"{count_of(counts['n_pairs'], 'pair')} of {count_of(counts['n_perturbations'], 'perturbation')} held out; "
        f"{counts['n_genes_scored']:,} of {counts['n_genes']:,} genes have both answers there."
    )
    notes = [
        "Mean over those genes; standard error over perturbations. 1 perfect, 0.5 chance. Probabilities: 0 is honest.",
        f"Shuffled: external perturbations permuted {counts['n_shuffles']} times, mean over them.",
    ]
    doubted = [f"Doubt: {sentence}." for sentence in evaluation.doubts]
    said = notes if evaluation.null else notes[:1]
    return "\n".join([held_out, rendered(table), *said, *_sources(evaluation), *doubted, *evaluation.verdict])


def _sources(evaluation: PairEvaluation) -> list[str]:
    """Say what fewer sources are worth, in one line."""
    from featurestore.evaluation.pair_scoring import title  # noqa: PLC0415
    from featurestore.evaluation.pair_value import LEARNER  # noqa: PLC0415

    if evaluation.curve.is_empty():
        return []
    lines = evaluation.curve.drop_nulls("auroc").select("sources", "data_points", "auroc").iter_rows()
    named = [f"{area:.3f} from {sources or 'none'} ({n:,} data points)" for sources, n, area in lines]
    return [f"By sources, {title(LEARNER)}: {'; '.join(named)}."]


def _listed(names: list[str]) -> str:
    return ", ".join(names) if names else "nothing"
