"""Charts, as Vega-Lite specifications made by Altair."""

from __future__ import annotations

import altair as alt
import numpy as np
import numpy.typing as npt
import polars as pl

from featurestore.counts import count_of
from featurestore.ui.drawing import (
    BLUE,
    GREY,
    LINE,
    LINK,
    ORANGE,
    PALETTE,
    POINTS,
    finished,
    grey_where_unknown,
    nothing,
)
from featurestore.ui.page import Chart

BINS = 30


def histogram(values: pl.Series, title: str, *, log: bool = False) -> Chart:
    """Count values in equal steps, or in equal ratios where ``log``."""
    known = values.drop_nulls().cast(pl.Float64).to_numpy()
    known = known[np.isfinite(known) & ((known > 0) if log else True)]
    if not known.size:
        return nothing(f"No condition has a known {title}.")
    low, high = float(known.min()), float(known.max())
    if low == high:
        low, high = (low / 2, high * 2) if log else (low - 0.5, high + 0.5)
    edges = np.geomspace(low, high, BINS + 1) if log else np.linspace(low, high, BINS + 1)
    counts, _ = np.histogram(known, edges)
    bars = pl.DataFrame({"from": edges[:-1], "to": edges[1:], "conditions": counts})
    scale = alt.Scale(type="log", nice=False) if log else alt.Scale(nice=False, zero=False)
    chart = (
        alt.Chart(POINTS)
        .mark_rect(color=BLUE, stroke="white", strokeWidth=0.5)
        .encode(
            x=alt.X("from:Q", title=title, scale=scale, axis=alt.Axis(format="~s" if log else ".2~f", tickCount=6)),
            x2="to:Q",
            y=alt.Y("conditions:Q", title="conditions", axis=alt.Axis(format=",d", tickMinStep=1)),
            y2=alt.datum(0),
            tooltip=[
                alt.Tooltip("from:Q", format=".3~s"),
                alt.Tooltip("to:Q", format=".3~s"),
                alt.Tooltip("conditions:Q", format=","),
            ],
        )
    )
    return finished(chart, bars, f"Histogram of {title}, {known.size:,} conditions")


def scatter(points: pl.DataFrame, x: str, y: str, *, r: float | None) -> Chart:
    """Draw the effects of two conditions against each other: columns ``x``, ``y``, ``gene`` and ``target``."""
    if points.is_empty():
        return nothing("The two signatures have no gene in common.")
    highest = float(max(points["x"].abs().max() or 0, points["y"].abs().max() or 0)) * 1.05 or 1.0  # type: ignore[arg-type]
    domain = alt.Scale(domain=[-highest, highest], nice=False)
    dots = (
        alt.Chart(POINTS)
        .mark_circle(size=28, opacity=0.8)
        .encode(
            x=alt.X("x:Q", title=x, scale=domain),
            y=alt.Y("y:Q", title=y, scale=domain),
            color=alt.Color(
                "target:N",
                title=None,
                scale=alt.Scale(domain=["other gene", "own target"], range=[BLUE, ORANGE]),
            ),
            tooltip=["gene:N", alt.Tooltip("x:Q", format=".3f"), alt.Tooltip("y:Q", format=".3f")],
        )
    )
    line = pl.DataFrame({"x": [-highest, highest], "y": [-highest, highest]})
    diagonal = alt.Chart(LINE).mark_line(color=GREY, strokeDash=[4, 4], strokeWidth=1).encode(x="x:Q", y="y:Q")
    words = "r unknown" if r is None else f"r = {r:.2f}"
    return finished(diagonal + dots, points, f"Scatter of {points.height:,} genes, {words}", height=380, line=line)


