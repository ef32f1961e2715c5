"""One dataset: where it comes from, how its conditions are distributed, and what became of its names and rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl

from featurestore.calibration import null_line, qq_points
from featurestore.data_points import counted
from featurestore.storage.snapshot import MANIFEST, release_path
from featurestore.ui.asked import Asked, address
from featurestore.ui.page import Chart, Page, figure
from featurestore.ui.tables import table

_OF_WELLS = "Agreement of replicate wells: upper quartile of Spearman's rho between them."


def _facts(asked: Asked) -> pl.DataFrame:
    return asked.questions.ask("dataset", dataset_id=asked.needed("id"))


def _manifest(asked: Asked) -> dict[str, Path]:
    store, dataset_id = asked.questions.store, asked.needed("id")
    return {MANIFEST: release_path(store.path, dataset_id, store.snapshot.release_of(dataset_id)) / MANIFEST}


def _conditions(asked: Asked) -> pl.DataFrame:
    return asked.questions.ask("conditions", dataset_id=asked.needed("id"))


def _ledger(asked: Asked) -> pl.DataFrame:
    return asked.questions.ask("ledger", dataset_id=asked.needed("id"))


def _mapping(asked: Asked) -> pl.DataFrame:
    return asked.questions.ask("mapping", dataset_id=asked.needed("id"))


def _rejected(asked: Asked) -> pl.DataFrame:
    return asked.questions.ask("rejected", dataset_id=asked.needed("id"))


def _phenotypes(asked: Asked) -> pl.DataFrame:
    return asked.questions.ask("phenotypes_of_dataset", dataset_id=asked.needed("id"))


def _calibration(asked: Asked) -> pl.DataFrame:
    return asked.questions.ask("calibration", dataset_id=asked.needed("id"))


def _qq(asked: Asked) -> Chart:
    from featurestore.ui import charts  # noqa: PLC0415, a page needs no chart library

    return charts.qq(qq_points(_calibration(asked)))


def _histogram(asked: Asked, column: str, title: str, *, log: bool = False) -> Chart:
    from featurestore.ui import charts  # noqa: PLC0415, a page needs no chart library

    return charts.histogram(_done(asked)[column], title, log=log)


def _by_cells(asked: Asked) -> Chart:
    from featurestore.ui.signature_charts import effect_by_cells  # noqa: PLC0415, a page needs no chart library

    points = _done(asked).filter((pl.col("n_cells") > 0) & (pl.col("effect_norm") > 0))
    return effect_by_cells(
        points.select(
            cells="n_cells",
            norm="effect_norm",
            perturbation="perturbation_label",
            kind=pl.when(pl.col("is_responder"))
            .then(pl.lit("responds"))
            .when(pl.col("is_responder").is_null())
            .then(pl.lit("not known"))
            .otherwise(pl.lit("does not")),
            page=pl.col("perturbation_id").map_elements(lambda name: address("perturbation", id=name), pl.String),
        )
    )


def _done(asked: Asked) -> pl.DataFrame:
    return _conditions(asked).filter(~pl.col("is_control"))


def _dataset(asked: Asked) -> dict[str, Any]:
    dataset_id = asked.needed("id")
    facts = asked.questions.one("dataset", "dataset", dataset_id=dataset_id)
    done = _done(asked)
    halves = (
        _OF_WELLS if facts["assay"] == "l1000" else "Agreement of replicates: Pearson r of two halves of the cells."
    )
    figures = [
        figure(asked, name, caption)
        for name, column, caption in (
            ("cells", "n_cells", "Cells per condition; both ends of the axis are conditions that exist."),
            ("effects", "effect_norm", "Size of effects: Euclidean norm over genes, own targets left out."),
            ("knockdown", "knockdown_ratio", "Knock-down: expression of the target over control; 0 is none left."),
            ("replicates", "replicate_correlation", halves),
        )
        if done[column].null_count() < done.height
    ]
    if done.filter(pl.col("n_cells").is_not_null() & pl.col("effect_norm").is_not_null()).height:
        caption = (
            "Size of effects against cells: where cells are few, noise alone is large. A dot leads to its perturbation."
        )
        figures.insert(2, figure(asked, "effect_by_cells", caption))
    null = _calibration(asked)
    if null.height:
        line = null_line(null)
        caption = f"{line[0].upper()}{line[1:]}. On the dashed line p is right, above it p is too small."
        figures.append(figure(asked, "null", caption))
    manifest = asked.questions.store.manifest(dataset_id)
    return {
        "title": dataset_id,
        "facts": facts,
        "counted": counted(facts),
        "facts_as": asked.parts("facts", "csv", "parquet") | {"manifest": asked.part("manifest", "json")},
        "n_responders": done["is_responder"].sum() if done["is_responder"].null_count() < done.height else None,
        "inputs": manifest.get("inputs", []),
        "code": manifest.get("code", {}).get("version", ""),
        "spec": json.dumps(manifest.get("spec", {}), indent=2, ensure_ascii=False),
        "figures": figures,
        "conditions": table(asked, "conditions", "Conditions", _conditions(asked)),
        "calibration": table(asked, "calibration", "Where nothing happened", null.drop("p_quantiles")),
        "phenotypes": table(asked, "phenotypes", "Readouts", _phenotypes(asked)),
        "ledger": table(asked, "ledger", "Ledger: what became of every published name", _ledger(asked)),
        "mapping": table(asked, "mapping", "Name by name, those that did not map first", _mapping(asked)),
        "rejected": table(
            asked, "rejected", "Rejected rows", _rejected(asked), "No row was rejected: every one is in a condition."
        ),
    }


PAGE = Page(
    "dataset",
    "dataset.html",
    _dataset,
    {
        "facts": _facts,
        "conditions": _conditions,
        "calibration": lambda asked: _calibration(asked).drop("p_quantiles"),
        "phenotypes": _phenotypes,
        "ledger": _ledger,
        "mapping": _mapping,
        "rejected": _rejected,
    },
    {
        "cells": lambda asked: _histogram(asked, "n_cells", "cells per condition", log=True),
        "effects": lambda asked: _histogram(asked, "effect_norm", "norm of effect", log=True),
        "effect_by_cells": _by_cells,
        "null": _qq,
        "knockdown": lambda asked: _histogram(asked, "knockdown_ratio", "expression of target over control"),
        "replicates": lambda asked: _histogram(asked, "replicate_correlation", "replicate correlation"),
    },
    _manifest,
    lambda asked, _: (asked.needed("id"), (asked.needed("id"),)),
)
