"""Write the contract as a page: ``python -m featurestore.contract_page > sql/README.md``."""

from __future__ import annotations

from featurestore.contract import COLUMNS, CONTRACT_VERSION, VIEWS
from featurestore.query.sqlfiles import heading, sql_files

HEAD = f"""\
# The SQL contract, version {CONTRACT_VERSION}

What `featurestore sql` and `Warehouse.sql` show: views of the current snapshot, or of the one asked for. The same
sentences are in `COMMENT ON` of every view and column: `describe` lists columns, `duckdb_columns()` the comments.
The files on disk may change. A view or column keeps its name, type, unit, grain and meaning as long as the contract's
version; new ones may come without a new version. A warehouse of an older version opens, or says what its releases lack
and how to bring them up.

`views/` holds one view a file, `examples/` questions that run as they stand. Missing is NULL, never 0: a gene that a
dataset did not measure has no row. This page is written by `python -m featurestore.contract_page`.
"""
TYPES = {
    "String": "text",
    "List(String)": "texts",
    "List(Float64)": "doubles",
    "Int64": "integer",
    "Int32": "integer",
    "Float32": "single",
    "Float64": "double",
    "Boolean": "boolean",
    "Datetime(time_unit='us', time_zone='UTC')": "timestamp",
}


def page() -> str:
    """Return the page as Markdown."""
    texts = sql_files("views")
    parts = [HEAD]
    for view in VIEWS.values():
        key = f" Key: {', '.join(f'`{name}`' for name in view.key)}." if view.key else ""
        prose, _, example = heading(texts[view.name]).partition("example: ")
        rows = [
            f"| `{c.name}` | {TYPES[str(c.dtype)]} | {c.unit} | {c.sentence} |"
            for c in map(COLUMNS.get, view.columns)
            if c
        ]
        table = "\n".join(["| column | type | unit | meaning |", "|---|---|---|---|", *rows])
        parts.append(
            f"## `{view.name}`\n\nOne row: {view.grain}.{key} {prose.strip()}\n\n{table}\n\n```sql\n{example}\n```\n"
        )
    questions = [f"- `examples/{name}.sql`: {heading(text)}" for name, text in sql_files("examples").items()]
    parts.append("## Worked questions\n\n" + "\n".join(questions) + "\n")
    return "\n".join(parts)


if __name__ == "__main__":
    print(page(), end="")  # noqa: T201
