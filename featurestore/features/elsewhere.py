"""The measured answer, and the mean effect of the same perturbations elsewhere on the answer's own genes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import polars as pl

from featurestore.features.signature import Effects, mean_of_matches

if TYPE_CHECKING:
    from featurestore.features.matrix import SignatureMatrix
    from featurestore.features.selection import Source


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
    are not the same perturbation.
    """

    def __init__(self, measured: Measured) -> None:
        self._measured = measured
        self._total: Effects = np.zeros(measured.effects.shape)
        self._count = np.zeros(measured.effects.shape, dtype=np.uint16)
        self._seen: set[str] = set()

    def add(self, source: Source, matrix: SignatureMatrix, matches: pl.DataFrame) -> None:
        """Add a source by its matches; one that several features look in counts once."""
        if source.effect_kind != self._measured.effect_kind or source.name in self._seen:
            return
        self._seen.add(source.name)
        alike = matches.filter("is_alike")
        theirs, ours = self._measured.shared_genes(matrix.genes)
        found = mean_of_matches(matrix.values[:, _run(theirs)], alike, len(self._total))
        present = np.isfinite(found)
        found[~present] = 0.0
        self._total[:, _run(ours)] += found
        self._count[:, _run(ours)] += present

    def mean(self) -> npt.NDArray[np.float32]:
        """Return the mean over the sources, shape (rows, genes); NaN where there is none."""
        mean = np.full(self._total.shape, np.nan, dtype=np.float32)
        np.divide(self._total, self._count, out=mean, where=self._count > 0, casting="same_kind")
        return mean


def _run(positions: npt.NDArray[np.intp]) -> slice | npt.NDArray[np.intp]:
    """Return positions that follow each other as a slice: what it selects is not copied."""
    if len(positions) and (np.diff(positions) == 1).all():
        return slice(int(positions[0]), int(positions[-1]) + 1)
    return positions
