"""The ends of the scale of the challenge of 2026, both from measured cells alone: a mean response, and a replicate.

The mean response is what a model says that knows only how cells respond on the whole; it scores 0. The replicate is the
experiment done again, as far as one half of its cells tells the other; it scores 1.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import sparse

from featurestore.challenge.cells import Cells
from featurestore.challenge.protocol_2026 import Side, inputs, side
from featurestore.errors import ValuesError, first_of
from featurestore.metrics.challenge_2026 import FEWEST_GENES
from featurestore.metrics.inputs import Inputs, compute
from featurestore.metrics.rows import Truths
from featurestore.metrics.score_2026 import VCC_2026
from featurestore.metrics.wilcoxon import group_sums

Report = Callable[[str], None]
Rows = npt.NDArray[np.int64]

SEED, N_SPLITS = 0, 5
FEWEST_CELLS = 2


@dataclass(frozen=True, slots=True)
class Ends:
    """Where the score of one context begins and ends.

    Parameters
    ----------
    baseline, replicate
        Each metric of the challenge by name, of the mean response and of a replicate.
    measured
        Hash of the measured cells that they are of.
    """

    baseline: dict[str, float]
    replicate: dict[str, float]
    measured: str


def ends(measured: Cells, truth: Side, *, report: Report = lambda _: None) -> Ends:
    """Score the mean response of measured cells, and their halves against each other.

    The replicate is the mean over five seeded splits of all cells, controls too, so that each half is measured from its
    own. Its error of fold changes is over the genes that are significant in the whole.

    Parameters
    ----------
    measured, truth
        Cells with controls, and their side.

    Raises
    ------
    ValuesError
        There are too few cells or perturbations.

    Source: ``build_generic_baseline`` and ``compute_replicate_anchor`` of cell-eval2 0.20. The challenge's own mean
    response leaves out constructs that fail its filters; this one is over all measured perturbations.
    """
    _check(measured)
    report("differential expression of the mean response")
    baseline = means(inputs(side(mean_response(measured), measured), truth, measured))
    splits = []
    for i, seed in enumerate(np.random.SeedSequence(SEED).generate_state(N_SPLITS)):
        first, second = (side(half, half) for half in halves(measured, int(seed)))
        lfc_error = _error_between(first, second, truth, measured.own)
        splits.append(means(inputs(second, first, measured)) | {"lfc_error": lfc_error})
        report(f"{i + 1:,} of {N_SPLITS:,} half-splits scored")
    replicate = {name: float(np.mean([split[name] for split in splits])) for name in VCC_2026}
    return Ends(baseline, replicate, content(measured))


def means(given: Inputs) -> dict[str, float]:
    """Compute the six metrics of the challenge, each the mean over the perturbations where it is defined."""
    found = {}
    for name, score in compute(given, VCC_2026).items():
        values = np.atleast_1d(score)
        defined = values[~np.isnan(values)]
        found[name] = float(defined.mean()) if len(defined) else float("nan")
    return found


def mean_response(measured: Cells) -> Cells:
    """Make as many cells of each perturbation as are measured, all with the mean profile of the perturbations.

    Control cells are drawn with replacement and multiplied gene by gene; the mean of a gene leaves out the perturbation
    that targets it. The counts are not whole.
    """
    control = sparse.csr_array(measured.values[measured.groups == -1])
    sizes = np.bincount(measured.groups + 1)[1:]
    profiles = group_sums(measured.values, measured.groups, len(sizes)) / sizes[:, None]
    kept = ~measured.own
    profile = np.where(kept, profiles, 0.0).sum(axis=0) / kept.sum(axis=0)
    level = np.asarray(control.astype(np.float64).mean(axis=0)).ravel()
    ratio = np.divide(profile, level, out=np.zeros_like(level), where=level > 0)
    rng = np.random.default_rng(SEED)
    made = control[np.concatenate([rng.integers(0, control.shape[0], size=int(n)) for n in sizes])]
    made.data = (made.data * ratio[made.indices]).astype(np.float32)
    made.eliminate_zeros()
    labels = np.concatenate([np.full(control.shape[0], measured.control), np.repeat(measured.perturbations, sizes)])
    values = sparse.csr_array(sparse.vstack([control, made], format="csr"))
    return Cells(values, labels, measured.genes, measured.control, "the mean response")


def halves(cells: Cells, seed: int) -> tuple[Cells, Cells]:
    """Split the cells of each perturbation, and the controls, at random into two halves; an odd one is left out."""
    rng = np.random.default_rng(seed)
    taken: tuple[list[Rows], list[Rows]] = ([], [])
    for label in np.unique(cells.labels):
        order = rng.permutation(np.flatnonzero(cells.labels == label))
        n = len(order) // 2
        taken[0].append(order[:n])
        taken[1].append(order[n : 2 * n])
    first, second = (
        replace(cells, values=sparse.csr_array(cells.values[rows]), labels=cells.labels[rows])
        for rows in map(np.concatenate, taken)
    )
    return first, second


def content(cells: Cells) -> str:
    """Hash labels, genes and values of cells."""
    values = cells.values.astype(np.float64)
    values.sum_duplicates()
    hashed = hashlib.sha256("\n".join((*cells.labels.tolist(), *cells.genes)).encode())
    for part in (values.indptr.astype(np.int64), values.indices.astype(np.int64), values.data):
        hashed.update(part.tobytes())
    return hashed.hexdigest()


def _error_between(first: Side, second: Side, whole: Side, own: Truths) -> float:
    """Mean difference of two halves' log fold changes over the whole's significant genes, relative to its own."""
    a, b = (np.where(half.tested, half.calls.log2_fold_change, 0.0) for half in (first, second))
    gate = whole.calls.significant & whole.tested & ~own
    error, size = (np.where(gate, np.abs(x), 0.0).sum(axis=1) for x in (a - b, whole.calls.log2_fold_change))
    enough = gate.sum(axis=1) >= FEWEST_GENES
    return float((error[enough] / size[enough]).mean()) if enough.any() else float("nan")


def _check(measured: Cells) -> None:
    names, sizes = np.unique(measured.labels, return_counts=True)
    few = names[sizes < FEWEST_CELLS].tolist()
    if few or measured.own.all(axis=0).any():
        raise ValuesError(
            "A replicate needs two cells of every perturbation, and a mean response two targets.",
            where=measured.name,
            got=f"fewer cells of {first_of(few)}" if few else "one target",
        )
