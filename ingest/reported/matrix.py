"""Tables of a dataset whose values are differences from control already: signatures as the source reports them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from featurestore.contract import TILE_CONDITIONS
from ingest.conditions.axis import GeneAxis
from ingest.conditions.label import Labels
from ingest.reader import Numbers, Reader
from ingest.readers.columns import MISSING
from ingest.readers.selection import of_height, selected_blocks
from ingest.release.tables import TileWriter, write_table
from ingest.reported.significance import SignificantGenes
from ingest.signatures.reported import judge_reported
from ingest.spec import DatasetSpec

Doubles = npt.NDArray[np.float64]

LANDMARK_GENES = 978
LEAST_CORRELATION = 0.001
SINGLE_DIGITS = 7
TRUTH = {"1": True, "1.0": True, "true": True, "yes": True, "0": False, "0.0": False, "false": False, "no": False}
STATISTICS = ("effect", "standard_error", "z", "p_value", "q_value")


def write_reported(
    folder: Path,
    sources: Sequence[tuple[Reader, GeneAxis, Mapping[str, Reader]]],
    labels: Labels,
    effect_kind: str,
    advance: Callable[[int], None],
    significant: SignificantGenes | None,
) -> None:
    """Write the signature table: every value as published, missing and infinite ones NULL.

    Where p-values are published and q-values are not, these are Benjamini and Hochberg's over a row's genes.

    Parameters
    ----------
    folder
        The staged release.
    sources
        The files in order: the matrix of effects, its gene axis, and further matrices by statistic.
    labels
        The condition of every row of all files.
    effect_kind
        What the values are.
    advance
        Called with the number of rows done.
    significant
        What counts the genes that each condition changes.

    Raises
    ------
    SourceFormatError
        The matrix is sparse: a value that is not stored cannot be told from zero.
    """
    done = 0
    with TileWriter(folder, "signature", sources[0][1].genes.height) as writer:
        for reader, axis, layers in sources:
            columns = np.flatnonzero(axis.slots >= 0)
            columns = columns[np.argsort(axis.slots[columns])]
            indices = labels.rows.condition[done : done + reader.n_rows]
            rows = np.flatnonzero(indices >= 0)
            named = {"effect": reader, **layers}
            streams = [of_height(selected_blocks(r, rows, columns), TILE_CONDITIONS) for r in named.values()]
            for blocks in zip(*streams, strict=True):
                start, height = blocks[0].start, len(blocks[0].values)
                conditions = indices[rows[start : start + height]]
                values = {name: _finite(block.values) for name, block in zip(named, blocks, strict=True)}
                if "p_value" in values and "q_value" not in values:
                    values["q_value"] = _adjusted(values["p_value"])
                if significant is not None:
                    every = np.arange(axis.genes.height, dtype=np.int32)
                    significant.add(conditions[:, None], every, values["effect"], values.get("q_value"))
                writer.write(conditions, dict.fromkeys(STATISTICS) | values, {"effect_kind": effect_kind})
                advance(height)
            done += reader.n_rows


def significant_genes(labels: Labels, genes: pl.DataFrame, spec: DatasetSpec) -> SignificantGenes | None:
    """Make what counts the genes that conditions change; None where the source does not say which are significant."""
    is_called = spec.dataset.values == "de_call"
    return SignificantGenes(labels.condition, genes, is_called=is_called) if spec.reports_significance else None


def _adjusted(p_value: Doubles) -> Doubles:
    from ingest.signatures.false_discovery import benjamini_hochberg  # noqa: PLC0415, nothing else needs a compiler

    return benjamini_hochberg(p_value)


def _finite(values: Numbers) -> Doubles:
    is_finite = np.isfinite(values)
    taken = values if is_finite.all() else np.where(is_finite, values, np.nan)
    return taken.astype(np.float64, copy=False)


def write_reported_quality(
    folder: Path,
    rows: pl.DataFrame,
    labels: Labels,
    n_genes: int,
    spec: DatasetSpec,
    significant: SignificantGenes | None,
) -> None:
    """Write the quality table from the columns that the spec names under ``[quality]``, and from reported q-values.

    The activity score is the published one, else ``sqrt(SS * clip(CC, 0.001, 1)) / sqrt(978)`` where signature
    strength and replicate correlation are published.

    References
    ----------
    Subramanian et al. (2017), https://doi.org/10.1016/j.cell.2017.10.049
    """
    given = spec.quality
    correlation = _number(given.replicate_correlation)
    strength = (_number(given.signature_strength) * correlation.clip(LEAST_CORRELATION, 1.0)).sqrt()
    table = rows.select(
        condition_index=pl.lit(labels.rows.condition),
        n_cells=_number(given.n_cells).cast(pl.Int64),
        replicate_correlation=correlation,
        tas=pl.coalesce(_number(given.tas), strength / LANDMARK_GENES**0.5),
        has_passed_qc=_passed(given.passed),
    )
    table = table.filter(pl.col("condition_index") >= 0)
    if significant is not None:
        table = table.join(significant.table(), on="condition_index", how="left", maintain_order="left")
    counted = "called changed" if spec.dataset.values == "de_call" else "at q < 0.05"
    write_table(folder, "quality", judge_reported(table, n_genes, counted))


def _number(column: str | None) -> pl.Expr:
    if column is None:
        return pl.lit(None, pl.Float64)
    single = pl.col(column).cast(pl.Float32, strict=False)  # GCTX stores singles, GCT their decimal text
    value = single.cast(pl.Float64).round_sig_figs(SINGLE_DIGITS)
    return pl.when(value != MISSING).then(value)


def _passed(columns: Sequence[str]) -> pl.Expr:
    """Whether the source's own checks, 1 or 0, or true or false, were all passed; NULL where it made none."""
    if not columns:
        return pl.lit(None, pl.Boolean)
    return pl.all_horizontal(
        pl.col(name).cast(pl.String).str.to_lowercase().replace_strict(TRUTH, default=None) for name in columns
    )
