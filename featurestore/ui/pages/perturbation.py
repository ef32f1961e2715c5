"""One perturbation: what it does in every dataset and context, alike or not, gene by gene."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from featurestore.contract import FALSE_DISCOVERY_RATE
from featurestore.errors import QueryError
from featurestore.lookup.heat_map import OF_EACH, surest_genes
from featurestore.search import condition_query, is_at_hand
from featurestore.ui.alike import lists, shown_lists
from featurestore.ui.asked import Asked, address
from featurestore.ui.conditions import chosen, conditions_of, signature_of, with_signature
from featurestore.ui.page import Chart, Page, figure
from featurestore.ui.tables import table

_COMPARED = 30
"""Signatures of one heat map: those of the largest effects."""
_BESIDE = 20
"""Signatures beside each other, gene by gene."""
_DRAWN = 4000
"""Points of one chart: those of the largest effects."""
_FEWEST = 10
"""Genes below which a correlation says nothing."""


def _phenotypes(asked: Asked) -> pl.DataFrame:
    return asked.questions.ask("phenotypes", perturbation_id=asked.needed("id"))


def _both(asked: Asked) -> pl.DataFrame:
    """Effects of two signatures on the genes that both measured."""
    one, other = signature_of(asked, "a", 0), signature_of(asked, "b", 1)
    targets = set(conditions_of(asked)["target_gene_ids"][0])
    columns = ("gene_id", "gene_symbol", "effect")
    return (
        one.select(columns)
        .join(other.select("gene_id", pl.col("effect").alias("effect_b")), on="gene_id")
        .select("gene_id", "gene_symbol", pl.col("effect").alias("effect_a"), "effect_b")
        .with_columns(pl.col("gene_id").is_in(targets).alias("is_own_target"))
    )


def _scatter(asked: Asked) -> Chart:
    from featurestore.ui import charts  # noqa: PLC0415, a page needs no chart library

    frame = with_signature(asked)
    names = [chosen(asked, which, frame, i)["name"] for i, which in enumerate("ab")]
    both = _both(asked)
    points = both.sort(pl.max_horizontal(pl.col("effect_a").abs(), pl.col("effect_b").abs()), descending=True)
    drawn = points.head(_DRAWN).select(
        pl.col("gene_symbol").alias("gene"),
        pl.col("effect_a").alias("x"),
        pl.col("effect_b").alias("y"),
        pl.when("is_own_target").then(pl.lit("own target")).otherwise(pl.lit("other gene")).alias("target"),
    )
    return charts.scatter(drawn, names[0], names[1], r=_correlation(both))


def _correlation(both: pl.DataFrame) -> float | None:
    """Correlate two signatures over the genes that both measured, own targets left out."""
    others = both.filter(~pl.col("is_own_target"))
    if others.height < _FEWEST:
        return None
    r = others.select(pl.corr("effect_a", "effect_b")).item()
    return None if r is None or not np.isfinite(r) else float(r)


def _volcano(asked: Asked) -> Chart:
    from featurestore.ui.signature_charts import volcano  # noqa: PLC0415, a page needs no chart library

    targets = set(conditions_of(asked)["target_gene_ids"][0])
    signature = signature_of(asked)
    smallest = signature.filter(pl.col("q_value") > 0)["q_value"].min()
    q = pl.max_horizontal("q_value", pl.lit(smallest))
    tested = signature.drop_nulls("q_value")
    points = tested.head(_DRAWN).select(
        pl.coalesce("gene_symbol", "gene_id").alias("gene"),
        "effect",
        pl.col("q_value").alias("q"),
        (-q.log10()).alias("sureness"),
        pl.when(pl.col("gene_id").is_in(targets))
        .then(pl.lit("own target"))
        .when(pl.col("q_value") < FALSE_DISCOVERY_RATE)
        .then(pl.lit("q < 0.05"))
        .otherwise(pl.lit("not significant"))
        .alias("kind"),
        _gene_page().alias("page"),
    )
    return volcano(points, signature["effect_kind"][0] if signature.height else "", tested.height)


def _gene_page() -> pl.Expr:
    return pl.col("gene_id").map_elements(lambda gene: address("gene", id=gene), pl.String)


def _untested(signature: pl.DataFrame, one: dict[str, Any]) -> str:
    """Say why a signature has no volcano; empty where it has one."""
    if signature["q_value"].count():
        return ""
    kind = f" ({signature['effect_kind'][0]})" if signature.height else ""
    why = f": {one['reason']}" if one["reason"] and one["is_responder"] is None else ""
    return f"There is no volcano of {one['name']}: its effects{kind} have no p-value{why}. The table of genes has them."


def _heat(asked: Asked) -> Chart:
    from featurestore.ui.signature_charts import heat_map  # noqa: PLC0415, a page needs no chart library

    frame = with_signature(asked).head(_BESIDE)
    read = asked.questions.ask("signatures", conditions=tuple(frame["key"]))
    signatures = [read.filter(condition=key).explode("genes").unnest("genes") for key in frame["key"]]
    genes, z = surest_genes(signatures)
    ids = {gene: gene_id for each in signatures for gene, gene_id in each.select("gene", "gene_id").iter_rows()}
    pages: list[str | None] = [address("gene", id=ids[gene]) if ids[gene] else None for gene in genes]
    return heat_map(genes, pages, frame["name"].to_list(), z)


def _similarity(asked: Asked) -> Chart:
    from featurestore.ui import charts  # noqa: PLC0415, a page needs no chart library

    frame = with_signature(asked).head(_COMPARED)
    effects = asked.questions.ask("effects", conditions=tuple(frame["key"]))
    targets = set(frame["target_gene_ids"][0]) if frame.height else set()
    wide = effects.filter(~pl.col("gene_id").is_in(targets)).pivot("condition", index="gene_id", values="effect")
    missing = [key for key in frame["key"] if key not in wide.columns]
    wide = wide.with_columns(pl.lit(None, dtype=pl.Float32).alias(key) for key in missing)
    r, n = _correlations(wide.select(frame["key"].to_list()).to_numpy())
    return charts.similarity(frame["name"].to_list(), r, n)


def _correlations(effects: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Correlate every two columns over the genes that both have.

    Parameters
    ----------
    effects
        Shape (genes, conditions), NaN where a gene was not measured.

    Returns
    -------
    Pearson r, NaN where it cannot be told, and the number of genes; both of shape (conditions, conditions).
    """
    known = np.isfinite(effects)
    size = effects.shape[1]
    r, n = np.full((size, size), np.nan), np.zeros((size, size), np.int64)
    for i in range(size):
        for j in range(i, size):
            both = known[:, i] & known[:, j]
            x, y = effects[both, i].astype(np.float64), effects[both, j].astype(np.float64)
            n[i, j] = n[j, i] = both.sum()
            if both.sum() >= _FEWEST and x.std() > 0 and y.std() > 0:
                r[i, j] = r[j, i] = np.corrcoef(x, y)[0, 1]
    return r, n


