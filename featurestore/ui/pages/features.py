"""Features: plans of specs with the guard's verdict, matrices with their manifests, and reports of evaluations.

What is shown lies in the warehouse: specs by ``featurestore features save``, matrices that were built, and what
``featurestore evaluate -o WAREHOUSE/reports/NAME`` wrote.
"""

from __future__ import annotations

import functools
import json
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from featurestore.errors import FeatureError, FeatureStoreError, SpecError
from featurestore.snapshot import read_json
from featurestore.ui.asked import Asked
from featurestore.ui.page import Chart, Page, figure
from featurestore.ui.questions import Questions
from featurestore.ui.tables import table

if TYPE_CHECKING:
    from featurestore.features.plan import Plan
    from featurestore.features.registry import Saved

MATRICES, REPORTS = "matrices", "reports"
MANIFEST, SCORES = "manifest.json", "scores.json"
_PLANNING = threading.Lock()
_DRAWN = 60


def _specs(asked: Asked) -> pl.DataFrame:
    rows = [(s.label, s.snapshot, s.saved_at, s.retired) for s in _saved(asked.questions)]
    schema = {"spec": pl.String, "snapshot": pl.Int64, "saved_at": pl.String, "retired": pl.String}
    return pl.DataFrame(rows, schema, orient="row")


def _saved(questions: Questions) -> list[Saved]:
    from featurestore.features.registry import saved_specs  # noqa: PLC0415, it imports models' libraries

    return saved_specs(questions.store)


def _folders(asked: Asked, kind: str, whole: str) -> dict[str, dict[str, Any]]:
    """Read what lies in a folder of the warehouse, by name: only what has the file that is written last."""
    place = asked.questions.store.path / kind
    return {path.parent.name: read_json(path) for path in sorted(place.glob(f"[!.]*/{whole}"))}


def _matrices(asked: Asked) -> pl.DataFrame:
    names = ("name", "snapshot", "n_rows", "n_features", "n_genes")
    rows = [(key, *(made.get(name) for name in names)) for key, made in _folders(asked, MATRICES, MANIFEST).items()]
    numbers = dict.fromkeys(names[1:], pl.Int64)
    return pl.DataFrame(rows, {"matrix": pl.String, "spec_name": pl.String, **numbers}, orient="row")


def _reports(asked: Asked) -> pl.DataFrame:
    names = ("name", "snapshot", "n_perturbations")
    rows = [(key, *(made.get(name) for name in names)) for key, made in _folders(asked, REPORTS, SCORES).items()]
    numbers = dict.fromkeys(names[1:], pl.Int64)
    return pl.DataFrame(rows, {"report": pl.String, "spec_name": pl.String, **numbers}, orient="row")


def _features(asked: Asked) -> dict[str, Any]:
    return {
        "title": "Features",
        "specs": table(
            asked, "specs", "Saved specs", _specs(asked), "None yet. Keep one: featurestore features save SPEC.toml"
        ),
        "matrices": table(
            asked, "matrices", "Matrices", _matrices(asked), "None yet. Build one: featurestore build SPEC.toml -o DIR"
        ),
        "reports": table(
            asked,
            "reports",
            "Evaluations",
            _reports(asked),
            "None yet. Write one into the warehouse: featurestore evaluate SPEC.toml -o WAREHOUSE/reports/NAME",
        ),
    }


@functools.lru_cache(maxsize=8)
def _made(questions: Questions, label: str, text: str) -> tuple[Plan, str]:
    """Plan a saved spec by its label, or one by its text; return the plan and the text."""
    from featurestore.features import registry  # noqa: PLC0415, it imports models' libraries
    from featurestore.features.kinds import EmbeddingFeature  # noqa: PLC0415
    from featurestore.features.plan import plan  # noqa: PLC0415
    from featurestore.features.spec import parse_spec  # noqa: PLC0415

    if label:
        saved = registry.find(questions.store, label)
        spec, text = registry.saved_spec(questions.store, saved), saved.text
    else:
        spec = parse_spec(text, "the spec on the page")
        if any(isinstance(feature, EmbeddingFeature) for feature in spec.feature):
            raise SpecError(
                "A spec with a file can only be planned here once it is saved.",
                do="save it, with a copy of its file: featurestore features save SPEC.toml",
            )
    with _PLANNING:
        return plan(questions.store, spec), text


