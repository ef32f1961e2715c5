"""Ask the warehouse one SELECT statement, under the same confinement as ``featurestore sql``."""

from __future__ import annotations

from typing import Any

import polars as pl

from featurestore.contract import COLUMNS, VIEWS
from featurestore.errors import QueryError
from featurestore.query.sqlfiles import heading, sql_files
from featurestore.ui.asked import Asked
from featurestore.ui.page import Page
from featurestore.ui.questions import SECONDS
from featurestore.ui.tables import table

MOST_ROWS = 100_000
"""Rows that a result on this page, and its files, may have."""


def _result(asked: Asked) -> pl.DataFrame:
    return asked.questions.query(asked.needed("query"), MOST_ROWS, asked.is_left)


def _sql(asked: Asked) -> dict[str, Any]:
    examples = {name: (heading(text), _body(text)) for name, text in sql_files("examples").items()}
    query = asked.text("query")
    result, error = None, None
    if query:
        try:
            frame = _result(asked)
            result = table(
                asked, "result", "Result", frame, "The statement is right, and nothing fits it.", is_plain=True
            )
        except QueryError as failure:
            error = failure
    return {
        "title": "SQL",
        "query": query,
        "result": result,
        "error": error,
        "is_cut": result is not None and result.n_rows == MOST_ROWS,
        "most_rows": MOST_ROWS,
        "seconds": SECONDS,
        "examples": examples,
        "views": VIEWS.values(),
        "columns": COLUMNS,
    }


def _body(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if not line.startswith("--"))


PAGE = Page("sql", "sql.html", _sql, {"result": _result})
