"""Published perturbation labels taken apart: control, unassigned, gene targets, combinations, compounds.

Labels are compared exactly, after their outer spaces are removed: ``KNTC1`` is no control for holding ``NTC``, nor
``Trametinib (DMSO_TF solvate)`` for holding ``DMSO_TF``. A label is split only where the spec names a separator.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from featurestore.contract import RELEASE
from featurestore.errors import SpecError
from ingest.harmonise.compounds import compound_table, map_compounds
from ingest.harmonise.genes import map_targets
from ingest.spec import GENETIC_KINDS, ConditionSection

CONTROL = "control"
UNASSIGNED = frozenset({"", "nan", "NaN", "None", "NA", "*", "unsure", "no_reads_found", "multi-guide", "-666"})
"""Labels that mean no perturbation is known, in any source, unless its spec calls one of them a control."""

KINDS = {
    "trt_cp": "compound",
    "trt_poscon": "compound",
    "trt_lig": "ligand",
    "trt_sh": "shrna",
    "trt_sh.cgs": "shrna",
    "trt_sh.css": "shrna",
    "trt_xpr": "crispr_knockout",
    "trt_oe": "overexpression",
    "trt_oe.mut": "overexpression",
    "CRISPR": "crispr_knockout",
    "CRISPRi": "crispri",
    "CRISPRa": "crispra",
    "drug": "compound",
}
"""Published kinds, those of L1000 (``pert_type``) among them; ``ctl_...`` is always a control."""

COMPOUND_COLUMNS = ("inchi_key", "smiles", "pubchem_cid", "broad_id", "moa")
LEDGER = RELEASE["mapping"].schema


@dataclass(frozen=True, slots=True)
class PerturbationMapping:
    """What labels became.

    ``table`` has one row per (label, kind) given, with ``perturbation_id``, ``perturbation_kind``,
    ``target_gene_ids``, ``target_symbols``, ``compound_id``, ``is_control``, and ``reason`` where it is rejected.
    ``compounds`` and ``ledger`` have the contract's columns.
    """

    table: pl.DataFrame
    compounds: pl.DataFrame
    ledger: pl.DataFrame


def map_perturbations(given: pl.DataFrame, rules: ConditionSection) -> PerturbationMapping:
    """Map labels by a dataset's rules.

    Parameters
    ----------
    given
        One row per distinct ``label`` and ``kind``, with any of the compound columns.
    rules
        The ``[condition]`` table of the dataset's spec.

    Raises
    ------
    SpecError
        A published kind is not known.
    """
    table = given.with_columns(perturbation_kind=_kinds(given["kind"], rules)).with_columns(_roles(rules))
    parts = _parts(table.filter(~pl.col("is_control") & pl.col("reason").is_null()), rules)
    genes, gene_ledger = _map_genes(parts.filter(pl.col("perturbation_kind").is_in(list(GENETIC_KINDS))))
    chemicals = parts.filter(~pl.col("perturbation_kind").is_in(list(GENETIC_KINDS)))
    compounds, compound_parts, compound_ledger = _map_compounds(chemicals)
    whole = _assemble(pl.concat([genes, compound_parts], how="diagonal"))
    table = table.join(whole, on=["label", "kind"], how="left", nulls_equal=True, maintain_order="left")
    table = table.with_columns(
        perturbation_id=pl.when("is_control").then(pl.lit(CONTROL)).otherwise("perturbation_id"),
        perturbation_kind=pl.when("is_control").then(pl.lit(CONTROL)).otherwise("perturbation_kind"),
        target_gene_ids=pl.col("target_gene_ids").fill_null([]),
        target_symbols=pl.col("target_symbols").fill_null([]),
    )
    ledger = pl.concat([_plain_ledger(table), gene_ledger, compound_ledger], how="diagonal").select(
        pl.col(name).cast(dtype) for name, dtype in LEDGER.items()
    )
    return PerturbationMapping(table, compounds, ledger)


def _kinds(published: pl.Series, rules: ConditionSection) -> pl.Series:
    if rules.kind is not None:
        return pl.Series([rules.kind], dtype=pl.String).new_from_index(0, published.len())
    known = KINDS | {kind: kind for kind in (*GENETIC_KINDS, "compound", "ligand", CONTROL)}
    found: dict[str, str] = {}
    for name in published.drop_nulls().unique().to_list():
        kind = CONTROL if name.startswith("ctl_") else known.get(name)
        if kind is None:
            raise SpecError(
                f"The perturbation kind '{name}' is not known.",
                where=f"column '{rules.kind_column}'",
                expected=", ".join(sorted(known)),
                do="give kind instead of kind_column under [condition], or split the dataset",
            )
        found[name] = kind
    return published.replace_strict(found, default=None, return_dtype=pl.String)


def _roles(rules: ConditionSection) -> list[pl.Expr]:
    label = pl.col("label")
    is_control = label.is_in([name.strip() for name in rules.controls]) | (pl.col("perturbation_kind") == CONTROL)
    is_unassigned = label.is_null() | label.is_in([*UNASSIGNED, *(name.strip() for name in rules.unassigned)])
    is_control = is_control.fill_null(value=False)
    reason = (
        pl.when(is_control)
        .then(None)
        .when(is_unassigned)
        .then(pl.lit("no perturbation assigned"))
        .when(pl.col("perturbation_kind").is_null())
        .then(pl.lit("no perturbation kind"))
    )
    return [is_control.alias("is_control"), reason.alias("reason")]


def _parts(table: pl.DataFrame, rules: ConditionSection) -> pl.DataFrame:
    """One row per component of a label; control components of a combination (``A+ctrl``) are left out."""
    core = pl.col("label").str.replace(rules.strip, "") if rules.strip else pl.col("label")
    parts = core.str.split(rules.separator) if rules.separator else pl.concat_list(core)
    controls = [name.strip() for name in rules.controls]
    return (
        table.with_columns(part=parts)
        .explode("part")
        .with_columns(part=pl.col("part").str.strip_chars())
        .filter(~pl.col("part").is_in([*controls, ""]))
    )


def _map_genes(parts: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    names = parts["part"].unique(maintain_order=True)
    mapped = map_targets(names.to_list()).table.with_columns(part=names)
    found = mapped.select("part", "gene_id", "gene_symbol")
    genes = parts.join(found, on="part", how="left", maintain_order="left").select(
        "label",
        "kind",
        part_id=pl.col("gene_id").fill_null("label:" + pl.col("part")),
        gene_id="gene_id",
        gene_symbol="gene_symbol",
        part="part",
    )
    ledger = mapped.select(
        entity=pl.lit("perturbation"),
        original="part",
        target_id="gene_id",
        status="status",
        method="method",
        candidates="candidates",
        note="note",
    )
    return genes, ledger


def _map_compounds(parts: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    columns = [name for name in COMPOUND_COLUMNS if name in parts.columns]
    names = parts.select(pl.col("part").alias("name"), *columns).unique(maintain_order=True)
    mapped = map_compounds(names)
    keyed = pl.concat([names.rename({"name": "part"}), mapped.select("compound_id")], how="horizontal")
    compounds = compound_table(mapped)
    chemical = parts.join(keyed, on=["part", *columns], how="left", nulls_equal=True, maintain_order="left").select(
        "label", "kind", "part", "compound_id", part_id="compound_id"
    )
    ledger = mapped.select(
        entity=pl.lit("compound"),
        original="original",
        target_id="compound_id",
        status="status",
        method="method",
        candidates="candidates",
        note="note",
    )
    return compounds, chemical, ledger


def _assemble(parts: pl.DataFrame) -> pl.DataFrame:
    """Join the components of each label, in an order that does not depend on how it was written."""
    return (
        parts.sort("part_id")
        .unique(["label", "kind", "part_id"], keep="first", maintain_order=True)
        .group_by("label", "kind", maintain_order=True)
        .agg(
            perturbation_id=pl.col("part_id").str.join("+"),
            target_gene_ids=pl.when(pl.col("gene_id").is_not_null().all()).then(pl.col("gene_id").implode()).first(),
            target_symbols=pl.when(pl.col("gene_id").is_not_null().all()).then(pl.col("gene_symbol").implode()).first(),
            compound_id=pl.when(pl.len() == 1).then(pl.col("compound_id").first()),
        )
    )


def _plain_ledger(table: pl.DataFrame) -> pl.DataFrame:
    """Ledger rows of the labels that name no gene or compound."""
    return table.filter(pl.col("is_control") | pl.col("reason").is_not_null()).select(
        entity=pl.lit("perturbation"),
        original="label",
        target_id=pl.when("is_control").then(pl.lit(CONTROL)),
        status=pl.when("is_control").then(pl.lit(CONTROL)).otherwise(pl.lit("unassigned")),
        method=pl.lit("spec"),
        candidates=pl.lit([], dtype=pl.List(pl.String)),
        note=pl.col("reason"),
    )
