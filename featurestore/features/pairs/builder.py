"""Build a matrix of pairs: select, prove that nothing leaks, read once, and make features for every part held out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from featurestore.errors import FeatureError
from featurestore.features.blocks.block import source_facts
from featurestore.features.effects.signature_matrix import SignatureMatrix, signature_matrix
from featurestore.features.guard.leaks import check_split
from featurestore.features.guard.sources import prove_sources
from featurestore.features.kinds import Feature
from featurestore.features.kinds.options import Question
from featurestore.features.matrix.licence import check_spec_words, refuse_licences
from featurestore.features.matrix.manifest import manifest_of
from featurestore.features.pairs.calls import Axes, Calls
from featurestore.features.pairs.embeddings import Vectors, embed, shuffled_vectors
from featurestore.features.pairs.lineage import columns_of, make_blocks
from featurestore.features.pairs.pair_matrix import PairMatrix
from featurestore.features.pairs.sources import (
    SourceCalls,
    TrainingCalls,
    ask,
    check_same_calls,
    read_matrices,
    shuffled,
)
from featurestore.features.pairs.target import Pairs, pairs_of, split_conditions
from featurestore.features.pairs.transformer import PairFeatures
from featurestore.features.selection import Selection, Source, select
from featurestore.features.spec import FeatureSpec, read_spec
from featurestore.query.warehouse import Warehouse

Report = Callable[[str], None]
"""Told in words what is being done."""


@dataclass(frozen=True, slots=True)
class PairTask:
    """What a spec of pairs reads from a warehouse, checked by the guard; features are made of it as often as wanted.

    Parameters
    ----------
    spec
        The spec.
    pairs
        The rows, their answers, and how they are divided.
    position
        Perturbation and gene of each pair on the axes, shape (pairs, 2).
    sources
        The sources with their calls.
    embeddings
        Vectors of perturbations and genes from files.
    shape
        Numbers of perturbations and genes on the axes.
    manifest
        What can be said before features are made.
    """

    spec: FeatureSpec
    pairs: Pairs
    position: npt.NDArray[np.intp]
    sources: list[SourceCalls]
    embeddings: list[Vectors]
    shape: tuple[int, int]
    manifest: dict[str, Any]

    def of_sources(self, names: Collection[str]) -> PairTask:
        """Leave out all sources but some, by dataset and context, and the features that look in none that is left."""
        kept = [one for one in self.sources if one.source.name in names]
        look = [one.source.feature for one in self.sources]
        left = [one.source.feature for one in kept]
        features = [each for each in self.spec.feature if _is_one(each, left) or not _is_one(each, look)]
        return replace(self, spec=self.spec.model_copy(update={"feature": features}), sources=kept)

    def build(self, *, shuffle: int | None = None, report: Report = lambda _: None) -> PairMatrix:
        """Make the features, with linear algebra on one thread: the matrices are small.

        Parameters
        ----------
        shuffle
            Seed by which the perturbations of every external experiment are shuffled first: what is left is what the
            training labels and chance explain. So are the vectors of embeddings. None shuffles nothing.
        report
            Told in words what is being done.
        """
        sources = self.sources if shuffle is None else shuffled(self.sources, shuffle)
        embeddings = self.embeddings if shuffle is None else shuffled_vectors(self.embeddings, shuffle)
        parts = []
        with threadpool_limits(1):
            blocks = make_blocks(self.spec.feature, sources, embeddings)
            features = PairFeatures([named.block for named in blocks], self.shape)
            for division in self.pairs.divisions:
                report(f"features with {division.name} held out")
                parts.append(features.hold_out(self.position, self.pairs.call, division.inner_fold))
        columns = columns_of(blocks)
        return PairMatrix(
            X=np.stack(parts),
            y=self.pairs.rows["is_positive"].to_numpy(),
            held_out=[division.name for division in self.pairs.divisions],
            inner_fold=np.stack([division.inner_fold for division in self.pairs.divisions]),
            rows=self.pairs.rows,
            columns=columns,
            manifest=self.manifest | {"n_features": columns.height, "shuffled_sources": shuffle},
        )


def _is_one(feature: Feature, among: Sequence[Any]) -> bool:
    return any(feature is one for one in among)


def build_pairs(
    warehouse: Warehouse,
    spec: FeatureSpec | str | Path,
    *,
    shuffle: int | None = None,
    report: Report = lambda _: None,
) -> PairMatrix:
    """Build the matrix of pairs that a spec with ``unit = "pair"`` describes; see :meth:`PairTask.build`.

    Raises
    ------
    SpecError, LeakageError, FeatureError
        As :func:`read_pairs`.
    """
    return read_pairs(warehouse, spec, report=report).build(shuffle=shuffle, report=report)


def read_pairs(warehouse: Warehouse, spec: FeatureSpec | str | Path, *, report: Report = lambda _: None) -> PairTask:
    """Read what a spec of pairs asks for, and prove that nothing of it leaks.

    Raises
    ------
    SpecError
        The spec is wrong; every fault is listed.
    LeakageError
        A feature looks in the target's own experiment, or in a lookalike of it, or the split shares a perturbation.
    FeatureError
        There is nothing to predict, or nothing to predict it from, or a forbidden licence is none.
    """
    spec = read_spec(spec)
    check_spec_words(spec, warehouse)
    with warehouse.at(spec.snapshot) as pinned:
        return _read(pinned, spec, report)


def _read(warehouse: Warehouse, spec: FeatureSpec, report: Report) -> PairTask:
    report("selecting conditions")
    selection = select(warehouse, spec)
    if not selection.sources and not spec.embeddings:
        raise FeatureError("No feature looks in another experiment.", where=f"spec '{spec.name}'")
    proved = prove_sources(warehouse, selection, spec.allow)
    conditions = split_conditions(warehouse, selection.target, spec.target, spec.split)
    split = _check_split(conditions, spec)
    _check_licences(selection, spec)
    report(f"reading {conditions.height} target conditions")
    target = signature_matrix(warehouse, spec.target.dataset, conditions["condition_id"], spec.target.effect_kind)
    pairs = pairs_of(conditions, target, spec.target, spec.split)
    read = read_matrices(warehouse, selection.sources, report)
    found = list(zip(selection.sources, read, strict=True))
    axes = Axes.spanning([(conditions, target), *((source.conditions, matrix) for source, matrix in found)])
    perturbation, gene = axes.perturbation_of(conditions), axes.gene_of(target.genes)
    position = np.column_stack([perturbation[pairs.condition], gene[pairs.gene]])
    asked: Question = spec.target.question or "changed"
    sources = [calls for source, matrix in found for calls in ask(source, matrix, axes, asked)]
    embeddings = []
    for feature in spec.embeddings:
        report(f"reading {feature.file}")
        embeddings.append(embed(warehouse, feature, conditions, axes, position))
    _require_overlap(sources, embeddings, position)
    known = pairs.divisions[0].inner_fold >= 0 if spec.split.column else np.ones(len(position), dtype=bool)
    training = _training(conditions, pairs, position, known, axes)
    compared = [
        SourceCalls(source, asked, Calls.of(axes, source.conditions, matrix, asked)) for source, matrix in found
    ]
    lookalikes = [check_same_calls(source, training, spec.allow) for source in compared]
    guard = {**proved, "lookalikes": lookalikes, "split": split, "compounds": selection.joined}
    facts = [*(_facts(source, matrix) for source, matrix in found), *(vectors.facts for vectors in embeddings)]
    manifest = _manifest(warehouse, spec, selection, pairs, facts, guard)
    return PairTask(spec, pairs, position, sources, embeddings, axes.shape, manifest)


def _training(
    conditions: pl.DataFrame,
    pairs: Pairs,
    position: npt.NDArray[np.intp],
    known: npt.NDArray[np.bool_],
    axes: Axes,
) -> list[TrainingCalls]:
    """Take the known answers, all of them and then by context where there are several."""

    def of(some: npt.NDArray[np.bool_]) -> TrainingCalls:
        own = conditions["experiment_id"].gather(np.unique(pairs.condition[some])).unique().sort()
        calls = Calls(position[some, 0], position[some, 1], pairs.call[some], axes.shape).merged()
        return TrainingCalls(tuple(own), calls)

    _, context = np.unique(conditions["context_id"].fill_null("none").to_numpy(), return_inverse=True)
    context = context[pairs.condition]
    contexts = np.unique(context[known])
    parts = [known & (context == one) for one in contexts] if len(contexts) > 1 else []
    return [of(known), *map(of, parts)]


def _check_split(conditions: pl.DataFrame, spec: FeatureSpec) -> dict[str, Any]:
    """Prove that no perturbation is on both sides, neither of folds nor of the data's own split."""
    verdict = check_split(conditions, spec.split.by)
    if spec.split.column is None:
        return verdict
    sides = check_split(conditions.with_columns(group="split"), spec.split.column)
    return verdict | {"split_by": spec.split.column, "n_shared": sides["n_shared"]}


