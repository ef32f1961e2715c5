"""Answers that are files: a page's tables and charts, what every page is drawn with, and the chart library."""

from __future__ import annotations

import functools
import signal
import subprocess
import sys
from importlib.resources import files

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from featurestore.ui.asked import Asked
from featurestore.ui.page import Page
from featurestore.ui.table_file import as_file

_STATIC = {"style.css": "text/css", "app.js": "text/javascript", "icon.svg": "image/svg+xml"}
_MEDIA = {"png": "image/png", "json": "application/json", "html": "text/html; charset=utf-8"}
_FOREVER = {"cache-control": "max-age=31536000, immutable"}
FETCHED_ANEW = {"cache-control": "no-cache"}


def page_file(page: Page, asked: Asked, request: Request) -> Response:
    """Answer with a table, chart or file of a page; 404 where it has none of that name."""
    name, suffix = request.path_params["part"], request.path_params["suffix"]
    theme = "dark" if request.query_params.get("theme") == "dark" else "light"
    if name in page.tables and suffix in ("csv", "parquet"):
        content, media = as_file(page.tables[name](asked), suffix)
    elif name in page.charts and suffix in ("json", "svg", "png"):
        from featurestore.ui import drawing  # noqa: PLC0415, a page needs no chart library

        chart = page.charts[name](asked)
        if suffix == "json":
            return JSONResponse(drawing.themed(chart, theme), headers=FETCHED_ANEW)
        content, media = drawing.picture(chart, suffix, theme, *page.title_of(asked, name, chart))
    elif suffix in _MEDIA and (path := page.files(asked).get(f"{name}.{suffix}")) is not None:
        content, media = path.read_bytes(), _MEDIA[suffix]
    else:
        raise HTTPException(404)
    shown_as = f'{"inline" if suffix in ("svg", "png") else "attachment"}; filename="{name}.{suffix}"'
    return Response(content, media_type=media, headers={"content-disposition": shown_as, **FETCHED_ANEW})


def static_file(request: Request) -> Response:
    """Answer with what every page is drawn with."""
    name = request.path_params["name"]
    if name not in _STATIC:
        raise HTTPException(404)
    return Response(_read(name), media_type=_STATIC[name], headers=FETCHED_ANEW)


@functools.cache
def _read(name: str) -> bytes:
    return (files("featurestore.ui") / "static" / name).read_bytes()


@functools.cache
def vega() -> bytes:
    """Return Vega, Vega-Lite and Vega-Embed as one script; a process of its own makes it, in seconds, once.

    That process does not hear Ctrl-C: what it makes is lost with the one that reads it.
    """
    made = "import sys, vl_convert; sys.stdout.buffer.write(vl_convert.javascript_bundle().encode())"
    command, pipe, silent = [sys.executable, "-c", made], subprocess.PIPE, subprocess.DEVNULL
    heard = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        return subprocess.run(command, check=True, stdout=pipe, stderr=silent).stdout  # noqa: S603
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, heard)


def vega_script(request: Request) -> Response:  # noqa: ARG001
    """Answer with the chart library."""
    return Response(vega(), media_type="text/javascript", headers=_FOREVER)
