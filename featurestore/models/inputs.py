"""Everything that is known of rows, for a model whose parts look at different things."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from featurestore.models.baseline import Array, Truths


@dataclass(frozen=True, slots=True)
class RowInputs:
    """What models take for X, side by side: indexed by rows like an array.

    Parameters
    ----------
    X
        Features, shape (rows, features).
    elsewhere
        Effects of the same perturbation in the sources, shape (rows, genes).
    own
        Genes that are a row's own targets, shape (rows, genes).
    """

    X: Array
    elsewhere: Array
    own: Truths

    def __len__(self) -> int:
        return len(self.X)

    def __getitem__(self, rows: npt.NDArray[np.intp]) -> RowInputs:
        return RowInputs(self.X[rows], self.elsewhere[rows], self.own[rows])

    @property
    def has_elsewhere(self) -> Truths:
        """Whether some source has an effect of the row's perturbation, shape (rows,)."""
        return np.asarray(np.isfinite(self.elsewhere).any(axis=1))

    def of(self, model: Any) -> Any:
        """Return what a model takes: all of it, or the one that its ``inputs`` names."""
        return self if model.inputs == "all" else getattr(self, model.inputs)
