"""The responder filter: is a condition's effect larger than those of conditions in which nothing happened, and why."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from featurestore.contract import FALSE_DISCOVERY_RATE
from ingest.signatures.calibration import Calibration
from ingest.signatures.false_discovery import benjamini_hochberg
from ingest.signatures.reported import complete, least_genes
from ingest.signatures.summed import Summed

MEASURED = {
    "condition_index": pl.Int32,
    "n_compared": pl.Int64,
    "n_significant": pl.Int64,
    "least_q": pl.Float64,
    "is_matched": pl.Boolean,
    "is_split": pl.Boolean,
    "same_time": pl.Boolean,
    "is_tested": pl.Boolean,
    "test": pl.String,
    "n_replicates": pl.Int64,
}


@dataclass(frozen=True, slots=True)
class Judge:
    """Decides which conditions of a dataset of cells are responders.

    A responder has the cells for it, and the smallest q of its genes, its targets left out, is smaller than those of
    pretend conditions of its size, at a false discovery rate of 5 % over the dataset's conditions; a q over
    replicates is taken as it is. Where controls are too few for pretend conditions, a responder has 10 genes at q <
    0.05, or one measured gene in a hundred where that is fewer.

    Parameters
    ----------
    min_cells
        Cells, or samples, that a data point has at least.
    cells
        The cells behind each condition, where rows are pseudobulks. Shape (conditions,).
    """

    min_cells: int
    cells: npt.NDArray[np.int64] | None = None

    def decide(self, data: Summed, measured: list[pl.DataFrame], calibration: Calibration) -> pl.DataFrame:
        """Return the release's quality table.

        Parameters
        ----------
        data
            The dataset.
        measured
            What there is to say of conditions that have a control.
        calibration
            What pretend conditions say.
        """
        treated = data.condition.filter(~pl.col("is_control"))
        if self.cells is not None:
            treated = treated.with_columns(n_cells=self.cells[treated["condition_index"].to_numpy()])
        table = treated.select("condition_index", "n_cells").join(
            pl.concat([*measured, pl.DataFrame(schema=MEASURED)], how="diagonal_relaxed"),
            on="condition_index",
            how="left",
            maintain_order="left",
        )
        table = _with_evidence(table, data.genes.height, calibration)
        is_tested = pl.col("is_tested").fill_null(value=False)
        enough = pl.col("n_cells") >= self.min_cells
        cells = pl.format(f"{{}} cells (needs {self.min_cells}); ", "n_cells")
        split = pl.when("is_split").then(pl.lit("; of the cells in batches with a control")).otherwise(pl.lit(""))
        return complete(
            table.with_columns(
                test=pl.when(is_tested).then(pl.col("test").fill_null(data.test)),
                n_significant=pl.when(is_tested).then("n_significant"),
                is_responder=pl.when(is_tested).then(enough & pl.col("is_strong")),
                reason=pl.when(is_tested)
                .then(pl.when(enough).then(pl.lit("")).otherwise(cells) + pl.col("evidence") + split)
                .otherwise(_untested()),
            )
        )


def _untested() -> pl.Expr:
    """Say why a condition is not tested, so that nothing is known of whether it responds."""
    return (
        pl.when(pl.col("is_matched").is_null())
        .then(pl.lit("no control in this context"))
        .when(~pl.col("same_time"))
        .then(pl.lit("no control of this time: not tested"))
        .when(~pl.col("is_matched"))
        .then(pl.lit("no control in its batches: not tested"))
        .otherwise(pl.lit("too few controls to know how far they stray: not tested"))
    )


def _with_evidence(table: pl.DataFrame, n_genes: int, calibration: Calibration) -> pl.DataFrame:
    """Add ``is_strong``, ``responder_q_value``, and ``evidence`` in words.

    The smallest q over replicates is itself the p of "no gene changed" (Simes); that over cells is compared.
    """
    n_cells = table["n_compared"].fill_null(1).to_numpy().astype(np.float64)
    least_q = table["least_q"].fill_null(np.nan).to_numpy()
    is_over, has_nulls = table["test"].is_not_null().to_numpy(), bool(calibration.sizes.size)
    compared = calibration.condition_p(least_q, n_cells) if has_nulls else np.full(least_q.shape, np.nan)
    p_value = np.where(is_over, least_q, compared)
    table = table.with_columns(
        responder_q_value=pl.Series(benjamini_hochberg(p_value[None, :])[0], nan_to_null=True),
        n_alike=calibration.n_alike(n_cells) if has_nulls else 0,
        size_alike=calibration.size_alike(n_cells) if has_nulls else 0,
    )
    q_value = pl.col("responder_q_value").map_elements(lambda q: f"{q:.2g}", pl.String)
    ending = f": q = {{}} over {int(np.isfinite(p_value).sum()):,} conditions"
    against = pl.format("; against {} pretend conditions of {} cells" + ending, "n_alike", "size_alike", q_value)
    over = pl.format("; over {} replicates" + ending, "n_replicates", q_value)
    least = least_genes(n_genes)
    few = f" (needs {least}: controls are too few to compare with conditions in which nothing happened)"
    evidence = pl.when(pl.Series(is_over)).then(over).otherwise(against if has_nulls else pl.lit(few))
    is_strong = (pl.col("responder_q_value") < FALSE_DISCOVERY_RATE).fill_null(value=False)
    is_counted = ~pl.Series(is_over) & (not has_nulls)
    return table.with_columns(
        is_strong=pl.when(is_counted).then(pl.col("n_significant") >= least).otherwise(is_strong),
        evidence=pl.format("{} genes at q < 0.05", "n_significant") + evidence,
    )