def _check_licences(selection: Selection, spec: FeatureSpec) -> None:
    frames = [selection.target, *(source.conditions for source in selection.sources)]
    terms = set(pl.concat(frame.select("dataset_id", "licence").unique() for frame in frames).iter_rows())
    terms |= {(f"file:{Path(f.file).name}", f.licence) for f in spec.embeddings}
    refuse_licences(terms, spec.licence.forbid, spec.licence.allow)


def _require_overlap(
    sources: Sequence[SourceCalls], embeddings: Sequence[Vectors], position: npt.NDArray[np.intp]
) -> None:
    wanted = np.unique(position[:, 0])
    covers = [np.isin(wanted, source.calls.perturbation).any() for source in sources]
    if not any(covers) and not any(vectors.facts["n_pairs"] for vectors in embeddings):
        raise FeatureError(
            "No source says anything about the rows.",
            got="no perturbation in common with any source",
            do="choose sources with the same target genes or compounds: see perturbation_id in the condition view",
        )


def _facts(source: Source, matrix: SignatureMatrix) -> dict[str, Any]:
    listed = np.isfinite(matrix.values)
    return source_facts(source) | {"n_pairs": int(listed.sum()), "n_genes": int(listed.any(axis=0).sum())}


def _manifest(
    warehouse: Warehouse,
    spec: FeatureSpec,
    selection: Selection,
    pairs: Pairs,
    facts: list[dict[str, Any]],
    guard: dict[str, Any],
) -> dict[str, Any]:
    counts = {
        "n_rows": pairs.rows.height,
        "n_positive": int(pairs.rows["is_positive"].sum()),
        "n_genes": pairs.rows["gene_id"].n_unique(),
        "n_perturbations": pairs.rows["perturbation_id"].n_unique(),
        "n_groups": pairs.rows["group"].n_unique(),
    }
    origins = selection.target.select("dataset_id", "release_id", "licence").unique().iter_rows(named=True)
    return manifest_of(spec, warehouse.snapshot, [*origins, *facts], counts, guard, facts)
