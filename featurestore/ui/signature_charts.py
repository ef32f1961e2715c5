"""Charts of signatures: volcano, heat map of genes and conditions, effect against the number of cells."""

from __future__ import annotations

import math
from typing import Any

import altair as alt
import numpy as np
import numpy.typing as npt
import polars as pl

from featurestore.contract import FALSE_DISCOVERY_RATE
from featurestore.ui.drawing import BLUE, GREY, LINE, LINK, NAMED, ORANGE, POINTS, finished, grey_where_unknown, nothing
from featurestore.ui.page import Chart

LARGEST_Z = 10.0
"""z beyond it has the colour of it: one gene would make all others pale."""
_LABELLED = 10
_HEIGHT = 340
_APART = 0.05
"""Share of the height that two names keep from each other."""
_BESIDE = 0.25
"""Share of the width within which two names would overlap, and a name a dot."""
_OF_DOT = 0.6
"""How near a dot may come to the middle of a name, as a share of what names keep from each other."""
_STEPS = 6
"""How far down a name may go to find a place, in heights of a name; where there is none it stays."""
_SEEN = 100
"""Dots that names keep off: the surest."""


def volcano(points: pl.DataFrame, effect: str, n_genes: int) -> Chart:
    """Draw effect against significance, the ten surest of the significant genes by name.

    Columns ``effect``, ``sureness``, ``q``, ``gene``, ``kind`` and ``page``, the surest first; some of ``n_genes``.
    """
    if points.is_empty():
        return nothing("There is no p-value: see the table of genes.")
    rate = FALSE_DISCOVERY_RATE
    dots = (
        alt.Chart(POINTS)
        .mark_circle(size=28, opacity=0.8, cursor="pointer")
        .encode(
            x=alt.X("effect:Q", title=f"effect ({effect})", axis=alt.Axis(tickCount=6)),
            y=alt.Y("sureness:Q", title="-log10 q"),
            color=alt.Color(
                "kind:N",
                title=None,
                scale=alt.Scale(domain=[f"q < {rate}", "not significant", "own target"], range=[BLUE, GREY, ORANGE]),
            ),
            href=f"{LINK}:N",
            tooltip=["gene:N", alt.Tooltip("effect:Q", format=".3f"), alt.Tooltip("q:Q", format=".2e")],
        )
    )
    threshold = pl.DataFrame({"sureness": [-math.log10(rate)], "words": [f"q = {rate}"]})
    line = alt.Chart(LINE).mark_rule(color=GREY, strokeDash=[4, 4]).encode(y="sureness:Q")
    words = (
        alt.Chart(LINE)
        .mark_text(align="right", baseline="bottom", dx=-2, dy=-2)
        .encode(x=alt.value("width"), y="sureness:Q", text="words:N")
    )
    named = _named(points)
    n = points.filter(pl.col("q") < rate).height
    return finished(
        alt.layer(line, words, *_leaders(named), dots),
        points,
        f"Volcano plot of {n_genes:,} genes, {n:,} with q < {rate}",
        _HEIGHT,
        **{LINE.name: threshold, NAMED.name: named},
    )


def _leaders(named: pl.DataFrame) -> list[Any]:
    """Write names beside their dots, on the side of the middle, each with a line where it had to move."""
    base = alt.Chart(NAMED).encode(x="effect:Q")
    sides = named["side"].unique().sort()
    texts = [
        base.transform_filter(alt.FieldEqualPredicate(field="side", equal=side))
        .mark_text(align=side, dx=-6 if side == "right" else 6, fontSize=11, cursor="pointer")
        .encode(y="place:Q", text="gene:N", href=f"{LINK}:N")
        for side in sides
    ]
    lines = base.mark_rule(color=GREY, strokeWidth=0.75).encode(y="sureness:Q", y2="place:Q")
    return [lines, *texts] if texts else []


