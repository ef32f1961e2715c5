"""Features of a row's own context at rest: expression of its controls, which are no answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from featurestore.features.blocks.block import FeatureBlock, make_block, skipped
from featurestore.features.blocks.inputs import BlockInputs
from featurestore.features.effects.signature import mean_of_matches, pick_genes
from featurestore.features.kinds.context import ContextFeature, TargetExpressionFeature
from featurestore.query.sqlfiles import sql_files

if TYPE_CHECKING:
    from featurestore.query.warehouse import Warehouse

_NO_CONTROLS = "the rows' contexts have no controls with cells"


def context_blocks(feature: ContextFeature, given: BlockInputs) -> list[FeatureBlock]:
    """Give each row the mean log1p(CP10k) of every gene over the controls of its context."""
    measured = given.measured
    facts = _facts(feature, measured.rows, "mean_log1p")
    controls = _controls(given.warehouse, measured.rows)
    if controls.is_empty():
        return [skipped(facts, measured.rows.height, _NO_CONTROLS)]
    wide = controls.pivot("gene_id", index="context_id", values="mean_log1p", sort_columns=True).sort("context_id")
    values = wide.drop("context_id").to_numpy().astype(np.float32)
    genes = pl.DataFrame({"gene_id": wide.columns[1:]}).join(
        measured.genes, on="gene_id", how="left", maintain_order="left"
    )
    picked = pick_genes(values, genes, feature.genes, measured.genes)
    values = values[:, picked]
    place = wide.select("context_id").with_row_index("source_row")
    matches = (
        measured.rows.select("context_id")
        .with_row_index("row")
        .join(place, on="context_id", how="inner", maintain_order="left")
        .select("row", "source_row", part=pl.lit(0), weight=pl.lit(1.0), rule=pl.lit("same context"))
    )
    matched = mean_of_matches(values, matches, measured.rows.height)
    facts["n_conditions"] = len(values)
    return [make_block(facts, matches, values, matched, genes[picked], components=feature.components)]


def target_expression_blocks(feature: TargetExpressionFeature, given: BlockInputs) -> list[FeatureBlock]:
    """Give each row the expression of its target genes over the controls of its context, averaged over targets.

    A combination has one where all of its targets were measured.
    """
    measured = given.measured
    facts = _facts(feature, measured.rows, "mean_log1p")
    controls = _controls(given.warehouse, measured.rows)
    if controls.is_empty():
        return [skipped(facts, measured.rows.height, _NO_CONTROLS)]
    names = ["mean_log1p", "share_expressing"]
    found = (
        measured.rows.with_row_index("row")
        .select("row", "context_id", gene_id="target_gene_ids")
        .explode("gene_id")
        .join(controls, on=["context_id", "gene_id"], how="inner")
        .sort("row", "gene_id")
    )
    matched = np.full((measured.rows.height, len(names)), np.nan)
    n_targets = measured.rows["target_gene_ids"].list.n_unique()
    found = found.filter(pl.len().over("row") == n_targets.gather(found["row"]))
    means = found.group_by("row", maintain_order=True).agg(pl.col(names).mean())
    matched[means["row"].to_numpy()] = means.select(names).to_numpy()
    matches = found.select("row", rule=pl.lit("own target"))
    columns = pl.DataFrame({"gene_id": pl.Series([None] * len(names), dtype=pl.String()), "suffix": names})
    facts["n_conditions"] = controls["context_id"].n_unique()
    return [make_block(facts, matches, matched.astype(np.float32), matched, columns)]


def _controls(warehouse: Warehouse, rows: pl.DataFrame) -> pl.DataFrame:
    dataset_id = rows["dataset_id"][0]
    query = sql_files("features")["controls"]
    with warehouse.cursor([dataset_id], query) as cursor:
        frame: pl.DataFrame = cursor.sql(query, params={"dataset_id": dataset_id}).pl()
    return frame


def _facts(feature: ContextFeature | TargetExpressionFeature, rows: pl.DataFrame, unit: str) -> dict[str, Any]:
    first = rows.row(0, named=True)
    contexts = sorted(set(rows["context_id"].drop_nulls()))
    return {
        "source": feature.block,
        "kind": feature.kind,
        **{name: first[name] for name in ("dataset_id", "release_id", "licence")},
        "context_id": contexts[0] if len(contexts) == 1 else None,
        "context_label": None,
        "effect_kind": unit,
        "n_conditions": 0,
    }
