"""Plan a feature matrix before it is built: what covers the target, what is missing, what the guard would withhold."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import polars as pl

from featurestore.calibration import doubts
from featurestore.errors import FeatureError, LeakageError
from featurestore.features.blocks.by_kind import MAKERS
from featurestore.features.blocks.effects import read_source
from featurestore.features.blocks.inputs import BlockInputs
from featurestore.features.builder import measure, with_folds
from featurestore.features.effects.elsewhere import Elsewhere, Measured, as_run
from featurestore.features.effects.signature import mean_of_matches
from featurestore.features.guard.leaks import without_own
from featurestore.features.guard.lookalike import check_lookalikes
from featurestore.features.guard.shared_controls import check_controls, controls_of
from featurestore.features.kinds import MEASURED
from featurestore.features.kinds.kind import ExternalEffects
from featurestore.features.local_agreement import AROUND, NearRows
from featurestore.features.matching import match_conditions, match_keys
from featurestore.features.matrix.licence import check_spec_words, refuse_licences
from featurestore.features.pairs.target import TEST, split_conditions
from featurestore.features.perturbations import own_targets
from featurestore.features.selection import Source, select
from featurestore.features.spec import FeatureSpec, read_spec
from featurestore.storage.whole import filled

if TYPE_CHECKING:
    from featurestore.query.warehouse import Warehouse

Report = Callable[[str], None]
_TEXTS = ("source", "kind", "dataset_id", "context_label", "effect_kind", "licence")
_COUNTS = ("n_conditions", "n_cells", "n_responders", "n_perturbations", "n_rows_covered", "n_genes_shared")

_DATA_POINT = ["experiment_id", "perturbation_id", "perturbation_kind", "context_id", "dose_um", "time_h", "cluster"]
"""What tells one effective observation from another: copies of the same cells, or a second feature, add none."""


@dataclass(frozen=True)
class Plan:
    """What a spec would find.

    Parameters
    ----------
    rows
        The target's conditions, with group and fold.
    sources
        One row per source, the most relevant first: ``source``, ``kind``, ``dataset_id``, ``context_label``,
        ``licence``, counts of conditions, cells, responders and perturbations (null where they are not known), rows
        covered, genes shared, ``agreement`` with its spread over folds, how far it differs from row to row
        (``local_low`` to ``local_high``, and ``local_chance``: how often chance sets them as far apart), and
        ``withheld``: why the guard or the licence gate would refuse it.
    local
        One row per source and row that it has training rows around: ``local_agreement``, the mean over the
        ``n_nearest`` of them most alike in the sources, its 95 % interval, and the source's ``agreement`` over all.
    cells
        Cells behind what each source says of each row, shape (sources, rows); 0 where it says nothing, 1 where the
        number is unknown.
    facts
        Snapshot, counts of the target, effective data points, and the perturbations that no source covers.
    """

    rows: pl.DataFrame
    sources: pl.DataFrame
    local: pl.DataFrame
    cells: npt.NDArray[np.float64]
    facts: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Return all of it but what is told of single rows as plain values."""
        return {**self.facts, "sources": self.sources.to_dicts()}

    def write(self, folder: str | Path) -> None:
        """Write ``plan.json``, ``sources.csv``, ``local_agreement.csv``, and ``coverage.png`` of sources into a folder.

        Raises
        ------
        FeatureError
            The folder cannot be written to.
        """
        from featurestore.features.heat_map import draw_coverage  # noqa: PLC0415, a plan needs no picture

        try:
            with filled(Path(folder), "plan.json") as path:
                text = json.dumps(self.to_dict(), indent=2, ensure_ascii=False)
                (path / "plan.json").write_text(f"{text}\n", encoding="utf-8")
                self.sources.write_csv(path / "sources.csv")
                self.local.write_csv(path / "local_agreement.csv")
                if self.sources.height:
                    draw_coverage(path / "coverage.png", self.sources, self.cells)
        except OSError as error:
            raise FeatureError("The plan cannot be written.", where=str(folder), got=str(error)) from None