def running_sums(points: pl.DataFrame) -> Chart:
    """Draw running sums of gene sets down one signature: columns ``set``, ``rank`` and ``sum``."""
    if points.is_empty():
        return nothing("The signature has none of these genes.")
    chart = (
        alt.Chart(POINTS)
        .mark_line(interpolate="step-after")
        .encode(
            x=alt.X("rank:Q", title="genes, from raised to lowered", axis=alt.Axis(format=",d")),
            y=alt.Y("sum:Q", title="running sum"),
            color=alt.Color(
                "set:N", title=None, sort=None, scale=alt.Scale(range=[ORANGE, BLUE]), legend=alt.Legend(labelLimit=300)
            ),
            tooltip=["set:N", alt.Tooltip("rank:Q", format=","), alt.Tooltip("sum:Q", format=".3f")],
        )
    )
    line = pl.DataFrame({"rank": [1, int(points["rank"].max() or 1)], "sum": [0.0, 0.0]})  # type: ignore[arg-type]
    zero = alt.Chart(LINE).mark_line(color=GREY, strokeWidth=1).encode(x="rank:Q", y="sum:Q")
    return finished(zero + chart, points, f"Running sums of {points['set'].n_unique()} gene sets", 260, line=line)


def gene_sets(points: pl.DataFrame, title: str) -> Chart:
    """Draw one bar for each ``gene_set``, the surest first: columns ``value``, ``q``, ``n_genes`` and ``kind``."""
    if points.is_empty():
        return nothing("No set could be tested: see the table.")
    base = alt.Chart(POINTS).encode(y=alt.Y("gene_set:N", title=None, sort=None, axis=None))
    names = base.mark_text(align="left", baseline="bottom", dy=-6, limit=360).encode(x=alt.value(0), text="gene_set:N")
    chart = (
        base.mark_bar(size=9, yOffset=4)
        .encode(
            x=alt.X("value:Q", title=title, axis=alt.Axis(tickCount=6)),
            color=alt.Color(
                "kind:N", title=None, scale=alt.Scale(domain=["q < 0.05", "not sure"], range=[BLUE, GREY])
            ),
            tooltip=[
                "gene_set:N", alt.Tooltip("value:Q", title=title, format=".2f"), alt.Tooltip("q:Q", format=".2e"),
                alt.Tooltip("n_genes:Q", title="genes", format=","),
            ],
        )
    )  # fmt: skip
    n_sets = points["gene_set"].n_unique()
    return finished(names + chart, points, f"Enrichment of {count_of(n_sets, 'gene set')}", height=max(32 * n_sets, 60))


def qq(points: pl.DataFrame) -> Chart:
    """Draw p-values where nothing happened against what they should be: columns of ``calibration.qq_points``."""
    if points.is_empty():
        return nothing("No pretend condition was tested: controls are too few.")
    names = pl.format("{} cells, {}", "n_cells", "kind")
    points = points.with_columns(conditions=names)
    highest = float(max(points["expected"].max() or 0, points["observed"].max() or 0))  # type: ignore[arg-type]
    chart = (
        alt.Chart(POINTS)
        .mark_line(point=True)
        .encode(
            x=alt.X("expected:Q", title="expected -log10 p"),
            y=alt.Y("observed:Q", title="observed -log10 p"),
            color=alt.Color("conditions:N", title=None, sort=None, scale=alt.Scale(range=PALETTE)),
            tooltip=["conditions:N", alt.Tooltip("expected:Q", format=".2f"), alt.Tooltip("observed:Q", format=".2f")],
        )
    )
    line = pl.DataFrame({"x": [0.0, highest], "y": [0.0, highest]})
    diagonal = alt.Chart(LINE).mark_line(color=GREY, strokeDash=[4, 4], strokeWidth=1).encode(x="x:Q", y="y:Q")
    n_sizes = points["conditions"].n_unique()
    return finished(
        diagonal + chart, points, f"QQ plot of p-values of {n_sizes} kinds of null conditions", 300, line=line
    )


def similarity(names: list[str], r: npt.NDArray[np.float64], n: npt.NDArray[np.int64]) -> Chart:
    """Draw the correlations of signatures, shape (conditions, conditions); NaN is grey."""
    rows, columns = np.indices(r.shape)
    cells = pl.DataFrame(
        {
            "one": [names[i] for i in rows.ravel()],
            "other": [names[i] for i in columns.ravel()],
            "r": r.ravel(),
            "genes": n.ravel(),
        }
    ).with_columns(pl.col("r").fill_nan(None))
    scale = alt.Scale(scheme="blueorange", domain=[-1, 1], reverse=True)
    domain = alt.Scale(domain=names)
    base = alt.Chart(POINTS).encode(
        x=alt.X("one:N", title=None, scale=domain, axis=alt.Axis(labelAngle=-45, labelLimit=240)),
        y=alt.Y("other:N", title=None, scale=domain, axis=alt.Axis(labelLimit=220)),
        tooltip=["one:N", "other:N", alt.Tooltip("r:Q", format=".2f"), alt.Tooltip("genes:Q", format=",")],
    )
    chart = grey_where_unknown(base, cells, "r", "Pearson r", scale)
    return finished(chart, cells, f"Similarity of {len(names)} signatures", height=max(26 * len(names), 60))


