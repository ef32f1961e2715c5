"""The feature matrix: rows to predict, features from other experiments, the measured answer, and the lineage of all."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt
import polars as pl

from featurestore.counts import count_of
from featurestore.errors import FeatureError
from featurestore.features.kinds import MEASURED
from featurestore.features.matrix.licence import refuse_licences
from featurestore.features.matrix.written import incomplete, read_whole, written
from featurestore.scarcity import heed_scarcity

if TYPE_CHECKING:
    from anndata import AnnData

Matrix = npt.NDArray[np.float32]

_FRAMES = ("rows", "columns", "genes")
_KEY = "condition_id"
_OF_GENES = "of_genes"


@dataclass(frozen=True, slots=True)
class FeatureMatrix:
    """Features of other experiments beside the measured effect of each condition.

    Parameters
    ----------
    X
        Features, float32, shape (rows, features); NaN where no source covers the row. Imputing is the model's business.
    mask
        Whether a feature is observed, shape (rows, features).
    Y
        Measured effects, float32, shape (rows, genes); NaN where a gene was not measured.
    elsewhere
        Mean effect of the same perturbation over the external sources, float32, shape (rows, genes). It holds no value
        of the target's experiment, so a model may use it. Sources that act in the opposite direction, or whose effect
        is of another kind, are left out.
    rows
        One row per row of X: the condition, its ``group`` and ``fold``, and for each source how many of its conditions
        were averaged (``n_conditions/<source>``) and by which rule (``rule/<source>``).
    columns
        One row per feature: name, block, kind, dataset_id, release_id, context_id, effect_kind, gene_id or component,
        explained_variance, licence.
    genes
        gene_id and gene_symbol of the columns of Y and elsewhere.
    manifest
        Spec, snapshot, releases, recipe hash, verdict of the guard, licences, versions, counts.
    of_genes
        What features with ``of = "both"`` say of the measured genes: gene_id in the order of ``genes``, then a column
        for each such feature, of the name that it has in ``columns``. No columns where there is none.
    """

    X: Matrix
    mask: npt.NDArray[np.bool_]
    Y: Matrix
    elsewhere: Matrix
    rows: pl.DataFrame
    columns: pl.DataFrame
    genes: pl.DataFrame
    manifest: dict[str, Any]
    of_genes: pl.DataFrame = field(default_factory=pl.DataFrame)

    def __repr__(self) -> str:
        named = f"{self.manifest.get('name', '')}, snapshot {self.manifest.get('snapshot')}"
        rows, features, genes = *self.X.shape, self.Y.shape[1]
        shape = f"{count_of(rows, 'row')} x {count_of(features, 'feature')} -> {count_of(genes, 'gene')}"
        return f"FeatureMatrix {named}: {shape}"

    def _repr_html_(self) -> str:
        covered = self.coverage.group_by("block", maintain_order=True).agg(
            rows_covered=pl.col("is_covered").sum(), share_observed=pl.col("share_observed").mean()
        )
        sources = self.columns.group_by("block", maintain_order=True).agg(
            pl.first("kind", "effect_kind"), features=pl.len(), variance=pl.col("explained_variance").sum()
        )
        return f"<p>{escape(repr(self))}</p>{sources.join(covered, on='block', maintain_order='left')._repr_html_()}"

    @property
    def coverage(self) -> pl.DataFrame:
        """What each block says about each row: one row per row of X and block, of blocks with features.

        ``is_covered``, ``share_observed`` (of the block's features), ``n_conditions`` that were averaged or added up,
        and the ``rule`` that they met.
        """
        blocks = self.columns["block"].to_numpy()
        parts = []
        for block in self.columns["block"].unique(maintain_order=True):
            share = self.mask[:, blocks == block].mean(axis=1)
            parts.append(
                self.rows.select(
                    _KEY,
                    block=pl.lit(block),
                    is_covered=pl.Series(share > 0),
                    share_observed=pl.Series(share),
                    n_conditions=pl.col(f"n_conditions/{block}"),
                    rule=pl.col(f"rule/{block}"),
                )
            )
        return pl.concat(parts)

    @property
    def groups(self) -> npt.NDArray[np.object_]:
        """What must stay together of each row, shape (rows,): ``groups`` of scikit-learn's splitters and searches."""
        return self.rows["group"].to_numpy().astype(object)

    @property
    def covered(self) -> npt.NDArray[np.bool_]:
        """Whether any source did the row's own perturbation, shape (rows,): an embedding or a context covers no row."""
        measured = self.columns["kind"].is_in(MEASURED).to_numpy()
        return np.asarray(self.mask[:, measured].any(axis=1))

    def to_numpy(self) -> tuple[Matrix, Matrix]:
        """Return X and Y."""
        return self.X, self.Y

    def to_polars(self) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Return X and Y with named columns, ``condition_id`` first; missing is NULL."""
        parts = self._parts()
        return self._wide(self.X, parts["X"]), self._wide(self.Y, parts["Y"])

    def to_torch(self) -> tuple[Any, Any, Any]:
        """Return X, mask and Y as tensors that share the memory of the arrays.

        Raises
        ------
        FeatureError
            PyTorch is not installed.
        """
        try:
            import torch  # type: ignore[import-not-found,unused-ignore] # noqa: PLC0415
        except ImportError:
            raise FeatureError("PyTorch is not installed.", do="pip install torch") from None
        return torch.from_numpy(self.X), torch.from_numpy(self.mask), torch.from_numpy(self.Y)

    def to_anndata(self) -> AnnData:
        """Return an AnnData of rows and features, with Y, elsewhere and their genes in ``obsm`` and ``uns``."""
        from anndata import AnnData  # noqa: PLC0415

        obs, var, genes = (_indexed(frame) for frame in (self.rows, self.columns, self.genes))
        answers = {name: pl.from_numpy(getattr(self, name), schema=list(genes.index)) for name in ("Y", "elsewhere")}
        return AnnData(
            X=self.X,
            obs=obs,
            var=var,
            layers={"mask": self.mask},
            obsm={name: frame.to_pandas().set_index(obs.index) for name, frame in answers.items()},
            uns={"genes": genes, "manifest": json.dumps(self.manifest)},
        )

    def write(self, folder: str | Path, *, forbid: Sequence[str] = ()) -> None:
        """Write X, mask, Y, elsewhere, rows, columns, genes and coverage as Parquet, and the manifest as JSON.

        ``of_genes`` is written where there is any.

        The same spec and snapshot give the same bytes. The manifest is written last: without it there is no matrix. A
        matrix that is there already is written over, files of others never.

        Parameters
        ----------
        folder
            Where to.
        forbid
            Licences that must not leave the warehouse, or ``non-commercial`` for all that exclude commercial use.

        Raises
        ------
        FeatureError
            A source's licence is forbidden or unknown, or the folder cannot be written to or has files of others.
        """
        refuse_licences(self.manifest["licences"].items(), forbid)
        more = [_OF_GENES] if self.of_genes.width else []
        frames, said = (*_FRAMES, "coverage", *more), dict.fromkeys(more, True)
        with written(Path(folder), [*self._parts(), *frames], self.manifest | said) as path:
            for name, columns in self._parts().items():
                self._wide(getattr(self, name), columns).write_parquet(path / f"{name}.parquet")
            for name in frames:
                getattr(self, name).write_parquet(path / f"{name}.parquet")

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
            rows, columns, genes = (pl.read_parquet(path / f"{name}.parquet", glob=False) for name in _FRAMES)
            has_more = manifest.pop(_OF_GENES, False)
            of_genes = pl.read_parquet(path / f"{_OF_GENES}.parquet", glob=False) if has_more else pl.DataFrame()
            matrices = {name: _narrow(path / f"{name}.parquet") for name in ("X", "mask", "Y", "elsewhere")}
        except (OSError, pl.exceptions.PolarsError) as error:
            heed_scarcity(error)
            raise incomplete(path, str(error)) from None
        return cls(**matrices, rows=rows, columns=columns, genes=genes, manifest=manifest, of_genes=of_genes)

    def _parts(self) -> dict[str, list[str]]:
        features, genes = self.columns["name"].to_list(), self.genes["gene_id"].to_list()
        return {"X": features, "mask": features, "Y": genes, "elsewhere": genes}

    def _wide(self, values: npt.NDArray[Any], names: list[str]) -> pl.DataFrame:
        """Name the columns of a matrix, put the condition before them, and turn NaN into NULL."""
        frame = pl.from_numpy(np.ascontiguousarray(values), schema=names, orient="row")
        if values.dtype != np.bool_:
            frame = frame.fill_nan(None)
        return frame.insert_column(0, self.rows[_KEY])


def _narrow(path: Path) -> npt.NDArray[Any]:
    frame = pl.read_parquet(path, glob=False).drop(_KEY)
    values = frame.to_numpy(order="c") if frame.width else np.empty((frame.height, 0), dtype=np.float32)
    return np.ascontiguousarray(values)


def _indexed(frame: pl.DataFrame) -> Any:
    """Turn a frame into a pandas frame that an h5ad file can hold, with its first column as index too.

    Lists become text, text and truths become categories where they may be missing, and no column name has a slash.
    """
    lists = [name for name, dtype in frame.schema.items() if dtype == pl.List(pl.String())]
    plain = frame.with_columns(pl.col(lists).list.join("+"))
    gaps = [series.name for series in plain if series.dtype in {pl.String(), pl.Boolean()} and series.null_count()]
    plain = plain.with_columns(pl.col(gaps).cast(pl.String).cast(pl.Categorical))
    plain = plain.rename(lambda name: name.replace("/", "."))
    return plain.to_pandas().set_index(frame.columns[0], drop=False).rename_axis(None)
