"""One gene: which conditions move it most, in every dataset and context."""

from __future__ import annotations

from typing import Any

import polars as pl

from featurestore.ui.asked import Asked
from featurestore.ui.page import Chart, Page, figure
from featurestore.ui.tables import table

_DRAWN = 3000


def _facts(asked: Asked) -> pl.DataFrame:
    gene_id = asked.needed("id")
    names = asked.questions.ask("names_of_gene", gene_id=gene_id)["label"]
    return asked.questions.ask("gene", gene_id=gene_id).with_columns(pl.lit(names.implode()).alias("names"))


def _responses(asked: Asked) -> pl.DataFrame:
    """Return the responses of one kind of effect, the one asked for or the commonest: two kinds cannot be compared."""
    frame = asked.questions.ask("responses", gene_id=asked.needed("id"))
    kind = asked.text("effect") or _commonest(frame)
    if dataset := asked.text("dataset"):
        frame = frame.filter(dataset_id=dataset)
    return frame.filter(effect_kind=kind)


def _strips(asked: Asked) -> Chart:
    from featurestore.ui import charts  # noqa: PLC0415, a page needs no chart library

    frame = _responses(asked).head(_DRAWN)
    points = frame.select(
        pl.format("{} / {}", "dataset_id", "context_label").alias("group"),
        pl.col("perturbation_label").alias("label"),
        "effect",
        pl.col("perturbation_kind").alias("kind"),
    )
    kind = frame["effect_kind"][0] if frame.height else ""
    return charts.strips(points, value="effect", title=f"effect on the gene ({kind})")


def _commonest(frame: pl.DataFrame) -> str:
    if frame.is_empty():
        return ""
    return str(frame["effect_kind"].value_counts(sort=True)["effect_kind"][0])


def _caption(n: int, kind: str) -> str:
    which = f"the first {_DRAWN:,} rows" if n > _DRAWN else "the rows"
    return f"Its responses across contexts ({kind}): {which} of the table below, a tick each."


def _gene(asked: Asked) -> dict[str, Any]:
    gene_id = asked.needed("id")
    facts = asked.questions.one("gene", "gene", gene_id=gene_id)
    every = asked.questions.ask("responses", gene_id=gene_id)
    names = asked.questions.ask("names_of_gene", gene_id=gene_id).filter(pl.col("label") != facts["gene_symbol"])
    kinds = every["effect_kind"].unique().sort().to_list()
    kind, shown = asked.text("effect") or _commonest(every), _responses(asked)
    return {
        "title": facts["gene_symbol"] or gene_id,
        "facts": facts,
        "facts_as": asked.parts("facts", "csv", "parquet"),
        "names": names["label"].to_list(),
        "is_perturbed": not asked.questions.ask("is_perturbed", perturbation_id=gene_id).is_empty(),
        "kinds": kinds,
        "kind": kind,
        "datasets": every["dataset_id"].unique().sort().to_list(),
        "dataset": asked.text("dataset"),
        "strips": figure(asked, "strips", _caption(shown.height, kind)) if kinds else None,
        "responses": table(
            asked,
            "responses",
            f"Conditions that move it most ({kind})" if kind else "Conditions that move it most",
            shown,
            "No condition here measured this gene. The catalogue says what each dataset measured.",
        ),
    }


def _about(asked: Asked, _: str) -> tuple[str, tuple[str, ...]]:
    gene_id = asked.needed("id")
    facts = asked.questions.one("gene", "gene", gene_id=gene_id)
    return facts["gene_symbol"] or gene_id, tuple(_responses(asked)["dataset_id"].unique().sort())


PAGE = Page("gene", "gene.html", _gene, {"facts": _facts, "responses": _responses}, {"strips": _strips}, about=_about)