def plan(warehouse: Warehouse, spec: FeatureSpec | str | Path, *, report: Report = lambda _: None) -> Plan:
    """Say what a spec would find, without building it; what the guard would refuse is shown, not raised.

    The agreement of a source is the mean centred Pearson correlation of its effects with the target's over the
    training rows of a fold, the training mean taken away, averaged over folds: no held-out row ranks a source. Where
    the data has its own split, its test rows have no part in it. Around a row it is the mean over the training rows
    whose perturbations are most alike its own in the sources, whatever they do in the target.

    Raises
    ------
    SpecError
        The spec is wrong; every fault is listed.
    FeatureError
        There is nothing to predict, or a forbidden licence is none.
    """
    spec = read_spec(spec)
    check_spec_words(spec, warehouse)
    with warehouse.at(spec.snapshot) as pinned:
        return _plan(pinned, spec, report)


def _plan(warehouse: Warehouse, spec: FeatureSpec, report: Report) -> Plan:
    selection = select(warehouse, spec)
    report(f"reading {selection.target.height} target conditions")
    measured = measure(warehouse, selection.target, spec.target)
    rows = with_folds(measured.rows, spec.split)
    own = own_targets(measured.rows, measured.genes)
    unread = own
    if spec.split.column is not None:
        is_test = split_conditions(warehouse, rows, spec.target, spec.split)["split"] == TEST
        unread = own | is_test.to_numpy()[:, None]
    measured = replace(measured, effects=np.where(unread, np.float32(np.nan), measured.effects))
    controls = controls_of(warehouse, measured.rows)
    lines, cells, near = [], [], NearRows(rows, measured.effects, own)
    for source in selection.sources:
        report(f"reading {source.conditions.height} conditions of {source.name}")
        line, n = _line(warehouse, spec, source, measured, controls, near)
        lines.append(line)
        cells.append(n)
    counts: dict[str, pl.DataType] = dict.fromkeys((*_COUNTS, "n_contexts"), pl.Int64())
    schema = counts | dict.fromkeys(("agreement", "agreement_sd", *AROUND), pl.Float64()) | {"withheld": pl.String()}
    nothing = dict.fromkeys(_TEXTS, pl.String()) | schema
    around, local = near.around()
    lines = [line | around.get(line["source"], {}) for line in lines]
    table = pl.DataFrame(lines, None if lines else nothing, schema_overrides=schema, infer_schema_length=None)
    table = table.with_row_index("order")
    rank = (pl.col("withheld").is_not_null(), -pl.col("agreement"), -pl.col("n_rows_covered").cast(pl.Int64()))
    table = table.sort(*rank, nulls_last=True, maintain_order=True)
    ordered = np.array(cells).reshape(len(lines), rows.height)[table["order"].to_numpy()]
    usable = ordered[(table["withheld"].is_null() & table["kind"].is_in(MEASURED)).to_numpy()]
    uncovered = rows.filter(~(usable > 0).any(axis=0))
    allowed = [s.conditions for s, line in zip(selection.sources, lines, strict=True) if line["withheld"] is None]
    facts = {
        "name": spec.name,
        "snapshot": warehouse.snapshot.number,
        "n_rows": rows.height,
        "n_perturbations": rows["perturbation_id"].n_unique(),
        "n_groups": rows["group"].n_unique(),
        "n_genes": measured.genes.height,
        "n_data_points": rows.height + (pl.concat(allowed).unique(_DATA_POINT).height if allowed else 0),
        "compounds": selection.joined,
        "n_rows_uncovered": uncovered.height,
        "uncovered": uncovered["perturbation_id"].unique().sort().to_list(),
        "own_blocks": _own_blocks(warehouse, spec, measured),
        "n_sources_withheld": table["withheld"].is_not_null().sum(),
        "doubts": doubts(warehouse, [spec.target.dataset, *table["dataset_id"].drop_nulls()]),
    }
    return Plan(rows, table.drop("order"), local, ordered, facts)


def _own_blocks(warehouse: Warehouse, spec: FeatureSpec, measured: Measured) -> list[dict[str, Any]]:
    """Build the blocks that no source is behind, which are small: how many rows each has something to say of."""
    given = BlockInputs(warehouse, measured, [], Elsewhere(measured, []), spec.allow, report=lambda _: None)
    found = []
    for feature in spec.feature:
        if feature.kind not in MAKERS or feature.looks_elsewhere:
            continue
        (block,) = MAKERS[feature.kind](feature, given)
        n_covered = int(np.isfinite(block.values).any(axis=1).sum())
        found.append({"block": feature.block, "kind": feature.kind, "n_features": block.values.shape[1]})
        found[-1]["n_genes_covered" if feature.is_of_genes else "n_rows_covered"] = n_covered
        if block.of_genes is not None:
            found[-1]["n_genes_covered"] = int(np.isfinite(block.of_genes).any(axis=1).sum())
    return found


