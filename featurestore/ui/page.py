"""What a page is: a function that says what its template shows, and its tables and charts as functions of their own.

Every table and chart has an address, the page's and its own name, and a suffix says in which form:
``/dataset/conditions.csv?id=...``, ``/perturbation/scatter.svg?id=...``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from featurestore.ui.asked import Asked

Chart = dict[str, Any]
"""A Vega-Lite specification with its data."""


@dataclass(frozen=True)
class Page:
    """One page.

    Parameters
    ----------
    name
        Its path and its template; empty for the first page's path.
    template
        Name of the template.
    context
        Says what the template shows.
    tables, charts
        What can be had as a file.
    files
        Says which files of the warehouse the page shows, by name.
    """

    name: str
    template: str
    context: Callable[[Asked], dict[str, Any]]
    tables: Mapping[str, Callable[[Asked], pl.DataFrame]] = field(default_factory=dict)
    charts: Mapping[str, Callable[[Asked], Chart]] = field(default_factory=dict)
    files: Callable[[Asked], Mapping[str, Path]] = lambda _: {}


@dataclass(frozen=True)
class Figure:
    """A chart on a page: drawn by the browser, or as a picture where there are no scripts.

    Parameters
    ----------
    caption
        What it shows, in one sentence.
    spec
        Address of the specification.
    files
        Suffix and address of each picture.
    height
        ``short`` or ``tall``: the place that is kept free for it.
    """

    caption: str
    spec: str
    files: dict[str, str]
    height: str = "short"


def figure(asked: Asked, name: str, caption: str, height: str = "short") -> Figure:
    """Put a chart of the page on it."""
    return Figure(caption, asked.part(name, "json"), asked.parts(name, "svg", "png"), height)
