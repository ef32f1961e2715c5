"""How charts are drawn: data beside the description, ink for light and dark pages, pictures that name their sources.

Colours are Okabe and Ito's, which the colour-blind can tell apart, and magnitudes are in shades of one hue.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import altair as alt
import polars as pl
import vl_convert

from featurestore.ui.page import Chart

BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#737984"
PALETTE = ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#737984"]
POINTS, LINE, NAMED = alt.NamedData("points"), alt.NamedData("line"), alt.NamedData("named")
_FONT = "system-ui, sans-serif"
_INK = {"light": "#1d2430", "dark": "#e6e9ef"}
_LINES = {"light": "#d5d9e0", "dark": "#3a414d"}
_GROUND = {"light": "#ffffff", "dark": "#12161d"}
_BRIGHT = {
    "#0072B2": "#56B4E9", "#56B4E9": "#B3E0FF", "#D55E00": "#FF9D57", "#009E73": "#2BD4A4", "#CC79A7": "#E9A6CB",
    "#E69F00": "#F5C04A", "#737984": "#A7B0BF",
}  # fmt: skip
"""Colours of a dark page: each has a contrast of 4.5 to its ground, as the light ones have not."""
_LETTERS = 110
"""Letters of a title or a source that fit into a picture."""
LINK = "page"
"""The field of a point that holds the address of its page; files have none."""


def nothing(why: str) -> Chart:
    """Say why there is no chart."""
    chart = alt.Chart(POINTS).mark_text(fontSize=13, limit=600).encode(text="why:N")
    return finished(chart, pl.DataFrame({"why": [why]}), why, height=60)


def grey_where_unknown(base: Any, cells: pl.DataFrame, field: str, title: str, scale: alt.Scale) -> Any:
    """Draw the cells of a heat map in their colours, those without a value grey: pale would mean 0."""
    known, unknown = (
        base.transform_filter(alt.FieldValidPredicate(field=field, valid=valid)) for valid in (True, False)
    )
    made = known.mark_rect().encode(color=alt.Color(f"{field}:Q", title=title, scale=scale))
    return made if not cells[field].null_count() else unknown.mark_rect(color=GREY) + made


def finished(chart: Any, points: pl.DataFrame, description: str, height: int = 220, **others: pl.DataFrame) -> Chart:
    """Put the data beside a chart's description, each frame by its name: Altair never sees and checks its values."""
    made = chart.properties(width="container", height=height, background="transparent", description=description)
    made = made.configure_view(stroke=None).configure_axis(labelFontSize=12, titleFontSize=12, titleFontWeight="normal")
    content: Chart = made.to_dict(validate=False)
    return content | {"datasets": {name: _values(frame) for name, frame in {POINTS.name: points, **others}.items()}}


def _values(frame: pl.DataFrame) -> list[dict[str, Any]]:
    floats = [name for name, dtype in frame.schema.items() if dtype.is_float()]
    short = pl.col(floats).cast(pl.Float64).round_sig_figs(5)
    return frame.with_columns(pl.when(short.is_finite()).then(short).name.keep()).to_dicts()


def themed(chart: Chart, theme: str) -> Chart:
    """Return a chart with ink and colours for a light or a dark page."""
    ink, lines = _INK[theme], _LINES[theme]
    made: Chart = chart if theme == "light" else _bright(chart)
    config: dict[str, Any] = json.loads(json.dumps(made.get("config", {})))
    config["font"] = _FONT
    config["axis"] = config.get("axis", {}) | {
        "labelColor": ink, "titleColor": ink, "gridColor": lines, "domainColor": lines, "tickColor": lines,
    }  # fmt: skip
    config["legend"] = {"labelColor": ink, "titleColor": ink, "orient": "top", "labelFontSize": 12, "columns": 2}
    config["text"] = {"color": ink}
    config["title"] = {"color": ink, "subtitleColor": ink}
    return made | {"config": config}


def _bright(part: Any) -> Any:
    """Take the bright colour of each in a description; data are values, and stay."""
    if isinstance(part, dict):
        return {key: value if key == "datasets" else _bright(value) for key, value in part.items()}
    if isinstance(part, list):
        return [_bright(each) for each in part]
    return _BRIGHT.get(part, part) if isinstance(part, str) else part


def picture(chart: Chart, suffix: str, theme: str, title: str, sources: Sequence[str]) -> tuple[bytes, str]:
    """Draw a chart below its title and its sources, and return the bytes of a file and their media type."""
    short = [text if len(text) <= _LETTERS else text[: _LETTERS - 3] + "..." for text in (title, *sources)]
    heading = {
        "text": short[0],
        "subtitle": short[1:],
        "anchor": "start",
        "frame": "bounds",
        "fontSize": 14,
        "offset": 12,
    }
    sized = themed(chart, theme) | {"width": 720, "background": _GROUND[theme], "title": heading}
    sized["datasets"] = {
        name: [{key: value for key, value in row.items() if key != LINK} for row in rows]
        for name, rows in chart["datasets"].items()
    }
    if suffix == "svg":
        return vl_convert.vegalite_to_svg(sized).encode(), "image/svg+xml"
    return vl_convert.vegalite_to_png(sized, scale=2), "image/png"