def _line(
    warehouse: Warehouse,
    spec: FeatureSpec,
    source: Source,
    measured: Measured,
    controls: pl.DataFrame,
    near: NearRows,
) -> tuple[dict[str, Any], npt.NDArray[np.float64]]:
    feature, conditions = source.feature, source.conditions
    matches = without_own(source, measured.rows, match_conditions(measured.rows, conditions))
    if feature.is_by_target_gene:
        matches = match_keys(measured.rows, measured.genes["gene_id"].to_list())
    line: dict[str, Any] = {
        "source": source.block,
        "kind": feature.kind,
        "dataset_id": source.dataset_id,
        "context_label": conditions["context_label"][0] if source.context_id else None,
        "effect_kind": source.effect_kind,
        "licence": conditions["licence"][0],
        **dict.fromkeys(_COUNTS, 0),
        "n_conditions": conditions.height,
        "n_cells": _sum(conditions["n_cells"]) if conditions["n_cells"].null_count() == 0 else None,
        "n_responders": _sum(conditions["is_responder"]),
        "n_contexts": conditions["context_id"].n_unique(),
        "n_perturbations": conditions["perturbation_id"].n_unique(),
        "n_rows_covered": matches["row"].n_unique(),
        **dict.fromkeys(("agreement", "agreement_sd", *AROUND)),
        "withheld": _shared_experiment(spec, source, measured) or _refused_licence(spec, conditions),
    }
    if isinstance(feature, ExternalEffects):
        matrix = read_source(warehouse, feature, source)
        if isinstance(matrix, str):
            return line | {"withheld": line["withheld"] or matrix}, np.zeros(measured.rows.height)
        line["n_genes_shared"] = len(measured.shared_genes(matrix.genes)[0])
        if line["withheld"] is None:
            try:
                check_controls(warehouse, controls, source, spec.allow)
                check_lookalikes(source, matrix, measured, spec.allow)
            except LeakageError as error:
                line["withheld"] = error.what
        if feature.is_same_perturbation:
            theirs, ours = measured.shared_genes(matrix.genes)
            found = mean_of_matches(matrix.values[:, as_run(theirs)], matches, measured.rows.height, single=True)
            agreement = near.agreement(source.block, found, ours, is_usable=line["withheld"] is None)
            line |= dict(zip(("agreement", "agreement_sd"), agreement, strict=True))
    n = np.ones(matches.height) if feature.is_by_target_gene else _cells_of(conditions, matches)
    of_row = np.bincount(matches["row"].to_numpy(), n, minlength=measured.rows.height)
    return line, of_row.astype(np.float64)


def _sum(numbers: pl.Series) -> int | None:
    """Add up what is known; None where nothing is."""
    return int(numbers.sum()) if numbers.count() else None


def _cells_of(conditions: pl.DataFrame, matches: pl.DataFrame) -> npt.NDArray[np.float64]:
    n = conditions["n_cells"].cast(pl.Float64()).fill_null(1.0).gather(matches["source_row"])
    return np.asarray(np.maximum(n.to_numpy(), 1.0))


def _shared_experiment(spec: FeatureSpec, source: Source, measured: Measured) -> str | None:
    """Say which experiment of the rows a source looks in, if any."""
    allowed = {pair.target for pair in spec.allow if pair.target == pair.source}
    shared = sorted((set(source.conditions["experiment_id"]) & set(measured.rows["experiment_id"])) - allowed)
    return f"shares experiment {', '.join(map(str, shared))}" if shared and not source.feature.leaves_own_out else None


def _refused_licence(spec: FeatureSpec, conditions: pl.DataFrame) -> str | None:
    """Say whether the spec refuses the terms of a source."""
    try:
        terms = conditions.select("dataset_id", "licence").unique()
        refuse_licences(terms.iter_rows(), spec.licence.forbid, spec.licence.allow)
    except FeatureError as error:
        return f"its licence is not allowed: {error.got}"
    return None
