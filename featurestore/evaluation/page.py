"""A page that opens without network: its template filled, with every picture in it."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined

PAGE = "report.html"


def write_page(folder: Path, template: str, texts: Mapping[str, str], **context: Any) -> None:
    """Write the page of a report.

    Parameters
    ----------
    folder
        Where it is written, and where its pictures are.
    template
        File of this package.
    texts
        What each picture shows, in words, by the name of its PNG.
    context
        What the template needs.
    """
    images = {name: {"data": _encoded(folder / f"{name}.png"), "text": text} for name, text in texts.items()}
    environment = Environment(
        loader=PackageLoader("featurestore.evaluation", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    environment.filters |= {"score": shown, "thousands": lambda n: "" if n is None else f"{n:,}"}
    page = environment.get_template(template).render(images=images, **context)
    (folder / PAGE).write_text(page, encoding="utf-8")


def shown(value: float | None) -> str:
    """Write a score; a dash is one that is undefined."""
    return "-" if value is None or not np.isfinite(value) else f"{value:.3f}"


def _encoded(path: Path) -> str:
    return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode("ascii")
