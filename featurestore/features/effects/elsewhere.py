"""The measured answer, and the mean effect of the same perturbations elsewhere on the answer's own genes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import polars as pl

from featurestore.features.effects.signature import Effects, as_shares, mean_of_matches
from featurestore.features.effects.signature_matrix import SignatureMatrix, signature_matrix

if TYPE_CHECKING:
    from featurestore.features.selection import Source
    from featurestore.query.warehouse import Warehouse


@dataclass(frozen=True, slots=True)
class Measured:
    """What is to be predicted.

    Parameters
    ----------
    rows
        The target's conditions.
    genes
        Genes that any of them has, with gene_id and gene_symbol.
    effects
        float32, shape (rows, genes); NaN where a pair was not measured. Shape (rows, 0) where there is no answer yet:
        sources are then compared with nothing.
    effect_kind
        Scale of the effects.
    """

    rows: pl.DataFrame
    genes: pl.DataFrame
    effects: npt.NDArray[np.float32]
    effect_kind: str

    def shared_genes(self, genes: pl.DataFrame) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        """Return the positions of the genes in common: in the given frame, and here; none where there is no answer."""
        ours = self.genes.select("gene_id").head(self.effects.shape[1]).with_row_index("ours")
        both = genes.select("gene_id").with_row_index("theirs").join(ours, on="gene_id", how="inner").sort("ours")
        return both["theirs"].to_numpy().astype(np.intp), both["ours"].to_numpy().astype(np.intp)


class Elsewhere:
    """Mean effect of each row's perturbation over sources, on the target's genes.

    Sources whose effect is of another kind do not count, nor do conditions that act in the opposite direction: they
    are not the same perturbation. What several features find in one dataset and context counts as one source: each
    condition once, whatever the order of the features.

    Parameters
    ----------
    measured
        What is to be predicted.
    sources
        Sources of all features, of which those that are added count.
    """

    def __init__(self, measured: Measured, sources: Sequence[Source]) -> None:
        self._measured = measured
        self._total: Effects = np.zeros(measured.effects.shape)
        self._count = np.zeros(measured.effects.shape, dtype=np.uint16)
        self._n_features = Counter(s.name for s in sources if s.feature.is_same_perturbation)
        self._shared: dict[str, list[tuple[Source, pl.DataFrame]]] = {}

    def add(self, source: Source, matrix: SignatureMatrix, matches: pl.DataFrame) -> None:
        """Add what one feature found in a source; what others look in too waits for what they find."""
        if source.effect_kind != self._measured.effect_kind:
            return
        alike = matches.filter("is_alike")
        if self._n_features[source.name] > 1:
            self._shared.setdefault(source.name, []).append((source, alike))
        else:
            self._add(matrix, alike)

    def _add(self, matrix: SignatureMatrix, alike: pl.DataFrame) -> None:
        theirs, ours = self._measured.shared_genes(matrix.genes)
        values = matrix.values[:, as_run(theirs)]
        rows = alike["row"].to_numpy()
        for share in as_shares(len(self._total), len(theirs)):
            inside = alike.filter((rows >= share.start) & (rows < share.stop))
            found = mean_of_matches(values, inside.with_columns(pl.col("row") - share.start), share.stop - share.start)
            present = np.isfinite(found)
            found[~present] = 0.0
            self._total[share, as_run(ours)] += found
            self._count[share, as_run(ours)] += present

    def mean(self, warehouse: Warehouse) -> npt.NDArray[np.float32]:
        """Return the mean over the sources, shape (rows, genes); NaN where there is none."""
        for name in sorted(self._shared):
            self._add(*_together(warehouse, self._shared.pop(name)))
        mean = np.full(self._total.shape, np.nan, dtype=np.float32)
        np.divide(self._total, self._count, out=mean, where=self._count > 0, casting="same_kind")
        return mean


def _together(
    warehouse: Warehouse, found: Sequence[tuple[Source, pl.DataFrame]]
) -> tuple[SignatureMatrix, pl.DataFrame]:
    """Read the effects of all conditions that features look in, and pair rows with what any of them found.

    A feature's weights are relative to their mean; of one condition's the largest is taken. A combination is matched
    by its parts only where no feature found it whole.
    """
    source = found[0][0]
    conditions = pl.concat(s.conditions.select("condition_id") for s, _ in found).unique().sort("condition_id")
    matrix = signature_matrix(warehouse, source.dataset_id, conditions["condition_id"], source.effect_kind)
    relative = pl.col("weight") / pl.col("weight").mean().over("row", "part")
    pairs = pl.concat(
        alike.select(
            "row",
            "part",
            "n_parts",
            s.conditions["condition_id"].gather(alike["source_row"]),
            weight=relative.fill_nan(0.0),
        )
        for s, alike in found
    )
    matches = (
        pairs.filter(pl.col("n_parts") == pl.col("n_parts").min().over("row"))
        .group_by("row", "part", "condition_id")
        .agg(pl.col("weight").max())
        .join(conditions.with_row_index("source_row"), on="condition_id", how="inner")
        .sort("row", "part", "source_row")
    )
    return matrix, matches


def as_run(positions: npt.NDArray[np.intp]) -> slice | npt.NDArray[np.intp]:
    """Return positions that follow each other as a slice: what it selects is not copied."""
    if len(positions) and (np.diff(positions) == 1).all():
        return slice(int(positions[0]), int(positions[-1]) + 1)
    return positions
