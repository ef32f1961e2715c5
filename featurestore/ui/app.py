"""The application: pages, their tables and charts as files, what they are drawn with, and what went wrong."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import cast
from urllib.parse import parse_qsl

from anyio import from_thread
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from featurestore.errors import FeatureStoreError, WarehouseError
from featurestore.ui.asked import Asked, address
from featurestore.ui.page import Page
from featurestore.ui.pages import (
    catalogue,
    coverage,
    dataset,
    enrichment,
    features,
    gene,
    perturbation,
    plan,
    similar,
    sql,
)
from featurestore.ui.questions import Shelf
from featurestore.ui.security import BRINGS, Guarded
from featurestore.ui.served_files import FETCHED_ANEW, page_file, static_file, vega_script
from featurestore.ui.tables import moment, shown

PAGES = (
    catalogue.CATALOGUE,
    catalogue.SEARCH,
    dataset.PAGE,
    coverage.PAGE,
    coverage.OVERLAP,
    perturbation.PAGE,
    gene.PAGE,
    similar.PAGE,
    enrichment.PAGE,
    sql.PAGE,
    features.FEATURES,
    plan.PAGE,
    features.MATRIX,
    features.REPORT,
)
NAVIGATION = {
    "": "Catalogue",
    "coverage": "Coverage",
    "similar": "Similar",
    "enrichment": "Gene sets",
    "sql": "SQL",
    "features": "Features",
}


def application(shelf: Shelf) -> Guarded:
    """Make the application that shows a warehouse."""
    templates = Environment(
        loader=PackageLoader("featurestore.ui"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters |= {"shown": shown, "moment": moment}
    templates.globals |= {"address": address, "navigation": NAVIGATION}

    def rendered(name: str, page: str, status: int = 200, **context: object) -> HTMLResponse:
        snapshot = shelf.last.store.snapshot
        if isinstance(failure := context.get("error"), FeatureStoreError):
            context["error"] = _inside(failure, shelf)
        text = templates.get_template(name).render(
            page=page, snapshot=snapshot, warehouse=shelf.name, words=context.pop("words", ""), **context
        )
        return HTMLResponse(text, status, FETCHED_ANEW)

    def routes_of(page: Page) -> list[Route]:
        def show(request: Request) -> Response:
            return rendered(page.template, page.name, **page.context(_asked(page, request, shelf)))

        def part(request: Request) -> Response:
            return page_file(page, _asked(page, request, shelf), request)

        prefix = f"/{page.name}" if page.name else ""
        return [Route(prefix or "/", show), Route(f"{prefix}/{{part}}.{{suffix}}", part)]

    def failed(request: Request, error: Exception) -> Response:
        page = request.url.path.strip("/").partition("/")[0]
        return rendered("error.html", page, 400, title="That cannot be shown", error=error)

    def missing(request: Request, error: Exception) -> Response:
        what = FeatureStoreError(
            "There is no such page.", got=request.url.path, do="start at the catalogue, or search for a name"
        )
        return rendered("error.html", "", cast("HTTPException", error).status_code, title="No such page", error=what)

    def broken(request: Request, error: Exception) -> Response:
        do = "see what the terminal says, and: featurestore verify"
        what = FeatureStoreError("The page could not be made.", where=request.url.path, got=type(error).__name__, do=do)
        return rendered("error.html", "", 500, title="That did not work", error=what)

    def refused(request: Request, error: Exception) -> Response:
        reason = cast("OSError", error)
        return failed(request, WarehouseError("A file cannot be read.", got=reason.strerror or str(error)))

    pages = Starlette(
        routes=[
            Route(BRINGS, functools.partial(_bring, shelf), methods=["POST"]),
            Route("/static/vega.js", vega_script),
            Route("/static/{name}", static_file),
            *(route for page in reversed(PAGES) for route in routes_of(page)),
        ],
        exception_handlers={FeatureStoreError: failed, OSError: refused, HTTPException: missing, Exception: broken},
    )
    return Guarded(pages)


def _asked(page: Page, request: Request, shelf: Shelf) -> Asked:
    is_left = functools.partial(from_thread.run, request.is_disconnected)
    return Asked(page.name, request.query_params, shelf.now(), is_left)


async def _bring(shelf: Shelf, request: Request) -> Response:
    """Keep gene sets that a form brings, and lead to the page that tests them."""
    try:
        body = await request.body()
    except ClientDisconnect:
        return Response(status_code=400)  # which nobody reads
    given = dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
    kept = {key: given.get(key, "") for key in ("id", "a", "how")}
    return RedirectResponse(address(BRINGS.strip("/"), **kept, sets=shelf.brought.keep(given.get("sets", ""))), 303)


def _inside(error: FeatureStoreError, shelf: Shelf) -> FeatureStoreError:
    """Return an error with paths as they are inside the warehouse: where that lies is nobody's business."""
    hide: Callable[[str], str] = lambda text: text.replace(str(shelf.path), shelf.name)  # noqa: E731
    return FeatureStoreError(
        hide(error.what), where=hide(error.where), expected=hide(error.expected), got=hide(error.got), do=hide(error.do)
    )
