"""Cells of several contexts, scored by the protocol of 2026 and placed on the challenge's scale."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import polars as pl

from featurestore.challenge.cells import COLUMN, NON_TARGETING, Cells, as_cells, read_any
from featurestore.challenge.ends_2026 import Ends, content, ends
from featurestore.challenge.protocol_2026 import check, side
from featurestore.challenge.score import CellScores, score_cells
from featurestore.errors import SourceFormatError, ValuesError
from featurestore.metrics.score_2026 import VCC_2026, score_2026
from featurestore.storage.scores import SCORES, write_scores
from featurestore.storage.whole import filled

if TYPE_CHECKING:
    from anndata import AnnData

Report = Callable[[str], None]

CONTEXT = "context"
"""Column of obs with the context of each cell, in the challenge's files."""


class Pair(NamedTuple):
    """Predicted and measured cells of one context; its name is empty where the files have none."""

    context: str
    predicted: Cells
    measured: Cells


@dataclass(frozen=True)
class ChallengeScores:
    """Scores of every context, and where its scale begins and ends.

    Parameters
    ----------
    contexts
        Scores by name of the context.
    ends
        Ends of the scale, likewise.
    without_scale
        Contexts that have no score, with the reason.
    """

    contexts: dict[str, CellScores]
    ends: dict[str, Ends]
    without_scale: dict[str, str]

    def shares(self, context: str) -> dict[str, float]:
        """Score of each of the six metrics of a context, and their ``average``."""
        means, own = self.contexts[context].means(), self.ends[context]
        return score_2026(means, own.baseline, own.replicate)

    @property
    def score(self) -> float | None:
        """Score of the challenge, the mean over the contexts; none where one of them has none."""
        if self.without_scale:
            return None
        return float(np.mean([self.shares(name)["average"] for name in self.contexts]))

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values: of one context by itself, or by ``contexts``."""
        found = {name: scores.to_dict() for name, scores in self.contexts.items()}
        by_context = {name: self._on_scale(name) for name in self.contexts}
        first = next(iter(found.values())) if len(found) == 1 else {"protocol": "2026", "contexts": found}
        return first | {"challenge_2026": {"score": self.score, "contexts": by_context}}

    def _on_scale(self, name: str) -> dict[str, Any]:
        if name in self.without_scale:
            return {"score": None, "reason": self.without_scale[name]}
        means, own, shares = self.contexts[name].means(), self.ends[name], self.shares(name)
        metrics = {
            m: {
                "value": None if np.isnan(means[m]) else means[m],
                "baseline": own.baseline[m],
                "replicate": own.replicate[m],
                "score": shares[m],
            }
            for m in VCC_2026
        }
        return {"score": shares["average"], "measured": own.measured, "metrics": metrics}

    def write(self, folder: str | Path) -> None:
        """Write ``scores.json`` and ``per_perturbation.csv`` into a folder."""
        tables = [
            scores.per_perturbation.select(pl.lit(name).alias(CONTEXT), pl.all()) if name else scores.per_perturbation
            for name, scores in self.contexts.items()
        ]
        with filled(Path(folder), SCORES) as path:
            write_scores(path, self.to_dict())
            pl.concat(tables).write_csv(path / "per_perturbation.csv")


def score_contexts(
    pairs: Sequence[Pair], *, known: Mapping[str, Ends] | None = None, report: Report = lambda _: None
) -> ChallengeScores:
    """Score the cells of every context.

    Parameters
    ----------
    known
        Ends of the scale that an earlier score of the same measured cells has.

    Raises
    ------
    SourceFormatError
        The ends that are known are of other cells; or as :func:`score_cells`.
    """
    contexts, found, without = {}, {}, {}
    for name, predicted, measured in pairs:
        check(predicted, measured)
        report("differential expression of the measured cells")
        truth = side(measured, measured)
        contexts[name] = score_cells(predicted, measured, protocol="2026", truth=truth, report=report)
        try:
            found[name] = ends(measured, truth, report=report) if known is None else _same(known, name, measured)
            score_2026(contexts[name].means(), found[name].baseline, found[name].replicate)
        except (ValueError, ValuesError) as error:
            if isinstance(error, SourceFormatError):
                raise
            without[name] = " ".join(str(error).split())
    return ChallengeScores(contexts, found, without)


def _same(known: Mapping[str, Ends], name: str, measured: Cells) -> Ends:
    if name not in known or known[name].measured != content(measured):
        raise SourceFormatError(
            "The scores to compare with are of other measured cells.",
            where=measured.name,
            do="leave --baseline out: the ends of the scale are computed anew",
        )
    return known[name]


def read_ends(folder: str | Path) -> dict[str, Ends]:
    """Read the ends of the scale of every context that an earlier score was written with.

    Raises
    ------
    SourceFormatError
        There are none.
    """
    path = Path(folder) / SCORES
    try:
        found = json.loads(path.read_text(encoding="utf-8"))["challenge_2026"]["contexts"]
        return {
            name: Ends(_end(own, "baseline"), _end(own, "replicate"), own["measured"]) for name, own in found.items()
        }
    except (OSError, ValueError, KeyError) as error:
        what = "There are no scores by the protocol of 2026 to compare with."
        raise SourceFormatError(what, where=str(path), got=str(error)) from None


def _end(own: Mapping[str, Any], end: str) -> dict[str, float]:
    return {name: own["metrics"][name][end] for name in VCC_2026}


def read_pairs(
    predicted: str | Path,
    measured: Sequence[str | Path],
    *,
    column: str = COLUMN,
    control: str = NON_TARGETING,
    context: str = CONTEXT,
    targets: Mapping[str, str] | None = None,
) -> list[Pair]:
    """Read predicted and measured cells, and put those of the same context together.

    Parameters
    ----------
    predicted
        An h5ad or ``.vcc`` file; it needs no controls.
    measured
        One or several h5ad files.
    context
        Column of obs with the context of each cell; where neither side has it, all cells are of one.
    targets
        Target gene of perturbations that are not called like it.

    Raises
    ------
    SourceFormatError
        The contexts of the two sides are not the same; or as :func:`read_cells`.
    """
    truths: dict[str, Cells] = {}
    for path in measured:
        for name, part in by_context(read_any(path), context).items():
            if name in truths:
                raise SourceFormatError(
                    "Two measured files have the same context." if name else "Measured files have no contexts.",
                    where=str(path),
                    expected=f"a column '{context}' in obs that tells the files apart",
                    got=name or "no such column",
                )
            truths[name] = as_cells(part, column=column, control=control, name=str(path), targets=targets)
    parts = by_context(read_any(predicted), context)
    if len(parts) == len(truths) == 1 and "" in {*parts, *truths}:
        name = max(*parts, *truths)
        parts, truths = dict(zip([name], parts.values(), strict=True)), dict(zip([name], truths.values(), strict=True))
    if set(parts) != set(truths):
        raise SourceFormatError(
            "Predicted and measured cells are not of the same contexts.",
            where=str(predicted),
            expected=", ".join(sorted(truths)) or "no contexts",
            got=", ".join(sorted(parts)),
            do="name the column that has them with --context-column, or the measured files of all contexts",
        )
    pairs = []
    for name, part in parts.items():
        truth, ordered = truths[name], _in_order(part, truths[name].genes)
        cells = as_cells(ordered, column=column, control=control, name=str(predicted), lender=truth, targets=targets)
        pairs.append(Pair(name, cells, truth))
    return pairs


def _in_order(found: AnnData, genes: tuple[str, ...]) -> AnnData:
    """Bring genes to another order, where they are the same."""
    names = found.var_names.tolist()
    return found[:, list(genes)] if names != list(genes) and sorted(names) == sorted(genes) else found


def by_context(found: AnnData, column: str = CONTEXT) -> dict[str, AnnData]:
    """Split the cells of an AnnData by context; all are under the empty name where it has none."""
    if column not in found.obs:
        return {"": found}
    names = found.obs[column].astype(str).to_numpy()
    return {str(name): found[names == name] for name in np.unique(names)}
