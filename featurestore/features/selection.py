"""Which conditions a feature spec means: the rows to predict, and the external sources to predict them from."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from featurestore.errors import FeatureError, QueryError, UnknownDatasetError
from featurestore.features.compound_graph import compound_graph
from featurestore.features.kinds import Feature, external
from featurestore.features.kinds.kind import External
from featurestore.features.sections import Target
from featurestore.features.spec import FeatureSpec
from featurestore.query.sqlfiles import sql_files
from featurestore.spec_faults import spec_error

if TYPE_CHECKING:
    from featurestore.query.warehouse import Warehouse

_VIEWS = "condition, quality, dataset and context"
_COLUMNS = (
    "dataset_id condition_id perturbation_id perturbation_label perturbation_kind target_gene_ids target_symbols "
    "compound_id context_id context_label dose_um time_h cluster n_cells is_responder experiment_id release_id licence"
)


@dataclass(frozen=True, slots=True)
class Source:
    """The conditions of one dataset in one context that a feature looks in; phenotypes, in all contexts at once.

    Parameters
    ----------
    feature
        The feature of the spec.
    dataset_id, context_id, effect_kind
        Where, and which effect.
    conditions
        The conditions, with the columns of the target's rows.
    """

    feature: External
    dataset_id: str
    context_id: str | None
    effect_kind: str
    conditions: pl.DataFrame

    @property
    def name(self) -> str:
        """Dataset and context."""
        return self.dataset_id if self.context_id is None else f"{self.dataset_id}/{self.context_id}"

    @property
    def block(self) -> str:
        """First part of this source's column names."""
        return f"{self.feature.block}/{self.name}"


@dataclass(frozen=True, slots=True)
class Selection:
    """The target's conditions, in order of condition_id, and the sources, in order of the spec and their names.

    ``compound_id`` is what a compound is over all datasets; ``joined`` says which of them had another id, and why.
    """

    target: pl.DataFrame
    sources: list[Source]
    joined: list[dict[str, Any]]


def select(warehouse: Warehouse, spec: FeatureSpec) -> Selection:
    """Find the conditions that a spec means.

    Raises
    ------
    SpecError
        Datasets are unknown, SQL conditions are refused, or two features make one block; every fault is listed.
    FeatureError
        No condition is left to predict, or to predict from.
    """
    _check_datasets(warehouse, spec.feature, spec.name, spec.target)
    faults: list[str] = []
    target = _attempt(warehouse, [spec.target.dataset], spec.target.where, "target", faults)
    found = _external(warehouse, spec.feature, faults)
    if faults:
        raise spec_error(faults, _origin(warehouse, spec.name))
    if target.is_empty():
        raise _nothing_to_predict(warehouse, spec.target)
    graph = compound_graph(warehouse)
    target, found = graph.apply(target), {i: graph.apply(frame) for i, frame in found.items()}
    sources = _checked(warehouse, spec.feature, found, spec.target.effect_kind, spec.name)
    return Selection(target, sources, graph.joins_of([target, *found.values()]))


def select_sources(warehouse: Warehouse, features: Sequence[Feature], effect_kind: str, name: str) -> list[Source]:
    """Find the sources of features that predict nothing in particular, whose effect is ``effect_kind`` by default.

    Raises
    ------
    SpecError, FeatureError
        As :func:`select`.
    """
    _check_datasets(warehouse, features, name)
    faults: list[str] = []
    found = _external(warehouse, features, faults)
    if faults:
        raise spec_error(faults, _origin(warehouse, name))
    graph = compound_graph(warehouse)
    found = {i: graph.apply(frame) for i, frame in found.items()}
    return _checked(warehouse, features, found, effect_kind, name)


def _external(warehouse: Warehouse, features: Sequence[Feature], faults: list[str]) -> dict[int, pl.DataFrame]:
    return {
        i: _attempt(warehouse, feature.datasets, _where(feature), f"feature {i}", faults)
        for i, feature in external(features).items()
    }


