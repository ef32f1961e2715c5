"""The sources of pair features: read once, checked by the guard, and shuffled where the null is asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from featurestore.errors import LeakageError
from featurestore.features.matrix import SignatureMatrix, signature_matrix
from featurestore.features.pairs.calls import Calls

if TYPE_CHECKING:
    from featurestore.features.selection import Source
    from featurestore.features.spec import Allow
    from featurestore.warehouse import Warehouse

_SAME_CALLS = 0.98
"""Correlation of calls, less each gene's mean, from which two tables are of the same cells."""
_FEWEST_SHARED = 100


@dataclass(frozen=True, slots=True)
class SourceCalls:
    """A source and its calls."""

    source: Source
    calls: Calls

    @property
    def experiments(self) -> tuple[str, ...]:
        """The experiments that its conditions are from."""
        return tuple(self.source.conditions["experiment_id"].unique().sort())


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


def check_same_calls(
    source: SourceCalls, target: Calls, experiments: Sequence[str], allow: Sequence[Allow]
) -> dict[str, Any]:
    """Compare a source's calls with the target's training calls on the pairs that both list.

    Returns
    -------
    The verdict for the manifest: pairs compared, and the correlation of calls less each gene's mean; None where it is
    undefined.

    Raises
    ------
    LeakageError
        They are the same, and the spec does not allow the pair of experiments.
    """
    ours = target.centred()
    theirs = source.calls.centred().at(ours.perturbation, ours.gene)
    shared = np.isfinite(theirs)
    a, b = ours.value[shared], theirs[shared]
    defined = shared.sum() >= _FEWEST_SHARED and a.std() > 0 and b.std() > 0
    r = float(np.corrcoef(a, b)[0, 1]) if defined else None
    allowed = {(pair.target, pair.source) for pair in allow}
    named = all((one, other) in allowed for one in experiments for other in source.experiments)
    if r is not None and r >= _SAME_CALLS and not named:
        raise LeakageError(
            f"Source {source.source.name} looks like the target under another name.",
            where=f"feature {source.source.block}",
            expected=f"calls of other cells, which do not correlate above {_SAME_CALLS}",
            got=f"r = {r:.3f} over {len(a):,} pairs that both list",
            do="leave the dataset out; if these are other cells, say so under [[allow]] with a reason",
        )
    return {"source": source.source.block, "n_compared": len(a), "correlation": r}


def shuffled(sources: Sequence[SourceCalls], seed: int) -> list[SourceCalls]:
    """Deal the perturbations of each experiment anew, in all its sources alike: the null of every external feature.

    They are dealt to all perturbations there are, not only to those of the experiment: which ones an experiment has,
    and which of them did enough to be listed, says something too.
    """
    experiments = list(dict.fromkeys(source.experiments for source in sources))
    n = sources[0].calls.shape[0]
    orders = {name: np.random.default_rng([seed, i]).permutation(n) for i, name in enumerate(experiments)}
    return [replace(source, calls=source.calls.permuted(orders[source.experiments])) for source in sources]
