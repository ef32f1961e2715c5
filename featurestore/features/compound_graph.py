"""The view ``compound_identity`` brought to conditions: compounds that are one are matched, and held out, as one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from featurestore.features.perturbations import parts_of
from featurestore.query.compound_identity import SKELETON

if TYPE_CHECKING:
    from featurestore.query.warehouse import Warehouse

_JOINED = (
    'select compound_id, canonical_id as "is", joined_by as by from compound_identity '
    "where joined_by is not null and not starts_with(joined_by, $skeleton) order by compound_id"
)


@dataclass(frozen=True, slots=True)
class CompoundGraph:
    """What every compound of a snapshot is.

    Parameters
    ----------
    identity
        The id of what it is, of each ``compound_id`` that has another. Structures keep their own: matching and folds
        compare their skeletons, and prefer the very structure.
    joined
        A line for each of those: ``compound_id``, ``is`` and ``by``, which is what they share.
    """

    identity: dict[str, str]
    joined: pl.DataFrame

    def apply(self, conditions: pl.DataFrame) -> pl.DataFrame:
        """Give conditions the ids of what their compounds are, also within combinations."""
        if not self.identity:
            return conditions
        compound = pl.col("compound_id").replace(self.identity)
        parts = parts_of(pl.col("perturbation_id")).list.eval(pl.element().replace(self.identity)).list.sort()
        is_combination = pl.col("compound_id").is_null() & pl.col("perturbation_id").str.contains("+", literal=True)
        return conditions.with_columns(
            compound_id=compound,
            perturbation_id=pl.when(is_combination).then(parts.list.join("+")).otherwise("perturbation_id"),
        )

    def joins_of(self, frames: Iterable[pl.DataFrame]) -> list[dict[str, Any]]:
        """List what joined whom among the compounds of some conditions."""
        used = {name for frame in frames for name in frame["compound_id"].drop_nulls().unique()}
        return self.joined.filter(pl.col("is").is_in(list(used))).sort("compound_id").to_dicts()


def compound_graph(warehouse: Warehouse) -> CompoundGraph:
    """Bring the compounds of all datasets of a snapshot together."""
    joined = warehouse.frame(_JOINED, {"skeleton": SKELETON})
    return CompoundGraph(dict(joined.select("compound_id", "is").iter_rows()), joined)
