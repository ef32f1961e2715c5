"""The sources of pair features: read once, checked by the guard, and shuffled where the null is asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from featurestore.features.effects.signature_matrix import SignatureMatrix, signature_matrix
from featurestore.features.guard.near_duplicate import (
    NEARLY_IDENTICAL,
    agreement,
    is_allowed,
    is_near_duplicate,
    near_duplicate,
)
from featurestore.features.pairs.calls import Calls

if TYPE_CHECKING:
    from featurestore.features.kinds.options import Question
    from featurestore.features.pairs.calls import Axes
    from featurestore.features.sections import Allow
    from featurestore.features.selection import Source
    from featurestore.query.warehouse import Warehouse

CALLS = "de_call"
_FEWEST_SHARED = 100


@dataclass(frozen=True, slots=True)
class SourceCalls:
    """A source, what its calls were asked (None for effects of other kinds), and the answers.

    ``is_answer`` says that they answer the target's own question, and can stand beside its training calls.
    """

    source: Source
    question: Question | None
    calls: Calls
    is_answer: bool = True

    @property
    def experiments(self) -> tuple[str, ...]:
        """The experiments that its conditions are from."""
        return tuple(self.source.conditions["experiment_id"].unique().sort())


@dataclass(frozen=True, slots=True)
class TrainingCalls:
    """Answers to learn from, and the target's experiments that gave them."""

    experiments: tuple[str, ...]
    calls: Calls


def read_matrices(
    warehouse: Warehouse, sources: Sequence[Source], report: Callable[[str], None]
) -> list[SignatureMatrix]:
    """Read the effects of every source, those that several features look in once.

    Raises
    ------
    FeatureError
        A source has no effect of the wanted kind.
    """
    read: dict[Any, SignatureMatrix] = {}
    found = []
    for source in sources:
        key = (source.dataset_id, source.effect_kind, tuple(source.conditions["condition_id"]))
        if key not in read:
            report(f"reading {source.conditions.height} conditions of {source.name}")
            read[key] = signature_matrix(warehouse, source.dataset_id, key[2], source.effect_kind)
        found.append(read[key])
    return found


def ask(source: Source, matrix: SignatureMatrix, axes: Axes, asked: Question) -> list[SourceCalls]:
    """Ask a source all questions of its feature, by default the one given."""
    if source.effect_kind != CALLS:
        return [SourceCalls(source, None, Calls.of(axes, source.conditions, matrix, None), is_answer=False)]
    questions = source.feature.asks(asked)
    return [SourceCalls(source, q, Calls.of(axes, source.conditions, matrix, q), q == asked) for q in questions]


def check_same_calls(source: SourceCalls, training: Sequence[TrainingCalls], allow: Sequence[Allow]) -> dict[str, Any]:
    """Compare a source's answers to the target's question with the training answers, on the pairs that have both.

    Parameters
    ----------
    source
        The source.
    training
        Training answers: all, and those of each context where there are several.
    allow
        Pairs of experiments that are no leak.

    Returns
    -------
    The verdict for the manifest: pairs compared, and the correlation of answers less each gene's mean, over all
    training answers; and the highest in any context. None where one is undefined.

    Raises
    ------
    LeakageError
        They are the same, and the spec does not allow the pair of experiments.
    """
    agreements = [_agreement(source.calls, part.calls) for part in training]
    for part, (n, r) in zip(training, agreements, strict=True):
        if is_near_duplicate(r) and not is_allowed(allow, part.experiments, source.experiments):
            raise near_duplicate(
                source.source,
                "",
                expected=f"calls of other cells, which do not correlate above {NEARLY_IDENTICAL}",
                got=f"r = {r:.3f} over {n:,} pairs that both list",
                do="leave the dataset out; if these are other cells, say so under [[allow]] with a reason",
            )
    n, r = agreements[0]
    highest = max((found for _, found in agreements if found is not None), default=None)
    return {"source": source.source.block, "n_compared": n, "correlation": r, "highest": highest}


def _agreement(theirs: Calls, target: Calls) -> tuple[int, float | None]:
    """Return the number of pairs that both list, and the correlation of what is specific to perturbations there."""
    found = theirs.at(target.perturbation, target.gene)
    shared = np.isfinite(found)
    places = target.perturbation[shared], target.gene[shared]
    a, b = (Calls(*places, value[shared], target.shape).centred().value for value in (target.value, found))
    return len(a), agreement(a, b, _FEWEST_SHARED)


def shuffled(sources: Sequence[SourceCalls], seed: int) -> list[SourceCalls]:
    """Deal the perturbations of each experiment anew, in all its sources alike: the null of every external feature.

    They are dealt to all perturbations there are, not only to those of the experiment: which ones an experiment has,
    and which of them did enough to be listed, says something too.
    """
    if not sources:
        return []
    experiments = list(dict.fromkeys(source.experiments for source in sources))
    n = sources[0].calls.shape[0]
    orders = {name: np.random.default_rng([seed, i]).permutation(n) for i, name in enumerate(experiments)}
    return [replace(source, calls=source.calls.permuted(orders[source.experiments])) for source in sources]
