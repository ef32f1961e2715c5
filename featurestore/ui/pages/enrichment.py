"""Which gene sets are enriched in a signature: sets that people bring, in rank order or of the genes that change."""

from __future__ import annotations

from typing import Any, cast

import polars as pl

from featurestore.contract import FALSE_DISCOVERY_RATE
from featurestore.counts import count_of
from featurestore.errors import QueryError, did_you_mean, first_of
from featurestore.lookup.cards import conditions_named
from featurestore.lookup.enrichment import FEWEST, MOST, Enrichment, How
from featurestore.lookup.named import find_named
from featurestore.ui.asked import Asked
from featurestore.ui.conditions import chosen, with_signature
from featurestore.ui.page import Chart, Page, figure
from featurestore.ui.tables import table

HOW: dict[str, str] = {"ranks": "all genes, in rank order", "changed": f"genes of q < {FALSE_DISCOVERY_RATE}"}
"""Ways to test, and how they are called."""
_DRAWN = 20
"""Sets of the chart: the surest."""
_LISTED = 8
"""Genes of a set that the page names; files have all."""
_UNKNOWN = 20
_POINTS = 500


def _named(asked: Asked) -> Asked:
    """Give the request the identity of the perturbation that it names in words."""
    name = asked.text("perturbation")
    if asked.text("id") or not name:
        return asked
    conditions_named(asked.questions.store, name)
    found = find_named(asked.questions.store, name)
    identity = found.filter(pl.col("entity").is_in(["perturbation", "compound"]))["id"][0]
    values = {key: value for key, value in asked.values.items() if key != "perturbation"}
    return Asked(asked.page, {**values, "id": identity}, asked.questions)


def _how(asked: Asked) -> How:
    how = asked.text("how") or "ranks"
    if how not in HOW:
        raise QueryError(f"There is no way '{how}' to test gene sets.", do=did_you_mean(how, HOW))
    return cast("How", how)


def _signatures(asked: Asked) -> tuple[pl.DataFrame, dict[str, Any]]:
    """Return the conditions of the perturbation that have a signature, and the one that is looked at."""
    frame = with_signature(asked)
    if frame.is_empty():
        raise QueryError("No dataset has a signature of this perturbation.", do="choose another")
    return frame, chosen(asked, "a", frame, 0)


def _found(asked: Asked) -> Enrichment:
    _, one = _signatures(asked)
    return asked.questions.brought.test(asked.questions.store, asked.needed("sets"), one, _how(asked))


def _tested(asked: Asked) -> pl.DataFrame:
    return _found(asked).table


def _shown(found: Enrichment) -> pl.DataFrame:
    """Return the table with the first genes of each set, under names that tell them from numbers of genes."""
    is_ranked = "nes" in found.table.columns
    more = pl.when(pl.col("genes").list.len() > _LISTED).then(pl.lit(", ...")).otherwise(pl.lit(""))
    listed = pl.concat_str(pl.col("genes").list.head(_LISTED).list.join(", "), more)
    sizes = {"n_genes": "n_measured"} | ({} if is_ranked else {"n_shared": "n_changed"})
    return found.table.with_columns(genes=listed).rename(
        {**sizes, "genes": "leading_edge" if is_ranked else "changed_genes"}
    )


def _bars(asked: Asked) -> Chart:
    from featurestore.ui import charts  # noqa: PLC0415, a page needs no chart library

    found = _found(asked)
    smallest = found.table.filter(pl.col("q_value") > 0)["q_value"].min()
    sureness = -pl.max_horizontal("q_value", pl.lit(smallest)).log10()
    is_ranked = "nes" in found.table.columns
    signed = pl.when(pl.col("direction") == "up").then(sureness).otherwise(-sureness)
    points = found.table.drop_nulls("q_value").head(_DRAWN)
    points = points.select(
        "gene_set",
        value=pl.col("nes") if is_ranked else signed,
        q="q_value",
        n_genes="n_genes" if is_ranked else "n_shared",
        kind=pl.when(pl.col("q_value") < FALSE_DISCOVERY_RATE).then(pl.lit("q < 0.05")).otherwise(pl.lit("not sure")),
    )
    return charts.gene_sets(points, "normalised enrichment score" if is_ranked else "-log10 q, up to the right")


def _curve(asked: Asked) -> pl.DataFrame:
    found = _found(asked)
    sums = found.running_sum(asked.text("set") or found.table["gene_set"][0])
    step = max(sums.height // _POINTS, 1)
    ends = [sums["sum"].arg_max() or 0, sums["sum"].arg_min() or 0]
    kept = (pl.int_range(pl.len()) % step == 0) | pl.int_range(pl.len()).is_in(ends)
    return sums.filter(kept).insert_column(0, pl.lit(asked.text("set") or found.table["gene_set"][0]).alias("set"))


def _sum(asked: Asked) -> Chart:
    from featurestore.ui import charts  # noqa: PLC0415, a page needs no chart library

    return charts.running_sums(_curve(asked))


def _enrichment(given: Asked) -> dict[str, Any]:
    context: dict[str, Any] = {
        "title": "Gene sets",
        "perturbation": given.text("perturbation"),
        "one": None,
        "found": None,
        "error": None,
        "how": HOW,
        "chosen_how": given.text("how") or "ranks",
        "kept": given.text("sets"),
        "sizes": f"{FEWEST} to {MOST}",
    }
    try:
        asked = _named(given)
        if not asked.text("id"):
            return context
        frame, one = _signatures(asked)
        context |= {"one": one, "identity": asked.text("id"), "signatures": frame.select("key", "name").rows()}
        context["title"] = f"Gene sets moved by {one['perturbation']}"
        found = _found(asked) if context["kept"] else None
    except QueryError as failure:
        return context | {"error": failure, "kept": ""}
    if found is None:
        return context
    set_names = found.table["gene_set"].unique(maintain_order=True).to_list()
    left_out = f"{count_of(found.n_left_out, 'set')} of other sizes left out" if found.n_left_out else ""
    return context | {
        "found": table(asked, "tested", "Sets, the surest first", _shown(found)),
        "told": "; ".join(filter(None, (count_of(len(set_names), "set"), left_out))),
        "n_genes": found.n_genes,
        "statistic": found.statistic,
        "unknown": first_of(found.unknown, _UNKNOWN),
        "bars": figure(asked, "bars", f"The {_DRAWN} surest sets at most, by the signature of {one['name']}.", "tall"),
        "sum": figure(asked, "sum", "Running sum of the set's genes down the signature, from raised to lowered."),
        "set_names": set_names[:_DRAWN],
        "chosen_set": given.text("set"),
    }


def _about(asked: Asked, name: str) -> tuple[str, tuple[str, ...]]:
    """Name the signature, and of a running sum its set."""
    one = chosen(asked, "a", with_signature(asked), 0)
    of = f" of {asked.text('set') or _found(asked).table['gene_set'][0]}" if name == "sum" else ""
    return f"{one['perturbation']}, {one['name']}{of}", (one["dataset_id"],)


PAGE = Page(
    "enrichment",
    "enrichment.html",
    _enrichment,
    {"tested": _tested, "sum": _curve},
    {"bars": _bars, "sum": _sum},
    about=_about,
)
