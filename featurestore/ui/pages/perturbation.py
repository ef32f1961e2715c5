"""One perturbation: what it does in every dataset and context, alike or not, gene by gene."""

from __future__ import annotations

from typing import Any

import polars as pl

from featurestore.errors import QueryError
from featurestore.lookup.heat_map import OF_EACH
from featurestore.search import condition_query, is_at_hand
from featurestore.ui.alike import lists, shown_lists
from featurestore.ui.asked import Asked
from featurestore.ui.conditions import chosen, conditions_of, signature_of, with_signature
from featurestore.ui.page import Page, figure
from featurestore.ui.pages.perturbation_charts import (
    FEWEST_GENES,
    MOST_BESIDE,
    MOST_COMPARED,
    both_measured,
    correlation,
    draw_heat_map,
    draw_readouts,
    draw_scatter,
    draw_similarity,
    draw_volcano,
    phenotypes_of,
)
from featurestore.ui.tables import table


def _untested(signature: pl.DataFrame, one: dict[str, Any]) -> str:
    """Say why a signature has no volcano; empty where it has one."""
    if signature["q_value"].count():
        return ""
    kind = f" ({signature['effect_kind'][0]})" if signature.height else ""
    why = f": {one['reason']}" if one["reason"] and one["is_responder"] is None else ""
    return f"There is no volcano of {one['name']}: its effects{kind} have no p-value{why}. The table of genes has them."


def _perturbation(asked: Asked) -> dict[str, Any]:
    conditions = conditions_of(asked)
    first = conditions.row(0, named=True)
    signatures = with_signature(asked)
    phenotypes = phenotypes_of(asked)
    ids = first["target_gene_ids"] or []
    targets = [(gene, symbol or gene) for gene, symbol in zip(ids, first["target_symbols"] or ids, strict=True)]
    context: dict[str, Any] = {
        "identity": asked.needed("id"),
        "compound": next(_compound(asked).iter_rows(named=True), None) if first["compound_id"] else None,
        "compound_as": asked.parts("compound", "csv", "parquet"),
        "targets": targets,
        "n_datasets": conditions["dataset_id"].n_unique(),
        "n_contexts": conditions["context_label"].n_unique(),
        "n_cells": conditions["n_cells"].sum() if conditions["n_cells"].count() else None,
        "signatures": signatures.select("key", "name").rows(),
        "one": None,
        "conditions": table(
            asked, "conditions", "Its conditions", conditions.drop("target_symbols", "context_id", "key")
        ),
        "phenotypes": table(asked, "phenotypes", "Readouts", phenotypes),
        "readouts": figure(asked, "readouts", "Readouts of every cell line; a tick is one line.")
        if phenotypes.height
        else None,
    }
    context["title"] = first["perturbation"]
    if signatures.height:
        one, signature = chosen(asked, "a", signatures, 0), signature_of(asked)
        context |= {
            "one": one,
            "other": chosen(asked, "b", signatures, 1),
            "untested": _untested(signature, one),
            "volcano": figure(
                asked,
                "volcano",
                f"Volcano of {one['name']}: the surest genes by name, the threshold dashed; a dot leads to its gene.",
                "tall",
            ),
            "genes": table(asked, "genes", f"Genes it moves most: {one['name']}", signature),
            "scatter": None,
            **_alike(asked),
        }
    if signatures.height > 1:
        both = both_measured(asked)
        r = correlation(both)
        words = "r cannot be told" if r is None else f"r = {r:.2f}"
        caption = f"{both.height:,} genes that both measured; {words}, own targets left out; a dot is one gene."
        context |= {
            "scatter": figure(asked, "scatter", caption, "tall"),
            "heat": figure(
                asked,
                "heat",
                f"z of the {OF_EACH} surest genes of each signature in all of them; grey where a gene was not "
                f"measured or tested, beyond 10 as 10; at most {MOST_BESIDE} signatures, those of most changed genes.",
                "tall",
            ),
            "similarity": figure(
                asked,
                "similarity",
                f"Pearson r of its signatures over the genes that both measured, own targets left out; grey where "
                f"they are fewer than {FEWEST_GENES}; at most {MOST_COMPARED} signatures.",
                "tall",
            ),
        }
    return context


def _lists(asked: Asked) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Search for what has the same effect as the chosen signature, and what the opposite."""
    one = chosen(asked, "a", with_signature(asked), 0)
    return lists(asked, condition_query(asked.questions.store, one["dataset_id"], one["condition_id"]))


def _alike(asked: Asked) -> dict[str, Any]:
    """Return the lists, or where to ask for them where nothing was compared yet: that reads every dataset."""
    found: dict[str, Any] = {"ask_alike": None, "unlike": None}
    if not (asked.text("alike") or is_at_hand(asked.questions.store)):
        return found | {"ask_alike": asked.with_values(alike="yes") + "#alike"}
    try:
        return found | shown_lists(asked, *_lists(asked))
    except QueryError as failure:
        return found | {"unlike": failure}


def _compound(asked: Asked) -> pl.DataFrame:
    """Return what is known of the compound, no row where there is none."""
    return asked.questions.ask("compound", compound_id=conditions_of(asked)["compound_id"][0])


def _about(asked: Asked, name: str) -> tuple[str, tuple[str, ...]]:
    """Name the perturbation, the signature where one is looked at, and the datasets."""
    conditions, signatures = conditions_of(asked), with_signature(asked)
    title, datasets = conditions["perturbation"][0], conditions["dataset_id"].unique(maintain_order=True)
    if name == "volcano" and signatures.height:
        one = chosen(asked, "a", signatures, 0)
        return f"{title}, {one['name']}", (one["dataset_id"],)
    if name == "scatter" and signatures.height:
        two = dict.fromkeys(chosen(asked, which, signatures, i)["dataset_id"] for i, which in enumerate("ab"))
        return title, tuple(two)
    return title, tuple(datasets)


PAGE = Page(
    "perturbation",
    "perturbation.html",
    _perturbation,
    {
        "compound": _compound,
        "conditions": conditions_of,
        "phenotypes": phenotypes_of,
        "genes": signature_of,
        "scatter": both_measured,
        "mimic": lambda asked: _lists(asked)[0],
        "reverse": lambda asked: _lists(asked)[1],
    },
    {
        "scatter": draw_scatter,
        "volcano": draw_volcano,
        "heat": draw_heat_map,
        "similarity": draw_similarity,
        "readouts": draw_readouts,
    },
    about=_about,
)
