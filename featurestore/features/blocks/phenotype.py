"""Scalar readouts, such as gene effect in a cell line: as features across contexts, or as what is to be predicted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import polars as pl

from featurestore.errors import FeatureError
from featurestore.features.blocks.block import FeatureBlock, make_block, skipped, source_facts
from featurestore.features.blocks.inputs import BlockInputs
from featurestore.features.effects.elsewhere import Measured
from featurestore.features.effects.signature import Effects, mean_of_matches
from featurestore.features.guard.near_duplicate import (
    NEARLY_IDENTICAL,
    agreement,
    is_allowed,
    is_near_duplicate,
    near_duplicate,
)
from featurestore.features.kinds.options import PHENOTYPE
from featurestore.features.kinds.phenotype import PhenotypeFeature
from featurestore.features.matching import match_conditions
from featurestore.query.sqlfiles import sql_files

if TYPE_CHECKING:
    from featurestore.features.sections import Allow
    from featurestore.features.selection import Source
    from featurestore.query.warehouse import Warehouse

_FEWEST_ROWS = 20
_NO_CONTEXT = "none"
_IDENTITY = ["perturbation_id", "target_gene_ids", "compound_id", "perturbation_kind"]


def measured_phenotype(warehouse: Warehouse, conditions: pl.DataFrame, phenotype: str) -> Measured:
    """Read a scalar readout of the target's conditions; those without a value are left out.

    Returns
    -------
    What is to be predicted; its one "gene" is the readout.

    Raises
    ------
    FeatureError
        No condition has the readout.
    """
    dataset_id = conditions["dataset_id"][0]
    values = conditions.join(_read(warehouse, dataset_id, phenotype), on="condition_id", how="left")["value"]
    has = values.is_not_null()
    if not has.any():
        known = _read(warehouse, dataset_id, None)["phenotype"].unique().sort()
        raise FeatureError(
            f"No selected condition of '{dataset_id}' has the phenotype '{phenotype}'.",
            where="target, phenotype",
            got=f"phenotypes of the dataset: {', '.join(known) or 'none'}",
        )
    genes = pl.DataFrame({"gene_id": [phenotype], "gene_symbol": [phenotype]})
    effects = values.filter(has).to_numpy().astype(np.float32)[:, None]
    return Measured(conditions.filter(has), genes, effects, PHENOTYPE)


def phenotype_blocks(feature: PhenotypeFeature, given: BlockInputs) -> list[FeatureBlock]:
    """Give each row the readouts of its perturbation in one dataset: one column per phenotype and context.

    Raises
    ------
    LeakageError
        The target is a readout too, and a context of the source has nearly the values of a context of the rows.
    """
    return [_block(feature, source, given) for source in given.sources]


def _block(feature: PhenotypeFeature, source: Source, given: BlockInputs) -> FeatureBlock:
    given.tell(source)
    measured = given.measured
    facts, n_rows = source_facts(source) | {"effect_kind": feature.phenotype or PHENOTYPE}, measured.rows.height
    readouts = _read(given.warehouse, source.dataset_id, feature.phenotype)
    found = source.conditions.join(readouts, on="condition_id", how="inner")
    if found.is_empty():
        return skipped(facts, n_rows, "none of its conditions has the phenotype")
    found = found.with_columns(context=pl.col("context_id").fill_null(_NO_CONTEXT))
    found = found.with_columns(suffix=pl.concat_str("phenotype", "context", separator="/"))
    perturbations = found.select(_IDENTITY).unique(maintain_order=True).with_row_index("at")
    columns = found.select("suffix", "context").unique("suffix").sort("suffix").with_row_index("column")
    at = found.join(perturbations, on=_IDENTITY, nulls_equal=True, how="left", maintain_order="left")["at"]
    column = found.join(columns, on="suffix", how="left", maintain_order="left")["column"]
    shape = (perturbations.height, columns.height)
    flat = at.to_numpy().astype(np.int64) * shape[1] + column.to_numpy()
    total = np.bincount(flat, found["value"].to_numpy(), minlength=shape[0] * shape[1])
    count = np.bincount(flat, minlength=shape[0] * shape[1])
    values = np.where(count > 0, total / np.maximum(count, 1), np.nan).reshape(shape).astype(np.float32)
    matches = match_conditions(measured.rows, perturbations.drop("at"), feature.combination)
    matched = mean_of_matches(values, matches, n_rows)
    likeness = _check_values(source, columns, matched, measured, given.allow)
    names = columns.select("suffix", gene_id=pl.lit(None, pl.String()))
    return make_block(facts, matches, values, matched, names, components=feature.components, likeness=likeness)


def _check_values(
    source: Source, columns: pl.DataFrame, matched: Effects, measured: Measured, allow: Sequence[Allow]
) -> list[dict[str, Any]]:
    """Refuse a column that is the answer under another name, in one context of the rows or over all of them."""
    if measured.effect_kind != PHENOTYPE:
        return []
    theirs = source.conditions.group_by(pl.col("context_id").fill_null(_NO_CONTEXT)).agg(pl.col("experiment_id"))
    of_context = {context: set(experiments) for context, experiments in theirs.iter_rows()}
    n_compared = n_alike = n_allowed = 0
    for experiments, row, answer in _answers(measured):
        for name, context, values in zip(columns["suffix"], columns["context"], matched[row].T, strict=True):
            n_compared += 1
            both = np.isfinite(values) & np.isfinite(answer)
            if not is_near_duplicate(agreement(answer[both], values[both], _FEWEST_ROWS)):
                continue
            n_alike += 1
            if is_allowed(allow, experiments, of_context[context]):
                n_allowed += 1
                continue
            raise near_duplicate(
                source,
                f", column {name}",
                expected=f"values that do not correlate above {NEARLY_IDENTICAL} with those to predict",
                got=f"{both.sum()} perturbations nearly identical",
                do="leave its context out; if these are other cells, name the pair of experiments under [[allow]]",
            )
    return [{"source": source.block, "n_compared": n_compared, "n_alike": n_alike, "n_allowed": n_allowed}]


def _answers(measured: Measured) -> Iterator[tuple[set[str], npt.NDArray[np.intp], Effects]]:
    """Yield experiments, a row of each perturbation, and its mean answer: of each context, then of all if several."""
    rows = measured.rows.select(
        "experiment_id",
        "perturbation_id",
        "perturbation_kind",
        context=pl.col("context_id").fill_null(_NO_CONTEXT),
        answer=pl.Series(measured.effects[:, 0], dtype=pl.Float64()),
    ).with_row_index("row")
    parts = rows.partition_by("context", maintain_order=True)
    for part in [*parts, rows] if len(parts) > 1 else parts:
        means = part.group_by("perturbation_id", "perturbation_kind", maintain_order=True).agg(
            pl.col("row").first(), pl.col("answer").mean()
        )
        yield set(part["experiment_id"]), means["row"].to_numpy().astype(np.intp), means["answer"].to_numpy()


def _read(warehouse: Warehouse, dataset_id: str, phenotype: str | None) -> pl.DataFrame:
    query = sql_files("features")["phenotypes"]
    with warehouse.cursor([dataset_id], query) as cursor:
        frame: pl.DataFrame = cursor.sql(query, params={"dataset_id": dataset_id, "phenotype": phenotype}).pl()
    return frame
