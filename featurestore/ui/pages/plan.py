"""The plan of a feature spec: what it would find, who covers which row, and the guard's verdict; nothing is built."""

from __future__ import annotations

import functools
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import polars as pl

from featurestore.errors import FeatureStoreError, QueryError, SpecError
from featurestore.ui.asked import Asked
from featurestore.ui.page import Chart, Page, figure
from featurestore.ui.questions import SECONDS, Questions
from featurestore.ui.tables import table

if TYPE_CHECKING:
    from featurestore.features.plan import Plan
    from featurestore.features.spec import FeatureSpec

_PLANNER = ThreadPoolExecutor(1, "plan")
"""Makes one plan after the other."""
_DRAWN = 60


@functools.lru_cache(maxsize=8)
def _made(questions: Questions, label: str, text: str) -> tuple[Plan, str]:
    """Plan a saved spec by its label, or one by its text; return the plan and the text."""
    from featurestore.features import registry  # noqa: PLC0415, it imports models' libraries
    from featurestore.features.spec import parse_spec  # noqa: PLC0415

    if label:
        saved = registry.find(questions.store, label)
        spec, text = registry.saved_spec(questions.store, saved), saved.text
    else:
        spec = parse_spec(text, "the spec on the page")
        if spec.embeddings:
            raise SpecError(
                "A spec with a file can only be planned here once it is saved.",
                do="save it, with a copy of its file: featurestore features save SPEC.toml",
            )
    return _in_time(questions, spec), text


def _in_time(questions: Questions, spec: FeatureSpec) -> Plan:
    """Plan a spec as long as a question may take; what takes longer is given up before it reads its next source.

    Raises
    ------
    QueryError
        It takes too long.
    """
    from featurestore.features.plan import plan  # noqa: PLC0415, it imports models' libraries

    deadline = time.monotonic() + SECONDS
    too_long = QueryError(
        "The plan took too long.",
        expected=f"at most {SECONDS:g} s",
        do="name fewer sources, or plan without a limit: featurestore plan SPEC.toml",
    )

    def check(_: str) -> None:
        if time.monotonic() > deadline:
            raise too_long

    future = _PLANNER.submit(plan, questions.store, spec, report=check)
    try:
        return future.result(SECONDS)
    except TimeoutError:
        future.cancel()
        raise too_long from None


def _plan_of(asked: Asked) -> tuple[Plan, str]:
    return _made(asked.questions, asked.text("spec"), asked.values.get("text", "").replace("\r\n", "\n"))


def _planned(asked: Asked) -> pl.DataFrame:
    made, _ = _plan_of(asked)
    return pl.DataFrame([{name: value for name, value in made.facts.items() if not isinstance(value, dict)}])


def _sources(asked: Asked) -> pl.DataFrame:
    made, _ = _plan_of(asked)
    return made.sources.drop("kind", "n_perturbations", "agreement_sd", strict=False)


def _local(asked: Asked) -> pl.DataFrame:
    made, _ = _plan_of(asked)
    return made.local


def _covered(asked: Asked) -> Chart:
    from featurestore.ui import charts  # noqa: PLC0415, a page needs no chart library

    made, _ = _plan_of(asked)
    rows = [_label(row) for row in made.rows.head(_DRAWN).iter_rows(named=True)]
    cells = [
        {"row": row, "source": source, "n": None if n_cells is None else int(n)}
        for source, n_cells, numbers in zip(made.sources["source"], made.sources["n_cells"], made.cells, strict=True)
        for row, n in zip(rows, numbers, strict=False)
        if n > 0
    ]
    schema = {"row": pl.String, "source": pl.String, "n": pl.Int64}
    return charts.counts(pl.DataFrame(cells, schema), one="row", other="source", title="cells behind it")


def _label(row: dict[str, Any]) -> str:
    return f"{row['perturbation_label']} / {row['context_label']}"


def _plan(asked: Asked) -> dict[str, Any]:
    text = asked.values.get("text", "")
    if not asked.text("spec") and not text.strip():
        return {"title": "Plan", "text": "", "facts": None, "error": None}
    try:
        made, text = _plan_of(asked)
    except FeatureStoreError as error:
        return {"title": "Plan", "text": text, "facts": None, "error": error}
    from featurestore.features.local_agreement import local_sentences  # noqa: PLC0415, it imports SciPy

    withheld = made.sources.filter(pl.col("withheld").is_not_null()).select("source", "withheld").rows()
    return {
        "title": f"Plan of {asked.text('spec') or made.facts['name']}",
        "text": text,
        "facts": made.facts,
        "facts_as": asked.parts("facts", "csv", "parquet"),
        "error": None,
        "withheld": withheld,
        "sources": table(asked, "sources", "Sources, those that agree most first", _sources(asked), "There is none."),
        "near": local_sentences(made.sources, made.local),
        "local": table(asked, "local", "Agreement near each row", _local(asked), "No row has enough rows around it."),
        "covered": figure(
            asked,
            "covered",
            f"Cells behind what each source says of each row (the first {_DRAWN}); blank is none.",
            "tall",
        )
        if made.sources.height
        else None,
    }


def _about(asked: Asked, _: str) -> tuple[str, tuple[str, ...]]:
    """Name the spec, the dataset that it predicts, and those of its sources."""
    made, _text = _plan_of(asked)
    sources = made.sources["dataset_id"].drop_nulls().unique(maintain_order=True).to_list()
    return f"Plan of {made.facts['name']}", tuple(dict.fromkeys([*made.rows["dataset_id"].unique(), *sources]))


PAGE = Page(
    "plan",
    "plan.html",
    _plan,
    {"facts": _planned, "sources": _sources, "local": _local},
    {"covered": _covered},
    about=_about,
)
