"""The matrix of pairs: features of condition and gene for every part that is held out, the answer, and the lineage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import polars as pl

from featurestore.features.matrix.feature_matrix import FeatureMatrix
from featurestore.features.matrix.licence import refuse_licences
from featurestore.features.matrix.written import incomplete, read_manifest, read_whole, written
from featurestore.scarcity import heed_scarcity

_KEY = ("held_out", "condition_id", "gene_id", "inner_fold")


@dataclass(frozen=True, slots=True)
class PairMatrix:
    """Features of pairs of condition and gene beside their answer.

    Parameters
    ----------
    X
        Features, float32, shape (divisions, pairs, features); NaN where nothing is known. Those that look at labels
        are learnt, for each division, from its training pairs alone, and for training pairs from other inner folds.
    y
        Whether each pair is positive (changed, or up), shape (pairs,).
    held_out
        Name of each division: what is held out in it.
    inner_fold
        Fold of each training pair in each division, shape (divisions, pairs); -1 for the held-out ones.
    rows
        One row per pair: condition, perturbation, group, split, gene.
    columns
        One row per feature: name, block, kind, is_fitted, dataset_ids, effect_kind, licences.
    manifest
        Spec, snapshot, releases, recipe hash, verdict of the guard, licences, versions, counts.
    """

    X: npt.NDArray[np.float32]
    y: npt.NDArray[np.bool_]
    held_out: list[str]
    inner_fold: npt.NDArray[np.int64]
    rows: pl.DataFrame
    columns: pl.DataFrame
    manifest: dict[str, Any]

    def __repr__(self) -> str:
        parts, pairs, features = self.X.shape
        named = f"{self.manifest.get('name', '')}, snapshot {self.manifest.get('snapshot')}"
        return f"PairMatrix {named}: {pairs:,} pairs x {features:,} features, {parts:,} parts held out"

    def write(self, folder: str | Path, *, forbid: Sequence[str] = ()) -> None:
        """Write X, rows (with the answer) and columns as Parquet, and the manifest as JSON, into a folder.

        X is as of :meth:`to_polars`. The manifest is written last: without it there is no matrix.

        Parameters
        ----------
        folder, forbid
            As of :meth:`FeatureMatrix.write`.

        Raises
        ------
        FeatureError
            A source's licence is forbidden or unknown, or the folder cannot be written to or has files of others.
        """
        refuse_licences(self.manifest["licences"].items(), forbid)
        with written(Path(folder), ["X", "rows", "columns"], self.manifest) as path:
            self.to_polars().write_parquet(path / "X.parquet")
            self.rows.write_parquet(path / "rows.parquet")
            self.columns.write_parquet(path / "columns.parquet")

    @classmethod
    def read(cls, folder: str | Path) -> Self:
        """Read a matrix that :meth:`write` wrote.

        Raises
        ------
        FeatureError
            The folder does not hold one, or holds a part of one.
        """
        path = Path(folder)
        try:
            manifest = read_whole(path)
            long, rows, columns = (
                pl.read_parquet(path / f"{name}.parquet", glob=False) for name in ("X", "rows", "columns")
            )
        except (OSError, pl.exceptions.PolarsError) as error:
            heed_scarcity(error)
            raise incomplete(path, str(error)) from None
        held_out = long["held_out"].unique(maintain_order=True).to_list()
        values = long.drop(_KEY).to_numpy(order="c").reshape(len(held_out), rows.height, columns.height)
        inner = long["inner_fold"].to_numpy().reshape(len(held_out), rows.height)
        return cls(values, rows["is_positive"].to_numpy(), held_out, inner, rows, columns, manifest)

    def to_polars(self) -> pl.DataFrame:
        """Return X with named columns, one row per division and pair, which come first; missing is NULL."""
        parts = [
            pl.from_numpy(self.X[i], schema=self.columns["name"].to_list(), orient="row")
            .fill_nan(None)
            .select(
                pl.lit(name).alias("held_out"),
                self.rows["condition_id"],
                self.rows["gene_id"],
                pl.Series("inner_fold", self.inner_fold[i]),
                pl.all(),
            )
            for i, name in enumerate(self.held_out)
        ]
        return pl.concat(parts)


def read_matrix(folder: str | Path) -> FeatureMatrix | PairMatrix:
    """Read a written matrix of either unit.

    Raises
    ------
    FeatureError
        The folder does not hold one, or holds a part of one.
    """
    try:
        unit = read_manifest(Path(folder))["spec"]["target"]["unit"]
    except (KeyError, TypeError):
        unit = "condition"
    return PairMatrix.read(folder) if unit == "pair" else FeatureMatrix.read(folder)
