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


_MOST_SOURCES = 3
"""Datasets that a picture names."""


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
    about
        Says what a chart, by its name, is about, and which datasets it draws: pictures that leave the browser say it.
    """

    name: str
    template: str
    context: Callable[[Asked], dict[str, Any]]
    tables: Mapping[str, Callable[[Asked], pl.DataFrame]] = field(default_factory=dict)
    charts: Mapping[str, Callable[[Asked], Chart]] = field(default_factory=dict)
    files: Callable[[Asked], Mapping[str, Path]] = lambda _: {}
    about: Callable[[Asked, str], tuple[str, tuple[str, ...]]] = lambda *_: ("", ())

    def title_of(self, asked: Asked, name: str, chart: Chart) -> tuple[str, list[str]]:
        """Return the title of a picture, and its lines: each dataset with its source, and the snapshot."""
        title, datasets = self.about(asked, name)
        lines = [_source(asked, dataset_id) for dataset_id in datasets[:_MOST_SOURCES]]
        if len(datasets) > _MOST_SOURCES:
            lines.append(f"and {len(datasets) - _MOST_SOURCES} more datasets")
        snapshot = asked.questions.store.snapshot.number
        return " - ".join(filter(None, (title, chart["description"]))), [*lines, f"featurestore, snapshot {snapshot}"]


def _source(asked: Asked, dataset_id: str) -> str:
    facts = asked.questions.one("dataset", "dataset", dataset_id=dataset_id)
    return ": ".join(filter(None, (dataset_id, facts["citation"] or facts["source"] or facts["title"])))


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