def _checked(
    warehouse: Warehouse, features: Sequence[Feature], found: dict[int, pl.DataFrame], effect_kind: str, name: str
) -> list[Source]:
    looking = external(features)
    for i, feature in looking.items():
        if found[i].is_empty():
            raise FeatureError(f"Feature '{feature.block}' selects no condition.", where=f"where = {_where(feature)!r}")
    sources = [source for i, feature in looking.items() for source in _sources(feature, found[i], effect_kind)]
    blocks = [source.block for source in sources]
    blocks += [feature.block for i, feature in enumerate(features, start=1) if i not in looking]
    repeated = sorted({block for block in blocks if blocks.count(block) > 1})
    if repeated:
        faults = [f"several features look in {block}: give each a 'name'" for block in repeated]
        raise spec_error(faults, _origin(warehouse, name))
    return sources


def _check_datasets(warehouse: Warehouse, features: Sequence[Feature], name: str, target: Target | None = None) -> None:
    """Refuse datasets that the snapshot does not have, each once, with the places that name it."""
    named: dict[str, list[str]] = {} if target is None else {target.dataset: ["target"]}
    for i, feature in external(features).items():
        for dataset_id in feature.datasets or []:
            named.setdefault(dataset_id, []).append(f"feature {i}")
    faults, absent = [], []
    for dataset_id, places in named.items():
        try:
            warehouse.snapshot.release_of(dataset_id)
        except UnknownDatasetError as error:
            hint = f"; {error.do}" if warehouse.snapshot.datasets else ""
            faults.append(f"{', '.join(places)}: no dataset '{dataset_id}'{hint}")
            absent.append(dataset_id)
    if faults:
        do = f"correct the names, or ingest these first: featurestore ingest {shlex.join(absent)}"
        raise spec_error(faults, _origin(warehouse, name), do)


def _attempt(
    warehouse: Warehouse, datasets: list[str] | None, where: str | None, place: str, faults: list[str]
) -> pl.DataFrame:
    try:
        return _conditions(warehouse, datasets, where)
    except QueryError as error:
        said = " ".join(error.what.split()).rstrip(".")
        faults.append(f"{place}, where: {said}; text goes in single quotation marks, columns are those of {_VIEWS}")
        return pl.DataFrame()


def _conditions(warehouse: Warehouse, datasets: list[str] | None, where: str | None) -> pl.DataFrame:
    """Select conditions; the user's SQL runs inside one SELECT over views, which the warehouse confines."""
    selectable = sql_files("features")["selectable"]
    columns = ", ".join(_COLUMNS.split())
    query = f"select {columns} from (\n{selectable}\n) where (\n{where or 'true'}\n) order by dataset_id, condition_id"  # noqa: S608
    frame = warehouse.frame(query)
    return frame if datasets is None else frame.filter(pl.col("dataset_id").is_in(datasets))


def _where(feature: External) -> str | None:
    if not feature.responders_only:
        return feature.where
    return "is_responder" if feature.where is None else f"(\n{feature.where}\n) and is_responder"


def _sources(feature: External, conditions: pl.DataFrame, target_kind: str) -> Iterator[Source]:
    kind = feature.effect_of(target_kind)
    by_context = ["context_id"] if feature.is_by_context else []
    for part in conditions.partition_by("dataset_id", *by_context, maintain_order=True):
        context_id = part["context_id"][0] if by_context else None
        yield Source(feature, part["dataset_id"][0], context_id, kind, part)


def _nothing_to_predict(warehouse: Warehouse, target: Target) -> FeatureError:
    everything = _conditions(warehouse, [target.dataset], None)
    contexts = ", ".join(map(repr, everything["context_label"].unique().sort()))
    return FeatureError(
        f"No condition of '{target.dataset}' is left to predict.",
        where=f"target, where = {target.where!r}",
        got=f"{everything.height} conditions before the filter, in contexts {contexts or 'none'}",
    )


def _origin(warehouse: Warehouse, name: str) -> str:
    return f"'{name}', at snapshot {warehouse.snapshot.number} of {warehouse.path}"
