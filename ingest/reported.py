"""Tables of a dataset whose values are differences from control already: signatures as the source reports them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import polars as pl

from featurestore.errors import SourceFormatError
from ingest.axis import GeneAxis
from ingest.label import Labels
from ingest.reader import DenseBlock, Reader
from ingest.responder import judge_reported
from ingest.spec import DatasetSpec
from ingest.tables import TILE_CONDITIONS, TileWriter, write_table

LANDMARK_GENES = 978
LEAST_CORRELATION = 0.001
SINGLE_DIGITS = 7
_NOTHING = ("standard_error", "z", "p_value", "q_value")


def write_reported(
    folder: Path,
    sources: Sequence[tuple[Reader, GeneAxis]],
    labels: Labels,
    effect_kind: str,
    advance: Callable[[int], None],
) -> None:
    """Write the signature table: every value as published, missing ones NULL.

    Parameters
    ----------
    folder
        The staged release.
    sources
        The files in order, each with its gene axis.
    labels
        The condition of every row of all files.
    effect_kind
        What the values are.
    advance
        Called with the number of rows done.

    Raises
    ------
    SourceFormatError
        The matrix is sparse: a value that is not stored cannot be told from zero.
    """
    done = 0
    with TileWriter(folder, "signature", sources[0][1].genes.height) as writer:
        for reader, axis in sources:
            columns = np.flatnonzero(axis.slots >= 0)
            columns = columns[np.argsort(axis.slots[columns])]
            for block in reader.blocks():
                if not isinstance(block, DenseBlock):
                    raise SourceFormatError("Reported signatures must be a dense matrix.", where=str(reader.path))
                for first in range(0, len(block.values), TILE_CONDITIONS):
                    values = block.values[first : first + TILE_CONDITIONS]
                    start = done + block.start + first
                    indices = labels.condition_of_row[start : start + len(values)]
                    effect = values[indices >= 0][:, columns].astype(np.float32)
                    fixed = {"effect_kind": effect_kind}
                    writer.write(indices[indices >= 0], {"effect": effect, **dict.fromkeys(_NOTHING)}, fixed)
                    advance(len(values))
            done += reader.n_rows


def write_reported_quality(folder: Path, rows: pl.DataFrame, labels: Labels, spec: DatasetSpec) -> None:
    """Write the quality table from the columns that the spec names under ``[quality]``.

    The activity score is the published one, else ``sqrt(SS * clip(CC, 0.001, 1)) / sqrt(978)`` where signature
    strength and replicate correlation are published.

    References
    ----------
    Subramanian et al. (2017), https://doi.org/10.1016/j.cell.2017.10.049
    """
    given = spec.quality

    def number(column: str | None) -> pl.Expr:
        if column is None:
            return pl.lit(None, pl.Float64)
        single = pl.col(column).cast(pl.Float32, strict=False)  # GCTX stores singles, GCT their decimal text
        value = single.cast(pl.Float64).round_sig_figs(SINGLE_DIGITS)
        return pl.when(value != -666).then(value)  # noqa: PLR2004

    correlation = number(given.replicate_correlation)
    strength = (number(given.signature_strength) * correlation.clip(LEAST_CORRELATION, 1.0)).sqrt()
    table = rows.select(
        condition_index=pl.lit(labels.condition_of_row),
        n_cells=number(given.n_cells).cast(pl.Int64),
        replicate_correlation=correlation,
        tas=pl.coalesce(number(given.tas), strength / LANDMARK_GENES**0.5),
    )
    write_table(folder, "quality", judge_reported(table.filter(pl.col("condition_index") >= 0)))
