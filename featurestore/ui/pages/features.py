"""Features: specs that were saved, matrices with their manifests, and reports of evaluations.

What is shown lies in the warehouse: specs by ``featurestore features save``, matrices that were built, and what
``featurestore evaluate -o WAREHOUSE/reports/NAME`` wrote.
"""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from featurestore.errors import FeatureError, FeatureStoreError
from featurestore.features.matrix.written import MANIFEST, read_frame, read_manifest
from featurestore.storage.scores import SCORES
from featurestore.storage.snapshot import read_json
from featurestore.ui.asked import Asked
from featurestore.ui.page import Page
from featurestore.ui.questions import Questions
from featurestore.ui.tables import table

if TYPE_CHECKING:
    from featurestore.features.registry import Saved

MATRICES, REPORTS = "matrices", "reports"


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
    found = {}
    for path in sorted(place.glob(f"[!.]*/{whole}")):
        with suppress(FeatureStoreError):  # verify names it; its own page says what is wrong
            found[path.parent.name] = read_json(path)
    return found


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


def _one(asked: Asked, kind: str, whole: str) -> dict[str, Any]:
    name, place = asked.needed("id"), asked.questions.store.path / kind
    if name not in {path.parent.name for path in place.glob(f"[!.]*/{whole}")}:
        raise FeatureError(
            f"There is none of that name in {kind}/ of the warehouse.", got=name, do="see the features page"
        )
    return read_json(place / name / whole) if kind == REPORTS else read_manifest(place / name)


def _folder(asked: Asked, kind: str, whole: str) -> Path:
    _one(asked, kind, whole)
    return asked.questions.store.path / kind / asked.needed("id")


def _files(folder: Path, *patterns: str) -> dict[str, Path]:
    """Name the files of a folder of the warehouse, but none that lies elsewhere."""
    found = (path for pattern in patterns for path in sorted(folder.glob(pattern)))
    return {path.name: path for path in found if path.resolve().is_relative_to(folder.parents[1])}


def _columns(asked: Asked) -> pl.DataFrame:
    return read_frame(_folder(asked, MATRICES, MANIFEST), "columns")


def _rows(asked: Asked) -> pl.DataFrame:
    return read_frame(_folder(asked, MATRICES, MANIFEST), "rows")


def _of_matrix(asked: Asked) -> dict[str, Path]:
    return _files(_folder(asked, MATRICES, MANIFEST), MANIFEST)


def _matrix(asked: Asked) -> dict[str, Any]:
    manifest = _one(asked, MATRICES, MANIFEST)
    return {
        "title": f"Matrix of {manifest['name']}",
        "manifest_as": asked.parts("manifest", "json"),
        "manifest": manifest,
        "text": json.dumps(manifest, indent=2, ensure_ascii=False),
        "columns": table(asked, "columns", "Features", _columns(asked)),
        "rows": table(asked, "rows", "Rows", _rows(asked)),
    }


def _scores(asked: Asked) -> pl.DataFrame:
    """Return one row for each model: its scores over all rows."""
    rows = []
    for model in _one(asked, REPORTS, SCORES)["models"].values():
        line = {"model": model["title"]}
        if "all" in model:
            line |= {metric: score["mean"] for metric, score in model["all"].items()}
        else:
            line |= {name: value for name, value in model.items() if isinstance(value, float)}
        rows.append(line)
    return pl.DataFrame(rows)


def _of_report(asked: Asked) -> dict[str, Path]:
    return _files(_folder(asked, REPORTS, SCORES), "report.html", SCORES, "*.png")


def _is_picture(name: str) -> bool:
    return name.endswith(".png")


def _report(asked: Asked) -> dict[str, Any]:
    report = _one(asked, REPORTS, SCORES)
    counts = {name: value for name, value in report.items() if name.startswith("n_")}
    of_models = {name: model["title"] for name, model in report["models"].items()}
    names = [Path(name).stem for name in _of_report(asked) if _is_picture(name)]
    overviews = [(name.replace("_", " "), asked.part(name, "png")) for name in names if name not in of_models]
    scatters = [(title, asked.part(name, "png")) for name, title in of_models.items() if name in names]
    return {
        "whole": {
            Path(name).suffix[1:]: asked.part(*name.split(".")) for name in _of_report(asked) if not _is_picture(name)
        },
        "overviews": overviews,
        "scatters": scatters,
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
            return pl.read_csv(folder / name, glob=False)
    return pl.DataFrame()


FEATURES = Page("features", "features.html", _features, {"specs": _specs, "matrices": _matrices, "reports": _reports})
MATRIX = Page("matrix", "matrix.html", _matrix, {"columns": _columns, "rows": _rows}, files=_of_matrix)
REPORT = Page("report", "report.html", _report, {"scores": _scores, "single": _single}, files=_of_report)