def counts(cells: pl.DataFrame, *, one: str, other: str, title: str) -> Chart:
    """Draw a heat map of counts: columns named ``one`` and ``other``, and ``n``, null where it is unknown."""
    if cells.is_empty():
        return nothing("There is nothing to count.")
    base = alt.Chart(POINTS).encode(
        x=alt.X(f"{other}:N", title=None, axis=alt.Axis(labelAngle=-45, labelLimit=300)),
        y=alt.Y(f"{one}:N", title=None, sort=None, axis=alt.Axis(labelLimit=240)),
    )
    scale = alt.Scale(scheme="blues", type="symlog", domainMin=0)
    known = base.transform_filter(alt.FieldValidPredicate(field="n", valid=True))
    boxes = known.mark_rect().encode(
        color=alt.Color("n:Q", title=title, scale=scale, legend=alt.Legend(tickCount=3)),
        tooltip=[f"{one}:N", f"{other}:N", alt.Tooltip("n:Q", title=title, format=",")],
    )
    middle = float(cells["n"].max() or 0) ** 0.5  # type: ignore[arg-type]
    numbers = known.mark_text(fontSize=11).encode(
        text=alt.Text("n:Q", format=","),
        color=alt.condition(f"datum.n > {middle}", alt.value("#ffffff"), alt.value("#1d2430")),
    )
    layers = [boxes, numbers] if cells["n"].count() else []
    if cells["n"].null_count():
        unknown = base.transform_filter(alt.FieldValidPredicate(field="n", valid=False))
        layers.append(unknown.mark_text(fontSize=11).encode(text=alt.value("unknown")))
    return finished(alt.layer(*layers), cells, f"Heat map of {title}", height=max(24 * cells[one].n_unique(), 60))


def bars(points: pl.DataFrame, title: str) -> Chart:
    """Draw one bar for each ``group``, cut by ``kind``: columns ``group``, ``kind``, ``n`` and ``page``."""
    if points.is_empty():
        return nothing("There is nothing to count.")
    chart = (
        alt.Chart(POINTS)
        .mark_bar(cursor="pointer")
        .encode(
            x=alt.X("n:Q", title=title, axis=alt.Axis(format="~s", tickMinStep=1, tickCount=5)),
            y=alt.Y("group:N", title=None, sort=None, axis=alt.Axis(labelLimit=180)),
            color=alt.Color("kind:N", title=None, scale=alt.Scale(range=PALETTE)),
            href=f"{LINK}:N",
            tooltip=["group:N", "kind:N", alt.Tooltip("n:Q", title=title, format=",")],
        )
    )
    n_groups = points["group"].n_unique()
    return finished(chart, points, f"{title[0].upper()}{title[1:]}, by kind", height=max(26 * n_groups, 60))


def strips(points: pl.DataFrame, *, value: str, title: str) -> Chart:
    """Draw one row of ticks for each ``group``: columns ``group``, ``label``, ``value`` and ``kind``."""
    if points.is_empty():
        return nothing("No condition has a value.")
    chart = (
        alt.Chart(POINTS)
        .mark_tick(thickness=1.5, opacity=0.8)
        .encode(
            x=alt.X(f"{value}:Q", title=title),
            y=alt.Y("group:N", title=None, axis=alt.Axis(labelLimit=240)),
            color=alt.Color("kind:N", title=None, scale=alt.Scale(range=PALETTE)),
            tooltip=["label:N", "group:N", alt.Tooltip(f"{value}:Q", format=".3f")],
        )
    )
    return finished(
        chart, points, f"{title}, {points.height:,} conditions", height=max(26 * points["group"].n_unique(), 60)
    )