def _readouts(asked: Asked) -> Chart:
    from featurestore.ui import charts  # noqa: PLC0415, a page needs no chart library

    points = _phenotypes(asked).select(
        pl.format("{} / {}", "dataset_id", "phenotype").alias("group"),
        pl.col("context_label").alias("label"),
        "value",
        pl.col("phenotype").alias("kind"),
    )
    return charts.strips(points.head(_DRAWN), value="value", title="readout")


def _perturbation(asked: Asked) -> dict[str, Any]:
    conditions = conditions_of(asked)
    first = conditions.row(0, named=True)
    signatures = with_signature(asked)
    phenotypes = _phenotypes(asked)
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
        both = _both(asked)
        r = _correlation(both)
        words = "r cannot be told" if r is None else f"r = {r:.2f}"
        caption = f"{both.height:,} genes that both measured; {words}, own targets left out; a dot is one gene."
        context |= {
            "scatter": figure(asked, "scatter", caption, "tall"),
            "heat": figure(
                asked,
                "heat",
                f"z of the {OF_EACH} surest genes of each signature in all of them; grey where a gene was not "
                f"measured or tested, beyond 10 as 10; at most {_BESIDE} signatures, those of most changed genes.",
                "tall",
            ),
            "similarity": figure(
                asked,
                "similarity",
                f"Pearson r of its signatures over the genes that both measured, own targets left out; grey where "
                f"they are fewer than {_FEWEST}; at most {_COMPARED} signatures.",
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
        "phenotypes": _phenotypes,
        "genes": signature_of,
        "scatter": _both,
        "mimic": lambda asked: _lists(asked)[0],
        "reverse": lambda asked: _lists(asked)[1],
    },
    {"scatter": _scatter, "volcano": _volcano, "heat": _heat, "similarity": _similarity, "readouts": _readouts},
    about=_about,
)