def _named(points: pl.DataFrame) -> pl.DataFrame:
    """Choose the genes that are named, and places of their names that keep apart: ``place`` and ``side``."""
    chosen = points.filter(pl.col("q") < FALSE_DISCOVERY_RATE).drop_nulls("gene").head(_LABELLED)
    chosen = chosen.sort("sureness", descending=True, maintain_order=True)
    apart, beside = _extent(points["sureness"]) * _APART, _extent(points["effect"]) * _BESIDE
    dots = points.head(_SEEN).select("effect", "sureness").rows()
    placed: list[tuple[float, float]] = []
    for effect, sureness in chosen.select("effect", "sureness").iter_rows():
        place = min([sureness, *(there - apart for at, there in placed if abs(at - effect) < beside)])
        inwards = 1 if effect > 0 else -1
        covered = [y for x, y in dots if 0 < (effect - x) * inwards < beside]
        lower = [place - step * apart for step in range(_STEPS)]
        free = (each for each in lower if each > 0 and all(abs(y - each) >= apart * _OF_DOT for y in covered))
        placed.append((effect, next(free, place)))
    return chosen.select(
        "gene",
        "effect",
        "sureness",
        LINK,
        side=pl.when(pl.col("effect") > 0).then(pl.lit("right")).otherwise(pl.lit("left")),
        place=pl.Series([place for _, place in placed], dtype=pl.Float64),
    )


def _extent(values: pl.Series) -> float:
    known = values.to_numpy()
    return float(max(known.max(), 0.0) - min(known.min(), 0.0)) or 1.0


def heat_map(genes: list[str], pages: list[str | None], names: list[str], z: npt.NDArray[np.float64]) -> Chart:
    """Draw z of genes in conditions, shape (genes, conditions); what is NaN, not known, is grey."""
    if not genes:
        return nothing("No signature has a z-score: see the table of genes.")
    rows, columns = np.indices(z.shape)
    cells = pl.DataFrame(
        {
            "gene": [genes[i] for i in rows.ravel()],
            "condition": [names[i] for i in columns.ravel()],
            "z": z.ravel(),
            LINK: [pages[i] for i in rows.ravel()],
        },
        schema_overrides={LINK: pl.String},
    ).with_columns(pl.col("z").fill_nan(None))
    most = min(float(np.nanmax(np.abs(z))), LARGEST_Z) or 1.0
    base = alt.Chart(POINTS).encode(
        x=alt.X(
            "condition:N", title=None, scale=alt.Scale(domain=names), axis=alt.Axis(labelAngle=-45, labelLimit=240)
        ),
        y=alt.Y("gene:N", title=None, scale=alt.Scale(domain=genes)),
        href=f"{LINK}:N",
        tooltip=["gene:N", "condition:N", alt.Tooltip("z:Q", format=".2f")],
    )
    scale = alt.Scale(scheme="blueorange", domain=[-most, most], reverse=True, clamp=True)
    chart = grey_where_unknown(base, cells, "z", "z", scale)
    words = f"z of {len(genes)} genes in {len(names)} conditions"
    return finished(chart, cells, words, height=max(14 * len(genes), 60))


def effect_by_cells(points: pl.DataFrame) -> Chart:
    """Draw the size of effects against cells: columns ``cells``, ``norm``, ``perturbation``, ``kind`` and ``page``."""
    if points.is_empty():
        return nothing("No condition has both cells and an effect.")
    scale, axis = alt.Scale(type="log", nice=False), alt.Axis(format="~s", tickCount=6)
    chart = (
        alt.Chart(POINTS)
        .mark_circle(size=28, opacity=0.8, cursor="pointer")
        .encode(
            x=alt.X("cells:Q", title="cells per condition", scale=scale, axis=axis),
            y=alt.Y("norm:Q", title="norm of effect", scale=scale, axis=axis),
            color=alt.Color(
                "kind:N",
                title=None,
                scale=alt.Scale(domain=["responds", "does not", "not known"], range=[BLUE, ORANGE, GREY]),
            ),
            href=f"{LINK}:N",
            tooltip=[
                "perturbation:N",
                alt.Tooltip("cells:Q", format=","),
                alt.Tooltip("norm:Q", format=".3g"),
                "kind:N",
            ],
        )
    )
    return finished(chart, points, f"Size of effect against cells of {points.height:,} conditions")
