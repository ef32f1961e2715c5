"""Cells of a screen: a matrix of counts or of log1p values, the perturbation of each cell, and the genes."""

from __future__ import annotations

import tarfile
import tempfile
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from scipy import sparse

from featurestore.errors import FeatureError, MissingControlError, SourceFormatError, ValuesError, did_you_mean

if TYPE_CHECKING:
    from anndata import AnnData

NON_TARGETING = "non-targeting"
COLUMN = "target_gene"
TARGET = 10_000.0
"""Counts per cell of the scale of effects: log1p of counts per 10,000."""
_WHOLE = 1e-3
"""A value this far from a whole number is no count."""
_LARGEST_LOG = 15.0
"""No log1p of scaled counts is as large as this; larger ones with fractions are of mixed scales."""


@dataclass(frozen=True)
class Cells:
    """Cells with their perturbations.

    Parameters
    ----------
    values
        Counts, or log1p of scaled counts, shape (cells, genes).
    labels
        Perturbation of each cell.
    genes
        Names of the genes, in order.
    control
        Label of the control cells.
    name
        What the cells are called in messages.
    symbols
        What the genes are called besides, in the same order, where perturbations go by that; else none.
    targets
        Target gene of a perturbation that is not called like its own, such as a guide; empty where it has none.
    """

    values: sparse.csr_array
    labels: npt.NDArray[np.str_]
    genes: tuple[str, ...]
    control: str = NON_TARGETING
    name: str = "the cells"
    symbols: tuple[str, ...] = ()
    targets: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not (self.labels == self.control).any():
            known = np.unique(self.labels).tolist()
            raise MissingControlError(
                "No control cells were found.",
                where=self.name,
                expected=f"'{self.control}' among the perturbations",
                got=did_you_mean(self.control, known),
                do="name the label of the controls with --control",
            )

    @cached_property
    def perturbations(self) -> tuple[str, ...]:
        """Perturbations other than control, sorted."""
        return tuple(np.unique(self.labels[self.labels != self.control]).tolist())

    @cached_property
    def is_counts(self) -> bool:
        """Whether every value is whole; refuses values that are neither counts nor log1p of scaled counts.

        Raises
        ------
        ValuesError
            Some are negative, not finite, or too large for log1p of scaled counts.
        """
        data = self.values.data
        if not np.isfinite(data).all() or (data < 0).any():
            raise ValuesError("Values are neither counts nor log1p: some are negative or not finite.", where=self.name)
        whole = bool((np.abs(data - np.rint(data)) <= _WHOLE).all())
        if not whole and data.max() >= _LARGEST_LOG:
            raise ValuesError(
                "Values are neither counts nor log1p of scaled counts.",
                where=self.name,
                expected=f"whole numbers, or fractions below {_LARGEST_LOG:g}",
                got=f"fractions, and values up to {data.max():.4g}",
            )
        return whole

    @property
    def groups(self) -> npt.NDArray[np.int64]:
        """Position of each cell's perturbation, shape (cells,); -1 for controls."""
        position = {name: i for i, name in enumerate(self.perturbations)} | {self.control: -1}
        return np.array([position[label] for label in self.labels.tolist()], dtype=np.int64)

    @property
    def own(self) -> npt.NDArray[np.bool_]:
        """Genes that carry the name of the perturbation's target, as one of theirs; shape (perturbations, genes)."""
        genes, symbols = np.array(self.genes), np.array(self.symbols or self.genes)
        shape = len(self.perturbations), len(genes)
        names = [self.targets.get(name, name) for name in self.perturbations]
        return np.array([(genes == name) | (symbols == name) for name in names]).reshape(shape)

    @cached_property
    def without_gene(self) -> tuple[str, ...]:
        """Perturbations whose target is called like none of the genes, and that are not said to have none."""
        known = {*self.genes, *self.symbols, ""}
        return tuple(name for name in self.perturbations if self.targets.get(name, name) not in known)

    @property
    def size(self) -> float:
        """Median total of a cell's counts."""
        totals = np.asarray(self.values.sum(axis=1), dtype=np.float64).ravel()
        return float(np.median(totals[totals > 0])) if (totals > 0).any() else 1.0

    def log1p(self, target: float) -> sparse.csr_array:
        """Log1p of counts scaled to a total; values that are log1p already are returned as they are."""
        if not self.is_counts:
            return self.values
        return log1p_of_counts(self.values, target)


