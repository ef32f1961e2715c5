"""What the scores of pairs say in words: how often a model is right, by whose knowledge, and whether to believe it."""

from __future__ import annotations

from featurestore.evaluation.pair_scoring import JUDGED_OF_PAIRS, title

EITHER = {
    "changed": "one changes a gene and the other does not",
    "direction": "one raises a gene and the other lowers it",
}
"""What two perturbations do, by question."""
POSITIVE = {"changed": "changed", "direction": "up"}
"""What a positive pair is, by question."""


def pair_verdict(
    question: str | None,
    area: float | None,
    error: float | None = None,
    *,
    baseline: float | None = None,
    shuffled: float | None = None,
    off: float | None = None,
) -> list[str]:
    """Say what the judged model is worth; nothing where it has no score.

    Parameters
    ----------
    question
        What is asked of a pair.
    area, error
        Its mean area over genes, and the standard error of that.
    baseline
        The mean area of the same pair elsewhere.
    shuffled
        The model's own mean area where the sources' perturbations are shuffled.
    off
        The mean distance of its probabilities from shares of positive pairs.
    """
    if area is None:
        return []
    either = EITHER.get(question or "", "one is positive for a gene and the other is not")
    sure = "" if error is None else f" ({_percent(max(area - 2 * error, 0))} to {_percent(min(area + 2 * error, 1))})"
    model = title(JUDGED_OF_PAIRS)
    said = f"Of two perturbations of which {either}, the {model} tells which in {_percent(area)} of cases{sure}"
    beside = "" if baseline is None else f", the {title('elsewhere')} in {_percent(baseline)}"
    found = [f"{said}; chance in 50 %{beside}."]
    if shuffled is not None:
        null = f"With the sources' perturbations shuffled, in {_percent(shuffled)}"
        found.append(f"{null}: what is beyond is from the sources.")
    if off is not None:
        found.append(f"Its probabilities are off by {100 * off:.1f} points on average.")
    return found


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
