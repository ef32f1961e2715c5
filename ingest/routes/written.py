"""What a route leaves behind: the small tables of a release, and what it counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from featurestore.contract import RELEASE
from ingest.conditions.axis import GeneAxis, gene_ledger
from ingest.conditions.label import Labels


@dataclass(frozen=True, slots=True)
class Written:
    """The small tables of a release, and what it counts; ``condition`` is None where it is written in parts."""

    condition: pl.DataFrame | None
    genes: pl.DataFrame
    compound: pl.DataFrame
    context: pl.DataFrame
    mapping: pl.DataFrame
    rejected: pl.DataFrame
    n_conditions: int
    n_data_points: int
    n_controls: int = 0
    n_cells: int | None = None


def written_of(
    labels: Labels, axes: Sequence[GeneAxis], left_out: Mapping[str, int], is_point: pl.Series, n_cells: int | None
) -> Written:
    """Gather the small tables of conditions on an axis of genes.

    Parameters
    ----------
    labels, axes
        The conditions, and the genes of each file.
    left_out
        Identifiers that readers found in a matrix, but not in its gene table, with how many values each had.
    is_point
        Whether a condition is a data point, where it is no control.
    n_cells
        Cells of the dataset; None where there are none.
    """
    is_control = labels.condition["is_control"]
    n_controls = int(is_control.sum())
    return Written(
        labels.condition,
        axes[0].genes,
        labels.compound,
        labels.context,
        pl.concat([gene_ledger(axes), _ledger_of(left_out), labels.mapping]),
        labels.rejected,
        labels.condition.height - n_controls,
        int((~is_control & is_point).sum()),
        n_controls,
        n_cells,
    )


def enough_cells(n_cells: pl.Series, min_cells: int) -> pl.Series:
    """Say which conditions have the cells that a data point needs; an unknown number is enough."""
    return (n_cells >= min_cells).fill_null(value=True)


def _ledger_of(left_out: Mapping[str, int]) -> pl.DataFrame:
    rows = [
        {
            "entity": "gene",
            "original": identifier,
            "status": "unmapped",
            "method": "reader",
            "candidates": [],
            "note": f"{n:,} values left out: not in the gene table",
        }
        for identifier, n in sorted(left_out.items())
    ]
    return pl.DataFrame(rows, schema=RELEASE["mapping"].schema)
