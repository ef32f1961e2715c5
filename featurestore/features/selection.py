"""Which conditions a feature spec means: the rows to predict, and the external sources to predict them from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from featurestore.errors import FeatureError, QueryError, UnknownDatasetError
from featurestore.features.spec import FeatureSpec, SignatureFeature, Target, spec_error
from featurestore.sqlfiles import sql_files

if TYPE_CHECKING:
    from featurestore.warehouse import Warehouse

_COLUMNS = (
    "dataset_id condition_id perturbation_id perturbation_label perturbation_kind target_gene_ids target_symbols "
    "compound_id context_id context_label dose_um time_h cluster n_cells experiment_id release_id licence"
)


@dataclass(frozen=True, slots=True)
class Source:
    """The conditions of one dataset in one context that a feature looks in.

    Parameters
    ----------
    feature
        The feature of the spec.
    dataset_id, context_id, effect_kind
        Where, and which effect.
    conditions
        The conditions, with the columns of the target's rows.
    """

    feature: SignatureFeature
    dataset_id: str
    context_id: str
    effect_kind: str
    conditions: pl.DataFrame

    @property
    def name(self) -> str:
        """Dataset and context."""
        return f"{self.dataset_id}/{self.context_id}"

    @property
    def block(self) -> str:
        """First part of this source's column names."""
        return f"{self.feature.block}/{self.name}"


@dataclass(frozen=True, slots=True)
class Selection:
    """The target's conditions, in order of condition_id, and the sources, in order of the spec and their names."""

    target: pl.DataFrame
    sources: list[Source]


def select(warehouse: Warehouse, spec: FeatureSpec) -> Selection:
    """Find the conditions that a spec means.

    Raises
    ------
    SpecError
        Datasets are unknown, SQL conditions are refused, or two features make one block; every fault is listed.
    FeatureError
        No condition is left to predict, or to predict from.
    """
    faults = [*_unknown_datasets(warehouse, spec)]
    if faults:
        raise spec_error(faults, _origin(warehouse, spec))
    target = _attempt(warehouse, [spec.target.dataset], spec.target.where, "target", faults)
    found = [
        _attempt(warehouse, feature.datasets, feature.where, f"feature {i}", faults)
        for i, feature in enumerate(spec.feature, start=1)
    ]
    if faults:
        raise spec_error(faults, _origin(warehouse, spec))
    if target.is_empty():
        raise _nothing_to_predict(warehouse, spec.target)
    for feature, conditions in zip(spec.feature, found, strict=True):
        if conditions.is_empty():
            raise FeatureError(f"Feature '{feature.block}' selects no condition.", where=f"where = {feature.where!r}")
    sources = [
        source
        for feature, conditions in zip(spec.feature, found, strict=True)
        for source in _sources(feature, conditions, feature.effect_kind or spec.target.effect_kind)
    ]
    blocks = [source.block for source in sources]
    repeated = sorted({block for block in blocks if blocks.count(block) > 1})
    if repeated:
        faults = [f"several features look in {block}: give each a 'name'" for block in repeated]
        raise spec_error(faults, _origin(warehouse, spec))
    return Selection(target, sources)


def _unknown_datasets(warehouse: Warehouse, spec: FeatureSpec) -> Iterator[str]:
    named = [("target", spec.target.dataset)]
    for i, feature in enumerate(spec.feature, start=1):
        named += [(f"feature {i}", name) for name in [*(feature.datasets or []), *feature.distinct]]
    for place, dataset_id in named:
        try:
            warehouse.snapshot.release_of(dataset_id)
        except UnknownDatasetError as error:
            yield f"{place}: no dataset '{dataset_id}'; {error.do}"


def _attempt(
    warehouse: Warehouse, datasets: list[str] | None, where: str | None, place: str, faults: list[str]
) -> pl.DataFrame:
    try:
        return _conditions(warehouse, datasets, where)
    except QueryError as error:
        faults.append(f"{place}, where: {' '.join(error.what.split())}")
        return pl.DataFrame()


def _conditions(warehouse: Warehouse, datasets: list[str] | None, where: str | None) -> pl.DataFrame:
    """Select conditions; the user's SQL runs inside one SELECT over views, which the warehouse confines."""
    selectable = sql_files("features")["selectable"]
    columns = ", ".join(_COLUMNS.split())
    query = f"select {columns} from (\n{selectable}\n) where (\n{where or 'true'}\n) order by dataset_id, condition_id"  # noqa: S608
    frame = warehouse.frame(query)
    return frame if datasets is None else frame.filter(pl.col("dataset_id").is_in(datasets))


def _sources(feature: SignatureFeature, conditions: pl.DataFrame, effect_kind: str) -> Iterator[Source]:
    for part in conditions.partition_by("dataset_id", "context_id", maintain_order=True):
        dataset_id, context_id = part.select("dataset_id", "context_id").row(0)
        yield Source(feature, dataset_id, context_id, effect_kind, part)


def _nothing_to_predict(warehouse: Warehouse, target: Target) -> FeatureError:
    everything = _conditions(warehouse, [target.dataset], None)
    contexts = ", ".join(map(repr, everything["context_label"].unique().sort()))
    return FeatureError(
        f"No condition of '{target.dataset}' is left to predict.",
        where=f"target, where = {target.where!r}",
        got=f"{everything.height} conditions before the filter, in contexts {contexts or 'none'}",
    )


def _origin(warehouse: Warehouse, spec: FeatureSpec) -> str:
    return f"'{spec.name}', at snapshot {warehouse.snapshot.number} of {warehouse.path}"
