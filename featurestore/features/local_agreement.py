"""Which source to trust for which row: how well it agrees with the target on the training rows that are most alike."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.stats import t

from featurestore.features.effects.elsewhere import as_run
from featurestore.features.effects.signature import Effects, as_shares
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
    answers
        Their effects, shape (rows, genes); NaN is missing, own targets too.
    own
        Own targets, shape (rows, genes).
    """

    def __init__(self, rows: pl.DataFrame, answers: npt.NDArray[np.floating], own: Truths) -> None:
        self._rows = rows.with_columns(perturbation_label=pl.coalesce("perturbation_label", "condition_id"))
        self._fold_of = rows["fold"].to_numpy()
        self._folds = np.unique(self._fold_of)
        self._answers, self._own = answers, own
        self._seen: list[tuple[Positions, npt.NDArray[np.float32]]] = []
        self._of_source: dict[str, tuple[float, Effects]] = {}

    def agreement(
        self, source: str, found: npt.NDArray[np.floating], genes: Positions, *, is_usable: bool
    ) -> tuple[float | None, float | None]:
        """Return the agreement of a source over training rows, and its spread over folds; None where it has none.

        Parameters
        ----------
        source
            Its name.
        found
            Its effects, shape (rows, genes); NaN is missing.
        genes
            Where these genes are among the target's.
        is_usable
            Whether nothing withholds it: else it says nothing of which rows are alike.
        """
        has = np.flatnonzero(np.isfinite(found).any(axis=1))
        rows, columns = as_run(has), as_run(genes)
        r = row_agreement(found[rows], self._answers[rows][:, columns], self._fold_of[rows], self._folds)
        means = fold_agreement(r, self._fold_of[rows], self._folds)
        if not means:
            return None, None
        if is_usable:
            every = np.full((len(found), len(self._folds)), np.nan)
            every[has] = r
            self._of_source[source] = float(np.mean(means)), every
            self._seen.append((has, _directions(found[rows], self._own[rows][:, columns])))
        return float(np.mean(means)), float(np.std(means))

    def around(self) -> tuple[dict[str, dict[str, float]], pl.DataFrame]:
        """Return what is told of each source (:data:`AROUND`), and the table of all rows that have rows around."""
        told, tables = {}, [pl.DataFrame(schema=_LOCAL)]
        known = [np.asarray(np.isfinite(r).all(axis=1)) for _, r in self._of_source.values()]
        around = zip(self._of_source.items(), known, self._nearest(known), strict=True)
        for (source, (agreement, r)), is_known, (rows, nearest) in around:
            if not len(rows):
                continue
            n = nearest.shape[1]
            places = nearest * len(self._folds) + np.searchsorted(self._folds, self._fold_of[rows])[:, None]
            around_row = r.ravel().take(places)
            mean = around_row.mean(axis=1)
            error = around_row.std(axis=1, ddof=1) / np.sqrt(n) * t.ppf((1 + _LEVEL) / 2, n - 1)
            apart = [r[order].ravel().take(places).mean(axis=1).std() for order in self._dealt(is_known)]
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
                rows, nearest = _largest(alike[:, as_run(some)], n)
                parts.append((first + rows, some[nearest]))
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
            down, across = as_run(rows[some] - first), as_run(rows)
            pairs = (down, across) if isinstance(down, slice) or isinstance(across, slice) else np.ix_(down, across)
            total[pairs] += unit[some] @ unit.T
            count[pairs] += 1
        alike = np.full(total.shape, -np.inf, np.float32)
        np.divide(total, count, out=alike, where=count > 0)
        alike[self._fold_of[first:last, None] == self._fold_of] = -np.inf
        return alike

    def _dealt(self, is_known: npt.NDArray[np.bool_]) -> Iterator[Positions]:
        """Deal the known rows anew, each fold within itself: what is held out stays so."""
        rng = np.random.default_rng(0)
        of_fold = [np.flatnonzero((self._fold_of == fold) & is_known) for fold in self._folds]
        for _ in range(_DEALS):
            order = np.arange(len(is_known))
            for some in of_fold:
                order[some] = rng.permutation(some)
            yield order


def _largest(numbers: npt.NDArray[np.float32], n: int) -> tuple[Positions, Positions]:
    """Find the n largest numbers of each row, largest first, of equals the first; shape (rows, n).

    Returns
    -------
    The rows that have as many finite ones, and where these are.
    """
    least = np.partition(numbers, -n, axis=1)[:, -n]
    rows = np.flatnonzero(np.isfinite(least))
    numbers = numbers[as_run(rows)]
    row, column = np.nonzero(numbers >= least[rows, None])
    order = np.lexsort((-numbers[row, column], row))
    start = np.searchsorted(row, np.arange(len(rows)))
    return rows, column[order][start[:, None] + np.arange(n)]


def _directions(values: npt.NDArray[np.floating], own: Truths) -> npt.NDArray[np.float32]:
    """Return rows of length 1, each gene less its mean, over the genes that vary most; what is missing is the mean.

    Own targets are missing. Genes are looked at a few at a time, and those that vary most once more.
    """
    varies = np.empty(values.shape[1])
    for genes in as_shares(values.shape[1], len(values)):
        varies[genes] = np.square(_centred(values[:, genes], own[:, genes])).sum(axis=0)
    most = np.argsort(-varies, kind="stable")[:_GENES]
    unit = np.empty((len(values), len(most)), np.float32)
    for some in as_shares(len(most), len(values)):
        unit[:, some] = _centred(values[:, most[some]], own[:, most[some]])
    unit /= np.maximum(np.linalg.norm(unit, axis=1), np.finfo(np.float32).tiny)[:, None]
    return unit


def _centred(values: npt.NDArray[np.floating], own: Truths) -> Effects:
    """Take each gene's mean away, and put 0 where a gene is missing or the row's own target."""
    centred: Effects = values.astype(np.float64)
    missing = own | ~np.isfinite(centred)
    centred[missing] = 0.0
    centred -= centred.sum(axis=0) / np.maximum(len(values) - missing.sum(axis=0), 1)
    centred[missing] = 0.0
    return centred


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
