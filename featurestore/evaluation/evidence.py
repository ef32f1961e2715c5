"""What the warehouse knows of the rows beside their effects: halves of the cells, and genes that respond."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import polars as pl

from featurestore.calibration import CALIBRATION, doubts
from featurestore.features.effects.halves import Halves, read_halves
from featurestore.features.effects.significant import Calls, read_calls
from featurestore.query.sqlfiles import sql_files

if TYPE_CHECKING:
    from featurestore.features.matrix.feature_matrix import FeatureMatrix
    from featurestore.query.warehouse import Warehouse

_OF_SUMS = "delta_log1p"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What scores are held against.

    Parameters
    ----------
    halves
        Effects of halves of the cells, for the ceiling; None where the rows are no differences of sums.
    calls
        Genes that respond, of those tested, for scores of differential expression; None where nothing was tested.
    data_points
        Conditions and responders of each dataset of the warehouse.
    null
        Rows of ``calibration`` of the target dataset.
    doubts
        Why p-values and responders of the target or a source are not to be relied on, in sentences.
    """

    halves: Halves | None = None
    calls: Calls | None = None
    data_points: pl.DataFrame = field(default_factory=pl.DataFrame)
    null: pl.DataFrame = field(default_factory=pl.DataFrame)
    doubts: tuple[str, ...] = ()


def read_evidence(warehouse: Warehouse, matrix: FeatureMatrix) -> Evidence:
    """Read what the warehouse knows of the rows of a matrix, in the snapshot that the matrix was built from."""
    target = matrix.manifest["spec"]["target"]
    points = warehouse.frame(sql_files("features")["data_points"])
    doubted = tuple(doubts(warehouse, matrix.manifest["releases"]))
    if target.get("phenotype") is not None:
        return Evidence(data_points=points, doubts=doubted)
    null = warehouse.frame(CALIBRATION, {"datasets": [target["dataset"]]})
    dataset, kind = target["dataset"], target["effect_kind"]
    halves = read_halves(warehouse, dataset, matrix.rows, matrix.genes) if kind == _OF_SUMS else None
    return Evidence(halves, read_calls(warehouse, dataset, kind, matrix.rows, matrix.genes), points, null, doubted)
