"""Published perturbation labels mapped: control, unassigned, gene targets, combinations, compounds.

Labels are compared exactly, after their outer spaces are removed: ``KNTC1`` is no control for holding ``NTC``, nor
``Trametinib (DMSO_TF solvate)`` for holding ``DMSO_TF``. A label is split only where the spec names a separator; it is
a control too if, taken apart, it names nothing but controls, and unassigned if any part of it is.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import polars as pl

from featurestore.contract import RELEASE
from ingest.condition_section import ConditionSection
from ingest.harmonise.combinations import absent_controls, components, unassigned_words
from ingest.harmonise.compounds import compound_table, map_compounds
from ingest.harmonise.genes import map_targets
from ingest.harmonise.online import OnlineGenes
from ingest.harmonise.perturbation_kinds import CONTROL, harmonised_kinds
from ingest.spec import GENETIC_KINDS

NOT_ASSIGNED = "no perturbation assigned"
NOT_THERE = "not_there"
"""Status of a control that a spec names and no row has."""

COMPOUND_COLUMNS = ("inchi_key", "smiles", "pubchem_cid", "broad_id", "moa")
"""Columns that may say more of a compound than its label."""

LEDGER = RELEASE["mapping"].schema


@dataclass(frozen=True, slots=True)
class PerturbationMapping:
    """What labels became.

    ``table`` has one row per row given, in order, with its columns and ``perturbation_id``, ``perturbation``,
    ``perturbation_kind``, ``target_gene_ids``, ``target_symbols``, ``compound_id``, ``is_control``, and ``reason``
    where it is rejected.
    ``compounds`` and ``ledger`` have the contract's columns.
    """

    table: pl.DataFrame
    compounds: pl.DataFrame
    ledger: pl.DataFrame


def map_perturbations(
    given: pl.DataFrame,
    rules: ConditionSection,
    *,
    dataset: str = "",
    dictionary: pl.DataFrame | None = None,
    online: OnlineGenes | None = None,
    translate_mouse: bool = False,
    controls_apart: Collection[str] = (),
) -> PerturbationMapping:
    """Map labels by a dataset's rules.

    Parameters
    ----------
    given
        ``perturbation_label``, ``kind``, and any of the compound columns; distinct rows.
    rules
        The ``[condition]`` table of the dataset's spec.
    dataset
        The dataset's id: a label without a gene or compound is a perturbation of that dataset alone.
    dictionary
        Known compounds, from `read_compound_dictionary`.
    online
        What to ask for targets that the reference leaves open.
    translate_mouse
        Map mouse targets to their only human ortholog.
    controls_apart
        Which control labels there are in components that are columns of their own.

    Raises
    ------
    SpecError
        A published kind is not known.
    """
    table = given.with_row_index("row").with_columns(perturbation_kind=harmonised_kinds(given["kind"], rules))
    table = table.with_columns(_roles(rules))
    table = table.with_columns(is_genetic=pl.col("perturbation_kind").is_in(list(GENETIC_KINDS)), note=pl.lit(None))
    named = table.filter(~pl.col("is_control") & pl.col("reason").is_null()).drop("note")
    parts = _without_structure(components(named, rules, dictionary))
    table = _with_found_in_parts(table, parts)
    parts = parts.filter(~pl.col("is_unassigned")).drop_nulls("part")
    genes, gene_ledger = _map_genes(parts.filter("is_genetic"), dataset, online, translate_mouse=translate_mouse)
    compounds, compound_parts, compound_ledger = _map_compounds(parts.filter(~pl.col("is_genetic")), dictionary)
    whole = _assemble(pl.concat([genes, compound_parts], how="diagonal"))
    table = table.join(whole, on="row", how="left", maintain_order="left").with_columns(
        perturbation_id=pl.when("is_control").then(pl.lit(CONTROL)).otherwise("perturbation_id"),
        perturbation=pl.when("is_control").then(pl.lit(CONTROL)).otherwise("perturbation"),
        perturbation_kind=pl.when("is_control").then(pl.lit(CONTROL)).otherwise("perturbation_kind"),
        target_gene_ids=pl.col("target_gene_ids").fill_null([]),
        target_symbols=pl.col("target_symbols").fill_null([]),
    )
    absent = _absent_ledger(absent_controls(given["perturbation_label"], rules, controls_apart))
    ledger = pl.concat([_plain_ledger(table), absent, gene_ledger, compound_ledger], how="diagonal").select(
        pl.col(name).cast(dtype) for name, dtype in LEDGER.items()
    )
    return PerturbationMapping(table.drop("row", "is_genetic", "note"), compounds, ledger)


def _roles(rules: ConditionSection) -> list[pl.Expr]:
    label = pl.col("perturbation_label")
    is_control = label.is_in([name.strip() for name in rules.controls]) | (pl.col("perturbation_kind") == CONTROL)
    is_unassigned = label.is_null() | label.is_in(sorted(unassigned_words(rules)))
    is_control = is_control.fill_null(value=False)
    reason = (
        pl.when(is_control)
        .then(None)
        .when(is_unassigned)
        .then(pl.lit(NOT_ASSIGNED))
        .when(pl.col("perturbation_kind").is_null())
        .then(pl.lit("no perturbation kind"))
    )
    return [is_control.alias("is_control"), reason.alias("reason")]


def _without_structure(parts: pl.DataFrame) -> pl.DataFrame:
    """Forget of a component what the source tells of the whole combination."""
    columns = [name for name in COMPOUND_COLUMNS if name in parts.columns]
    return parts.with_columns(pl.when(pl.col("n_parts") <= 1).then(pl.col(name)).alias(name) for name in columns)


def _with_found_in_parts(table: pl.DataFrame, parts: pl.DataFrame) -> pl.DataFrame:
    """Take up which labels, taken apart, name nothing but controls, and which name what is not assigned."""
    found = parts.filter(pl.col("part").is_null() | pl.col("is_unassigned")).unique("row")
    table = table.join(found.select("row", "is_unassigned"), on="row", how="left", maintain_order="left")
    is_control = pl.col("is_unassigned").not_().fill_null(value=False)
    return table.with_columns(
        is_control=pl.col("is_control") | is_control,
        note=pl.when(is_control).then(pl.lit("names nothing but controls")),
        reason=pl.when("is_unassigned").then(pl.lit(NOT_ASSIGNED)).otherwise("reason"),
    ).drop("is_unassigned")


def _map_genes(
    parts: pl.DataFrame, dataset: str, online: OnlineGenes | None, *, translate_mouse: bool
) -> tuple[pl.DataFrame, pl.DataFrame]:
    names = parts["part"].unique(maintain_order=True)
    mapping = map_targets(names.to_list(), translate_mouse=translate_mouse)
    mapping = online.complete(mapping) if online is not None else mapping
    mapped = mapping.table.with_columns(part=names).rename({"note": "gene_note"})
    genes = parts.join(mapped, on="part", how="left", maintain_order="left")
    part_id = pl.coalesce("gene_id", pl.format("label:{}:{}", pl.lit(dataset), "part"))
    ledger = _ledger(genes, "perturbation", "gene_id", "gene_note")
    name = pl.coalesce("gene_symbol", "gene_id", "part")
    return genes.select("row", "gene_id", "gene_symbol", part_id=part_id, name=name), ledger


def _map_compounds(
    parts: pl.DataFrame, dictionary: pl.DataFrame | None
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    columns = [name for name in COMPOUND_COLUMNS if name in parts.columns]
    names = parts.select(pl.col("part").alias("name"), *columns).unique(maintain_order=True)
    mapped = map_compounds(names, dictionary=dictionary)
    how = mapped.select("compound_id", "name", "status", "method", "candidates", compound_note="note")
    keyed = pl.concat([names.rename({"name": "part"}), how], how="horizontal")
    chemical = parts.join(keyed, on=["part", *columns], how="left", nulls_equal=True, maintain_order="left")
    ledger = _ledger(chemical, "compound", "compound_id", "compound_note")
    return (
        compound_table(mapped),
        chemical.select("row", "compound_id", part_id="compound_id", name=pl.coalesce("name", "part")),
        ledger,
    )


def _ledger(parts: pl.DataFrame, entity: str, target_id: str, note: str) -> pl.DataFrame:
    """Say of each part of a label what it was mapped to, and how: the rows of ``mapping``."""
    return parts.select(
        entity=pl.lit(entity),
        original="perturbation_label",
        target_id=target_id,
        status="status",
        method="method",
        candidates="candidates",
        note=_joined_notes(note),
    )


def _joined_notes(found: str) -> pl.Expr:
    """Say which component of the label a ledger row is about, why it was not split, and what the mapping noted."""
    component = pl.when(pl.col("part") != pl.col("perturbation_label")).then(pl.format("read as '{}'", "part"))
    notes = pl.concat_str(component, "note", found, separator="; ", ignore_nulls=True)
    return pl.when(notes != "").then(notes)


def _assemble(parts: pl.DataFrame) -> pl.DataFrame:
    """Join the components of each label, in an order that does not depend on how it was written."""
    return (
        parts.sort("part_id")
        .unique(["row", "part_id"], keep="first", maintain_order=True)
        .group_by("row", maintain_order=True)
        .agg(
            perturbation_id=pl.col("part_id").str.join("+"),
            perturbation=pl.col("name").sort().str.join("+"),
            target_gene_ids=pl.when(pl.col("gene_id").is_not_null().all()).then(pl.col("gene_id").implode()).first(),
            target_symbols=pl.when(pl.col("gene_id").is_not_null().all()).then(pl.col("gene_symbol").implode()).first(),
            compound_id=pl.when(pl.len() == 1).then(pl.col("compound_id").first()),
        )
    )


def _plain_ledger(table: pl.DataFrame) -> pl.DataFrame:
    """Ledger rows of the labels that name no gene or compound."""
    return table.filter(pl.col("is_control") | pl.col("reason").is_not_null()).select(
        entity=pl.lit("perturbation"),
        original="perturbation_label",
        target_id=pl.when("is_control").then(pl.lit(CONTROL)),
        status=pl.when("is_control").then(pl.lit(CONTROL)).otherwise(pl.lit("unassigned")),
        method=pl.lit("spec"),
        candidates=pl.lit([], dtype=pl.List(pl.String)),
        note=pl.coalesce("reason", "note"),
    )


def _absent_ledger(names: Sequence[str]) -> pl.DataFrame:
    """Ledger rows of the controls that a spec names and no row has."""
    rows = [
        {
            "entity": "perturbation",
            "original": name,
            "status": NOT_THERE,
            "method": "spec",
            "candidates": [],
            "note": "named in controls, and no row has it",
        }
        for name in names
    ]
    return pl.DataFrame(rows, schema=LEDGER)
