"""What another gene reference would change for the datasets of a warehouse, told before anything is changed.

Every published gene and target is mapped twice by the same rules, with the reference of its release and with the
other one, so that the difference is that of the references alone. Symbols beside identifiers are not in the ledger, and
not considered.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from featurestore.query.warehouse import Warehouse
from featurestore.storage.snapshot import REFERENCES
from ingest import reference
from ingest.condition_section import ConditionSection
from ingest.harmonise.genes import decide_by_context, map_genes
from ingest.harmonise.perturbations import map_perturbations

CHANGES = ("another gene", "loses its gene", "gains a gene", "status only")
"""Kinds of change, gravest first."""

COLUMNS = ("dataset_id", "entity", "original", "change", "status", "target_id", "new_status", "new_target_id")
RULES = ("controls", "unassigned", "separator", "strip")
BY_SERVICE = "mygene"
"""Status of what the online service named; it still does where a reference does not know better."""

_KEY = ["entity", "original"]
_LEDGER = (
    "select entity, original, target_id, status from mapping where dataset_id = ? and entity = ? "
    "and status not in ('control', 'unassigned', 'left_out', 'not_there')"
)


def changes_in_datasets(store: Warehouse, folder: Path) -> pl.DataFrame:
    """Find the genes and targets of all datasets that the reference in a folder would map otherwise.

    Returns
    -------
    One row per label: dataset_id, entity, original, change (one of `CHANGES`), status, target_id, new_status and
    new_target_id; the genes of a combination are joined by '+', '?' standing for one that is not known.
    """
    frames = [_changes(store, dataset_id, folder) for dataset_id in sorted(store.snapshot.datasets)]
    return pl.concat([pl.DataFrame(schema=dict.fromkeys(COLUMNS, pl.String)), *frames])


def count_identifiers(store: Warehouse) -> dict[str, int]:
    """Count the published genes and targets of each dataset."""
    query = (
        "select dataset_id, count(distinct (entity, original)) as n from mapping "
        "where entity in ('gene', 'perturbation') "
        "and status not in ('control', 'unassigned', 'left_out', 'not_there') group by all"
    )
    return dict(store.frame(query).rows())


def changes_in_tables(folder: Path) -> pl.DataFrame:
    """Compare the tables of the reference in use with those of a folder: table, rows, new_rows, added, removed."""
    rows = []
    for name in reference.manifest()["tables"]:
        before = reference.table(name)
        with reference.using(folder):
            after = reference.table(name)
        shared = [column for column in before.columns if column in after.columns]
        added = after.join(before, on=shared, how="anti", nulls_equal=True).height
        removed = before.join(after, on=shared, how="anti", nulls_equal=True).height
        rows.append((name, before.height, after.height, added, removed))
    return pl.DataFrame(rows, schema=["table", "rows", "new_rows", "added", "removed"], orient="row")


def _changes(store: Warehouse, dataset_id: str, folder: Path) -> pl.DataFrame:
    manifest = store.manifest(dataset_id)
    genes, targets = (store.frame(_LEDGER, [dataset_id, entity]) for entity in ("gene", "perturbation"))
    found = []
    for place in (store.path / REFERENCES / manifest["gene_reference"], folder):
        with reference.using(place):
            mapped = [_map_genes(genes, manifest["spec"]), _map_targets(targets, manifest["spec"])]
        found.append(_with_service(pl.concat(mapped), pl.concat([genes, targets])))
    then, now = found
    both = then.join(now.rename({"status": "new_status", "target_id": "new_target_id"}), on=_KEY, nulls_equal=True)
    before, after = pl.col("target_id"), pl.col("new_target_id")
    change = (
        pl.when(before.is_null() & after.is_not_null())
        .then(pl.lit("gains a gene"))
        .when(before.is_not_null() & after.is_null())
        .then(pl.lit("loses its gene"))
        .when(before != after)
        .then(pl.lit("another gene"))
        .when(pl.col("status") != pl.col("new_status"))
        .then(pl.lit("status only"))
    )
    changed = both.with_columns(change.alias("change"), pl.lit(dataset_id).alias("dataset_id")).drop_nulls("change")
    gravity = pl.col("change").replace_strict({name: rank for rank, name in enumerate(CHANGES)}, return_dtype=pl.Int8)
    return changed.sort(gravity, *_KEY).select(COLUMNS)


def _map_genes(ledger: pl.DataFrame, spec: dict[str, Any]) -> pl.DataFrame:
    originals = ledger["original"].unique(maintain_order=True)
    translate = spec["genes"]["translate_mouse"]
    mapping = map_genes(originals, kind=spec["genes"]["kind"], translate_mouse=translate)
    mapping = decide_by_context(mapping, each_gene_once=spec.get("table") is None)
    return mapping.table.select(pl.lit("gene").alias("entity"), "original", "status", target_id="gene_id")


def _map_targets(ledger: pl.DataFrame, spec: dict[str, Any]) -> pl.DataFrame:
    rules = {name: spec["condition"][name] for name in RULES}
    section = ConditionSection.model_validate(
        rules | {"perturbation": "-", "context": {"value": "-"}, "kind": "crispri"}
    )
    labels = ledger["original"].unique(maintain_order=True)
    given = pl.DataFrame({"perturbation_label": labels, "kind": pl.Series([None] * len(labels), dtype=pl.String)})
    mapped = map_perturbations(given, section, translate_mouse=spec["genes"]["translate_mouse"]).ledger
    gene = pl.col("target_id").fill_null("?")
    return mapped.group_by(_KEY, maintain_order=True).agg(
        pl.col("status").sort_by(gene).str.join("+"),
        pl.when(pl.col("target_id").is_not_null().any()).then(gene.sort().str.join("+")).alias("target_id"),
    )


def _with_service(mapped: pl.DataFrame, ledger: pl.DataFrame) -> pl.DataFrame:
    """Let what the online service named stand where the reference has nothing."""
    named = ledger.unique(_KEY, keep="none").filter(pl.col("status") == BY_SERVICE).select(*_KEY, named="target_id")
    joined = mapped.join(named, on=_KEY, how="left", nulls_equal=True, maintain_order="left")
    takes = pl.col("target_id").is_null() & pl.col("named").is_not_null()
    return joined.with_columns(
        status=pl.when(takes).then(pl.lit(BY_SERVICE)).otherwise("status"),
        target_id=pl.coalesce("target_id", "named"),
    ).select(mapped.columns)
