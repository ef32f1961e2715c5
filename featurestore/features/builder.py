"""Build a feature matrix: select, prove that nothing leaks, match, reduce, and record where every column is from."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from featurestore.counts import count_of
from featurestore.errors import FeatureError
from featurestore.features.blocks.block import FeatureBlock
from featurestore.features.blocks.by_kind import make_blocks
from featurestore.features.blocks.phenotype import measured_phenotype
from featurestore.features.effects.elsewhere import Elsewhere, Measured
from featurestore.features.effects.signature_matrix import signature_matrix
from featurestore.features.guard.leaks import check_split
from featurestore.features.guard.sources import prove_sources
from featurestore.features.matrix.cache import keep_matrix, kept_matrix, matrix_key
from featurestore.features.matrix.feature_matrix import FeatureMatrix
from featurestore.features.matrix.licence import check_licences, check_spec_words
from featurestore.features.matrix.manifest import matrix_manifest
from featurestore.features.perturbations import assign_folds, shared_target_groups
from featurestore.features.sections import Split, Target
from featurestore.features.selection import select
from featurestore.features.spec import FeatureSpec, SpecLike, read_spec
from featurestore.query.warehouse import Warehouse

if TYPE_CHECKING:
    from featurestore.features.pairs.pair_matrix import PairMatrix

Report = Callable[[str], None]
"""Told in words what is being done."""


def build(
    warehouse: Warehouse, spec: SpecLike, *, report: Report = lambda _: None, cache: bool = True
) -> FeatureMatrix | PairMatrix:
    """Build the feature matrix that a spec describes; one of pairs where ``unit = "pair"``.

    Parameters
    ----------
    warehouse
        An open warehouse. A spec that pins a snapshot is built from that one.
    spec
        The spec, its sections as a dictionary, or the path of its TOML file.
    report
        Told in words what is being done.
    cache
        Whether to take a matrix that was built before, and to keep this one, in the warehouse; pairs are built anew.

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
    if spec.target.unit == "pair":
        from featurestore.features.pairs.builder import build_pairs  # noqa: PLC0415, takes scikit-learn, a second

        return build_pairs(warehouse, spec, report=report)
    check_spec_words(spec, warehouse)
    with warehouse.at(spec.snapshot) as pinned:
        return _once(pinned, spec, report) if cache else _build(pinned, spec, report)


def _once(warehouse: Warehouse, spec: FeatureSpec, report: Report) -> FeatureMatrix:
    key = matrix_key(warehouse.snapshot, spec)
    matrix = kept_matrix(warehouse, key)
    if matrix is None:
        matrix = _build(warehouse, spec, report)
        keep_matrix(warehouse, key, matrix)
    else:
        report("built before from these very releases: taken from the warehouse")
    return matrix


def _build(warehouse: Warehouse, spec: FeatureSpec, report: Report) -> FeatureMatrix:
    report("selecting conditions")
    selection = select(warehouse, spec)
    proved = prove_sources(warehouse, selection, spec.allow)
    report(f"reading {selection.target.height} target conditions")
    measured = measure(warehouse, selection.target, spec.target)
    rows = with_folds(measured.rows, spec.split)
    split = check_split(rows, spec.split.by)
    elsewhere = Elsewhere(measured, selection.sources)
    blocks = make_blocks(warehouse, spec, selection.sources, measured, elsewhere, report)
    check_licences(spec.licence, rows, blocks)
    if not any(block.columns.height for block in blocks):
        raise _nothing_in_common(blocks)
    features = np.concatenate([block.values for block in blocks], axis=1)
    lookalikes = [verdict for block in blocks for verdict in block.likeness]
    guard = {**proved, "lookalikes": lookalikes, "split": split, "compounds": selection.joined}
    manifest = matrix_manifest(spec, warehouse.snapshot, rows, blocks, measured.genes.height, guard)
    lineage = rows.drop("dataset_id", "release_id", "licence")
    return FeatureMatrix(
        X=features,
        mask=np.isfinite(features),
        Y=measured.effects,
        elsewhere=elsewhere.mean(warehouse),
        rows=pl.concat([lineage, *(block.per_row for block in blocks)], how="horizontal"),
        columns=pl.concat(block.columns for block in blocks),
        genes=measured.genes,
        manifest=manifest | {"n_conditions_without_effect": selection.target.height - rows.height},
        of_genes=_of_genes(measured, blocks),
    )


def _of_genes(measured: Measured, blocks: list[FeatureBlock]) -> pl.DataFrame:
    """Name what blocks say of the measured genes."""
    parts = [
        pl.from_numpy(block.of_genes, schema=block.columns["name"].to_list())
        for block in blocks
        if block.of_genes is not None
    ]
    return pl.concat([measured.genes.select("gene_id"), *parts], how="horizontal") if parts else pl.DataFrame()


def measure(warehouse: Warehouse, conditions: pl.DataFrame, target: Target) -> Measured:
    """Read what is to be predicted; conditions and genes without a single effect are left out."""
    if target.phenotype is not None:
        return measured_phenotype(warehouse, conditions, target.phenotype)
    matrix = signature_matrix(warehouse, target.dataset, conditions["condition_id"], target.effect_kind)
    present = np.isfinite(matrix.values)
    rows, genes = np.asarray(present.any(axis=1)), np.asarray(present.any(axis=0))
    effects = matrix.values if rows.all() and genes.all() else matrix.values[np.ix_(rows, genes)]
    return Measured(conditions.filter(rows), matrix.genes.filter(genes), effects, target.effect_kind)


def with_folds(rows: pl.DataFrame, split: Split) -> pl.DataFrame:
    """Give every row its group and its fold.

    Raises
    ------
    FeatureError
        There are fewer groups than folds.
    """
    if split.by == "perturbation_id":
        groups = shared_target_groups(rows)
    else:
        groups = rows[split.by].cast(pl.String()).fill_null("none").alias("group")
    n_groups = groups.n_unique()
    if n_groups < split.folds:
        raise FeatureError(
            f"{count_of(n_groups, 'group')} cannot be dealt to {split.folds} folds.",
            where=f"split, by = '{split.by}'",
            got=f"{rows.height} rows",
            do=(f"set folds to {n_groups} or fewer, or " if n_groups > 1 else "") + "predict more conditions",
        )
    return rows.with_columns(groups, fold=pl.Series(assign_folds(groups, split.folds, split.seed)))


def _nothing_in_common(blocks: list[FeatureBlock]) -> FeatureError:
    reasons = [f"{block.facts['source']}: {block.facts['skipped']}" for block in blocks]
    return FeatureError(
        "No source says anything about the rows.",
        got="\n            ".join(reasons),
        do="choose sources with the same target genes or compounds: see perturbation_id in the condition view",
    )