def _plan_of(asked: Asked) -> tuple[Plan, str]:
    return _made(asked.questions, asked.text("spec"), asked.values.get("text", "").replace("\r\n", "\n"))


def _sources(asked: Asked) -> pl.DataFrame:
    made, _ = _plan_of(asked)
    return made.sources.drop("kind", "n_perturbations", "agreement_sd", strict=False)


def _covered(asked: Asked) -> Chart:
    from featurestore.ui import charts  # noqa: PLC0415, a page needs no chart library

    made, _ = _plan_of(asked)
    rows = [_label(row) for row in made.rows.head(_DRAWN).iter_rows(named=True)]
    cells = [
        {"row": row, "source": source, "n": int(n)}
        for source, numbers in zip(made.sources["source"], made.cells, strict=True)
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
    withheld = made.sources.filter(pl.col("withheld").is_not_null()).select("source", "withheld").rows()
    return {
        "title": f"Plan of {asked.text('spec') or made.facts['name']}",
        "text": text,
        "facts": made.facts,
        "error": None,
        "withheld": withheld,
        "sources": table(asked, "sources", "Sources, those that agree most first", _sources(asked), "There is none."),
        "covered": figure(
            asked, "covered", f"Cells behind what each source says of each row (the first {_DRAWN}).", "tall"
        )
        if made.sources.height
        else None,
    }


def _one(asked: Asked, kind: str, whole: str) -> dict[str, Any]:
    known = _folders(asked, kind, whole)
    name = asked.needed("id")
    if name not in known:
        raise FeatureError(
            f"There is none of that name in {kind}/ of the warehouse.", got=name, do="see the features page"
        )
    return known[name]


def _folder(asked: Asked, kind: str, whole: str) -> Path:
    _one(asked, kind, whole)
    return asked.questions.store.path / kind / asked.needed("id")


def _columns(asked: Asked) -> pl.DataFrame:
    return pl.read_parquet(_folder(asked, MATRICES, MANIFEST) / "columns.parquet")


def _rows(asked: Asked) -> pl.DataFrame:
    return pl.read_parquet(_folder(asked, MATRICES, MANIFEST) / "rows.parquet")


def _matrix(asked: Asked) -> dict[str, Any]:
    manifest = _one(asked, MATRICES, MANIFEST)
    return {
        "title": f"Matrix of {manifest['name']}",
        "manifest": manifest,
        "text": json.dumps(manifest, indent=2, ensure_ascii=False),
        "columns": table(asked, "columns", "Features", _columns(asked)),
        "rows": table(asked, "rows", "Rows", _rows(asked)),
    }


def _scores(asked: Asked) -> pl.DataFrame:
    """Return one line for each model: its scores over all rows."""
    rows = []
    for model in _one(asked, REPORTS, SCORES)["models"].values():
        line = {"model": model["title"]}
        if "all" in model:
            line |= {metric: score["mean"] for metric, score in model["all"].items()}
        else:
            line |= {name: value for name, value in model.items() if isinstance(value, float)}
        rows.append(line)
    return pl.DataFrame(rows)


def _report(asked: Asked) -> dict[str, Any]:
    report = _one(asked, REPORTS, SCORES)
    counts = {name: value for name, value in report.items() if name.startswith("n_")}
    return {
        "title": f"Evaluation {asked.needed('id')}",
        "report": report,
        "counts": counts,
        "verdict": report.get("verdict") or ([report["metric"]] if "metric" in report else []),
        "scores": table(asked, "scores", "Scores, means over perturbations", _scores(asked)),
        "single": table(asked, "single", "Single scores", _single(asked)),
    }


def _single(asked: Asked) -> pl.DataFrame:
    folder = _folder(asked, REPORTS, SCORES)
    for name in ("per_perturbation.csv", "per_gene.csv"):
        if (folder / name).is_file():
            return pl.read_csv(folder / name)
    return pl.DataFrame()


FEATURES = Page("features", "features.html", _features, {"specs": _specs, "matrices": _matrices, "reports": _reports})
PLAN = Page("plan", "plan.html", _plan, {"sources": _sources}, {"covered": _covered})
MATRIX = Page("matrix", "matrix.html", _matrix, {"columns": _columns, "rows": _rows})
REPORT = Page("report", "report.html", _report, {"scores": _scores, "single": _single})
