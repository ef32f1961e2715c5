"""Which source to trust for which row: how well it agrees with the target on the training rows that are most alike."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.stats import t

from featurestore.features.effects.signature import Effects
from featurestore.features.fold_agreement import fold_agreement, row_agreement

NEAREST = 20
"""Training rows that local agreement is the mean over."""
AROUND = ("local_low", "local_high", "local_chance")
"""What is told of a source: least and most local agreement, and how often chance sets rows as far apart."""
_FEWEST = 5
"""Fewer training rows say nothing of a neighbourhood."""
_SHARE = 4
"""They are at most one of so many that there are: all of them are no neighbourhood either."""
_BYTES, _BYTES_A_PAIR = 2**26, 32
"""Memory for the likeness of some rows with all, and what a pair of rows takes there: likeness, counts and order."""
_GENES = 1_000
"""Rows are compared on as many genes of a source, those that vary most there."""
_DEALS = 200
_LEVEL = 0.95
_NAMED = 3
_LOCAL = {
    "condition_id": pl.String(), "perturbation_label": pl.String(), "context_label": pl.String(),
    "source": pl.String(), "agreement": pl.Float64(), "local_agreement": pl.Float64(), "low": pl.Float64(),
    "high": pl.Float64(), "n_nearest": pl.Int64(), "nearest": pl.String(),
}  # fmt: skip

Positions = npt.NDArray[np.intp]
Truths = npt.NDArray[np.bool_]
_NOBODY: Positions = np.empty(0, np.intp)


class NearRows:
    """How alike rows are as the sources saw their perturbations, and how well each source agrees around each row.

    Alike is the mean cosine over the sources that saw both, each gene less its mean there: the target's effects have no
    part in it. Around a row are the training rows most alike it, of those that the source agrees or disagrees on; what
    is held out with a row trains nothing for it. Memory grows with the rows, by 4 kB at most for each row of a source;
    likeness is computed once, of as many rows at a time as take :data:`_BYTES`.

    Parameters
    ----------
    rows
        The target's conditions, with ``fold``; one without a label is named by its id.
    """

    def __init__(self, rows: pl.DataFrame) -> None:
        self._rows = rows.with_columns(perturbation_label=pl.coalesce("perturbation_label", "condition_id"))
        self._fold_of = rows["fold"].to_numpy()
        self._folds = np.unique(self._fold_of)
        self._seen: list[tuple[Positions, npt.NDArray[np.float32]]] = []
        self._of_source: dict[str, tuple[float, Effects]] = {}

    def agreement(
        self, source: str, found: Effects, here: Effects, own: npt.NDArray[np.bool_], *, is_usable: bool
    ) -> tuple[float | None, float | None]:
        """Return the agreement of a source over training rows, and its spread over folds; None where it has none.

        Parameters
        ----------
        source
            Its name.
        found, here
            Its effects and the target's, shape (rows, genes); NaN is missing.
        own
            Own targets, shape (rows, genes).
        is_usable
            Whether nothing withholds it: else it says nothing of which rows are alike.
        """
        has = np.flatnonzero(np.isfinite(found).any(axis=1))
        some = self._fold_of[has]
        r = row_agreement(found[has], here[has], some, self._folds)
        means = fold_agreement(r, some, self._folds)
        if not means:
            return None, None
        if is_usable:
            every = np.full((len(found), len(self._folds)), np.nan)
            every[has] = r
            self._of_source[source] = float(np.mean(means)), every
            self._seen.append((has, _directions(np.where(own[has], np.nan, found[has]))))
        return float(np.mean(means)), float(np.std(means))

    def around(self) -> tuple[dict[str, dict[str, float]], pl.DataFrame]:
        """Return what is told of each source (:data:`AROUND`), and the table of all rows that have rows around."""
        told, tables = {}, [pl.DataFrame(schema=_LOCAL)]
        known = [np.asarray(np.isfinite(r).all(axis=1)) for _, r in self._of_source.values()]
        around = zip(self._of_source.items(), known, self._nearest(known), strict=True)
        for (source, (agreement, r)), is_known, (rows, nearest) in around:
            if not len(rows):
                continue
            places = nearest, np.searchsorted(self._folds, self._fold_of[rows])[:, None]
            mean, n = r[places].mean(axis=1), nearest.shape[1]
            error = r[places].std(axis=1, ddof=1) / np.sqrt(n) * t.ppf((1 + _LEVEL) / 2, n - 1)
            apart = [r[order][places].mean(axis=1).std() for order in self._dealt(is_known)]
            chance = (1 + sum(each >= mean.std() for each in apart)) / (1 + _DEALS)
            told[source] = dict(zip(AROUND, (float(mean.min()), float(mean.max()), chance), strict=True))
            labels = self._rows["perturbation_label"].to_numpy()
            tables.append(
                self._rows[rows.tolist()].select(
                    *("condition_id", "perturbation_label", "context_label"),
                    source=pl.lit(source),
                    agreement=pl.lit(agreement),
                    local_agreement=pl.Series(mean),
                    low=pl.Series(mean - error),
                    high=pl.Series(mean + error),
                    n_nearest=pl.lit(n, pl.Int64()),
                    nearest=pl.Series([", ".join(labels[each[:_NAMED]]) for each in nearest], dtype=pl.String()),
                )
            )
        return told, pl.concat(tables)

    def _nearest(self, known: Sequence[Truths]) -> list[tuple[Positions, Positions]]:
        """Find, of the rows known of each source, the training rows most alike.

        Returns
        -------
        Of each source the rows that have enough of them, and these, shape (rows, nearest).
        """
        n_rows = len(self._fold_of)
        numbers = [min(NEAREST, int(is_known.sum()) // _SHARE) for is_known in known]
        found: list[list[tuple[Positions, Positions]]] = [[(_NOBODY, np.empty((0, n), np.intp))] for n in numbers]
        step = max(1, _BYTES // (_BYTES_A_PAIR * max(n_rows, 1)))
        for first in range(0, n_rows if max(numbers, default=0) >= _FEWEST else 0, step):
            alike = self._alike(first, min(first + step, n_rows))
            for is_known, n, parts in zip(known, numbers, found, strict=True):
                if n < _FEWEST:
                    continue
                some = np.flatnonzero(is_known)
                candidates = alike[:, some]
                order = np.argsort(-candidates, axis=1, kind="stable")[:, :n]
                has = np.isfinite(np.take_along_axis(candidates, order, axis=1)).all(axis=1)
                parts.append((first + np.flatnonzero(has), some[order[has]]))
        return [
            (np.concatenate([rows for rows, _ in parts]), np.concatenate([nearest for _, nearest in parts]))
            for parts in found
        ]

    def _alike(self, first: int, last: int) -> npt.NDArray[np.float32]:
        """Say how alike some rows are to every row that may train for them: minus infinity where nothing tells."""
        total = np.zeros((last - first, len(self._fold_of)), np.float32)
        count = np.zeros(total.shape, np.uint16)
        for rows, unit in self._seen:
            some = slice(*np.searchsorted(rows, (first, last)))
            pairs = np.ix_(rows[some] - first, rows)
            total[pairs] += unit[some] @ unit.T
            count[pairs] += 1
        alike = np.full(total.shape, -np.inf, np.float32)
        np.divide(total, count, out=alike, where=count > 0)
        alike[self._fold_of[first:last, None] == self._fold_of] = -np.inf
        return alike

    def _dealt(self, is_known: npt.NDArray[np.bool_]) -> Iterator[Positions]:
        """Deal the known rows anew, each fold within itself: what is held out stays so."""
        rng = np.random.default_rng(0)
        for _ in range(_DEALS):
            order = np.arange(len(is_known))
            for fold in self._folds:
                some = np.flatnonzero((self._fold_of == fold) & is_known)
                order[some] = rng.permutation(some)
            yield order


def _directions(values: Effects) -> npt.NDArray[np.float32]:
    """Return rows of length 1, each gene less its mean, over the genes that vary most; what is missing is the mean."""
    known = np.isfinite(values)
    values -= np.where(known, values, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    values[~known] = 0.0
    most = np.argsort(-np.square(values).sum(axis=0), kind="stable")[:_GENES]
    unit = values[:, most].astype(np.float32)
    unit /= np.maximum(np.linalg.norm(unit, axis=1), np.finfo(np.float32).tiny)[:, None]
    return unit


def local_sentences(sources: pl.DataFrame, local: pl.DataFrame) -> list[str]:
    """Say of each source near which rows it agrees least and most, how sure that is, and whether it is chance."""
    said = []
    for source, chance in sources.select("source", "local_chance").drop_nulls().iter_rows():
        around = local.filter(source=source).sort("local_agreement")
        least, most = (
            f"{row['local_agreement']:.2f} ± {row['high'] - row['local_agreement']:.2f} ({row['perturbation_label']})"
            for row in (around.row(0, named=True), around.row(-1, named=True))
        )
        apart = "no further apart than chance sets them" if chance > 1 - _LEVEL else "further apart than by chance"
        said.append(
            f"{source}: {least} to {most}, {around['n_nearest'][0]} training rows each, {apart} (p = {chance:.3f})"
        )
    return said