def log1p_of_counts(counts: sparse.csr_array, target: float) -> sparse.csr_array:
    """Log1p of the counts of cells, each scaled to a total."""
    totals = np.asarray(counts.sum(axis=1), dtype=np.float64).ravel()
    scaled = counts.astype(np.float64)
    scaled.data *= np.repeat(target / np.where(totals > 0, totals, 1.0), np.diff(scaled.indptr))
    np.log1p(scaled.data, out=scaled.data)
    return scaled


def read_cells(
    path: str | Path, *, column: str = COLUMN, control: str = NON_TARGETING, lender: Cells | None = None
) -> Cells:
    """Read the cells of an h5ad file, or of a ``.vcc`` of the challenge of 2025.

    Parameters
    ----------
    path
        The file; its X holds counts or log1p of scaled counts.
    column
        Column of obs with the perturbation of each cell.
    control
        Label of the control cells.
    lender
        Cells on the same genes whose controls are taken where the file has none.

    Raises
    ------
    SourceFormatError
        The file cannot be read, or has no such column, or not the lender's genes.
    MissingControlError
        No cell has the label of the controls.
    """
    return as_cells(read_any(path), column=column, control=control, name=str(path), lender=lender)


def read_any(path: str | Path) -> AnnData:
    """Read the AnnData of an h5ad or ``.vcc`` file.

    Raises
    ------
    SourceFormatError
        The file cannot be read.
    """
    from anndata import OldFormatWarning, read_h5ad  # noqa: PLC0415, half a second

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", OldFormatWarning)  # as published files are
            return read_vcc(path) if tarfile.is_tarfile(path) else read_h5ad(path)
    except (OSError, KeyError) as error:
        raise SourceFormatError("The cells cannot be read.", where=str(path), got=str(error)) from None


def read_vcc(path: str | Path) -> AnnData:
    """Read the AnnData of a ``.vcc`` file.

    Raises
    ------
    FeatureError
        The archive holds no prediction.
    """
    from anndata import read_h5ad  # noqa: PLC0415, half a second

    with tempfile.TemporaryDirectory() as folder, tarfile.open(path) as tar:
        packed = tar.extractfile("pred.h5ad.zst")
        if packed is None:
            raise FeatureError("There is no prediction in the archive.", where=str(path), expected="pred.h5ad.zst")
        plain = Path(folder) / "pred.h5ad"
        with pa.CompressedInputStream(packed, "zstd") as source, plain.open("wb") as sink:
            while block := source.read(1 << 24):
                sink.write(block)
        return read_h5ad(plain)


def as_cells(
    found: AnnData,
    *,
    column: str = COLUMN,
    control: str = NON_TARGETING,
    name: str = "the AnnData",
    lender: Cells | None = None,
    targets: Mapping[str, str] | None = None,
) -> Cells:
    """Take the cells of an AnnData, and the controls of a lender where it has none.

    Raises
    ------
    SourceFormatError
        The column is not there, or the cells have neither controls nor the lender's genes.
    """
    if column not in found.obs:
        raise SourceFormatError(
            f"There is no column '{column}' in obs.",
            where=name,
            got=did_you_mean(column, found.obs.columns),
            do="name the column of perturbations with --column",
        )
    labels = found.obs[column].astype(str).to_numpy().astype(np.str_)
    values, genes = sparse.csr_array(found.X), tuple(map(str, found.var_names))
    if lender is not None and not (labels == control).any():
        if genes != lender.genes:
            raise SourceFormatError(
                "The cells have no controls, and not the genes of those whose controls they could be given.",
                where=name,
                expected=f"the {len(lender.genes):,} genes of {lender.name}, in the same order",
                got=f"{len(genes):,} genes",
            )
        lent = lender.labels == lender.control
        values = sparse.csr_array(sparse.vstack([lender.values[lent], values], format="csr"))
        labels = np.concatenate([np.full(int(lent.sum()), control), labels])
    mapped = targets or {}
    names = {mapped.get(label, label) for label in labels.tolist()}
    return Cells(values, labels, genes, control, name, _symbols(found, names), mapped)


def _symbols(found: AnnData, labels: set[str]) -> tuple[str, ...]:
    """Find the column of var by which most perturbations are called; none where the index names as many."""
    columns = [found.var_names, *(found.var[name] for name in found.var if found.var[name].dtype.kind == "O")]
    called = [tuple(map(str, names)) for names in columns]
    best = max(called, key=lambda names: len(labels.intersection(names)))  # the first of equals
    return () if best is called[0] else best
