"""From pairs to features: fitted on training pairs and their labels, applied to any pairs; out of fold for training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np
import numpy.typing as npt

from featurestore.features.pairs.blocks import PairBlock
from featurestore.features.pairs.calls import Calls, Positions, Values


class PairFeatures:
    """Features of pairs of perturbation and gene.

    Everything that looks at labels is learnt by :meth:`fit`; no label of a pair that is transformed is ever asked for.

    Parameters
    ----------
    blocks
        The blocks, whose columns stand side by side.
    shape
        Numbers of perturbations and genes.
    """

    def __init__(self, blocks: Sequence[PairBlock], shape: tuple[int, int]) -> None:
        self.blocks = blocks
        self.shape = shape

    def fit(self, pairs: Positions, labels: Values) -> Self:
        """Learn from training pairs.

        Parameters
        ----------
        pairs
            Positions of perturbation and gene, shape (pairs, 2).
        labels
            Their calls, shape (pairs,).
        """
        training = Calls(pairs[:, 0], pairs[:, 1], labels, self.shape).merged()
        for block in self.blocks:
            block.fit(training)
        return self

    def transform(self, pairs: Positions) -> npt.NDArray[np.float32]:
        """Describe pairs, shape (pairs, features); NaN where nothing is known."""
        columns = [column for block in self.blocks for column in block.columns(pairs[:, 0], pairs[:, 1])]
        return np.stack(columns, axis=1, dtype=np.float32, casting="same_kind")

    def hold_out(self, pairs: Positions, labels: Values, inner_fold: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """Describe the pairs of one division into training and held-out ones, shape (pairs, features).

        Held-out pairs get features learnt from all training pairs; each inner fold of the training pairs gets features
        learnt from the other inner folds, so that a model fitted on them meets labels as little as it will later.

        Parameters
        ----------
        pairs, labels
            As of :meth:`fit`; labels of held-out pairs are not looked at.
        inner_fold
            Fold of each training pair; -1 for held-out pairs.
        """
        found = np.empty((len(pairs), sum(len(block.suffixes) for block in self.blocks)), dtype=np.float32)
        is_training = inner_fold >= 0
        for fold in np.unique(inner_fold):
            asked = inner_fold == fold
            learnt = is_training & ~asked
            found[asked] = self.fit(pairs[learnt], labels[learnt]).transform(pairs[asked])
        return found
