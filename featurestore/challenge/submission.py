"""Predictions written as the challenges want them: cells, made of control cells and a predicted fold change.

A pseudobulk repeated has no variance, and a test on its cells means nothing: even the true profile gets an average
precision of 0.06. Real control cells, each multiplied gene by gene, keep the noise of cells.

Of log1p cells the fold change of a gene is solved so that their mean is the predicted one, as far as there are nonzero
cells to multiply; with the ratio of the means alone, curvature of the logarithm would spoil the level. Counts are
multiplied by the plain ratio: their sums shall scatter as those of real cells do, which the challenge of 2026 checks.
"""

from __future__ import annotations

import io
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from scipy import sparse

from featurestore.challenge.cells import COLUMN, TARGET, Cells
from featurestore.errors import FeatureError, did_you_mean, first_of
from featurestore.metrics.rows import Effects, Vector

N_GENES_2025 = 18_080
MOST_CELLS_2025 = 200_000
CELLS_EACH_2025 = 100
WATERMARK = "vcc-prep"
_LARGEST_FOLD = 5.0
"""Natural log of the largest fold change either way, 148-fold: cells stay below what cell-eval takes for log1p."""
_STEPS = 8

Report = Callable[[str], None]


def emit_cells(
    controls: Cells,
    effects: Effects,
    perturbations: Sequence[str],
    *,
    n_cells: int | Mapping[str, int] = CELLS_EACH_2025,
    as_counts: bool = False,
    seed: int = 0,
    report: Report = lambda _: None,
) -> Cells:
    """Make cells of every perturbation from control cells and predicted effects.

    Parameters
    ----------
    controls
        Cells of which those of the control label are used: counts, or log1p values.
    effects
        Predicted difference of mean log1p of counts per 10,000, natural log, shape (perturbations, genes); NaN is no
        change.
    perturbations
        Labels of the rows.
    n_cells
        Cells of each perturbation, or of each by name.
    as_counts
        Whether to make whole counts, by rounding up or down at random so that the mean is kept, instead of log1p.
    seed
        Of the choice of control cells and of the rounding.

    Returns
    -------
    The control cells that were given, then the predicted cells.

    Raises
    ------
    FeatureError
        Effects are not of the shape that their labels and the genes of the controls make, or one is of the control;
        or counts are wanted of controls that have none.
    """
    pool = controls.labels == controls.control
    first = controls.values[pool] if as_counts else controls.log1p(TARGET)[pool]
    blocks: list[sparse.csr_array] = [first]
    labels = [controls.control] * int(pool.sum())
    each = dict.fromkeys(perturbations, n_cells) if isinstance(n_cells, int) else n_cells
    for name, block in emit(controls, effects, perturbations, n_cells=each, as_counts=as_counts, seed=seed):
        blocks.append(block)
        labels += [name] * block.shape[0]
        report(f"{len(blocks) - 1:,} of {len(perturbations):,} perturbations made into cells")
    values = sparse.csr_array(sparse.vstack(blocks, format="csr"), dtype=np.float32)
    return Cells(values, np.array(labels), controls.genes, controls.control, "the predicted cells")


def emit(
    controls: Cells,
    effects: Effects,
    perturbations: Sequence[str],
    *,
    n_cells: Mapping[str, int],
    as_counts: bool,
    seed: int = 0,
) -> Iterator[tuple[str, sparse.csr_array]]:
    """Make the cells of one perturbation after the other, as :func:`emit_cells` has them all.

    Raises
    ------
    FeatureError
        The effects are of other perturbations or genes, one is of the control, or the controls are no counts.
    """
    if effects.shape != (len(perturbations), len(controls.genes)):
        raise FeatureError(
            "The effects do not fit.",
            expected=f"{len(perturbations):,} perturbations x {len(controls.genes):,} genes",
            got=" x ".join(f"{n:,}" for n in effects.shape),
        )
    if controls.control in perturbations:
        raise FeatureError(
            "An effect is of the control, whose cells are those that are given.",
            got=f"a row '{controls.control}' among the effects",
            do="leave it out, or name with --control which cells are the controls",
        )
    if as_counts and not controls.is_counts:
        raise FeatureError("Counts can only be made of counts.", where=controls.name, got="log1p values")
    pool = np.flatnonzero(controls.labels == controls.control)
    logs = controls.log1p(TARGET)[pool]
    base = logs if not as_counts else controls.values[pool].astype(np.float64)
    level = np.asarray(logs.mean(axis=0), dtype=np.float64).ravel()
    rng = np.random.default_rng(seed)
    for name, effect in zip(perturbations, effects, strict=True):
        n = n_cells[name]
        chosen = rng.choice(len(pool), n, replace=n > len(pool))
        wanted = (level + np.nan_to_num(effect)).clip(0.0)
        ratio = _ratio(level, wanted)
        folds = np.exp(ratio) if as_counts else _folds(logs[chosen], ratio, wanted)
        folds[wanted <= 0] = 0.0
        yield name, _multiplied(base[chosen], folds, rng if as_counts else None)


def _ratio(level: Vector, wanted: Vector) -> Vector:
    """Log of the fold change between two mean log1p profiles; 0 where there is nothing to multiply."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.log(np.expm1(wanted) / np.expm1(level))
    found: Vector = np.nan_to_num(ratio, nan=0.0).clip(-_LARGEST_FOLD, _LARGEST_FOLD)
    return found


def _folds(logs: sparse.csr_array, log_fold: Vector, wanted: Vector) -> Vector:
    """Solve for the fold change of every gene that brings the mean log1p of some cells to what is wanted.

    Newton's method in the log of the fold, where the mean is convex and rising; begun at the ratio of the means.
    """
    n, genes = logs.shape[0], logs.indices
    counts = np.expm1(logs.data.astype(np.float64))
    for _ in range(_STEPS):
        raised = counts * np.exp(log_fold)[genes]
        miss = np.bincount(genes, np.log1p(raised), minlength=len(wanted)) / n - wanted
        slope = np.bincount(genes, raised / (1 + raised), minlength=len(wanted)) / n
        step = np.divide(miss, slope, out=np.zeros_like(miss), where=slope > 0)
        log_fold = (log_fold - step).clip(-_LARGEST_FOLD, _LARGEST_FOLD)
    folds: Vector = np.exp(log_fold)
    return folds


def _multiplied(cells: sparse.csr_array, folds: Vector, rng: np.random.Generator | None) -> sparse.csr_array:
    """Multiply cells gene by gene: whole counts where there is a generator to round them with, else log1p values."""
    made = cells.astype(np.float64)
    if rng is None:
        made.data = np.log1p(np.expm1(made.data) * folds[made.indices])
    else:
        made.data = np.floor(made.data * folds[made.indices] + rng.random(len(made.data)))
    made.eliminate_zeros()
    return made


def write_vcc(cells: Cells, path: str | Path, *, genes: Sequence[str] | None = None, column: str = COLUMN) -> None:
    """Write a submission of 2025: a tar of ``pred.h5ad.zst`` and a watermark, log1p values, controls included.

    Parameters
    ----------
    cells
        Predicted cells and controls, log1p values.
    path
        The ``.vcc`` file.
    genes
        Genes that the challenge expects, in order; if not given, the 18,080 are only counted.
    column
        Column of obs that names the perturbations.

    Raises
    ------
    FeatureError
        There are more than 200,000 cells, the genes are not those expected, or the values are counts.

    Source: ``cell-eval prep`` of cell-eval 0.8.2.
    """
    if cells.is_counts:
        raise FeatureError("The challenge of 2025 takes log1p values.", where=cells.name, got="counts")
    if len(cells.labels) > MOST_CELLS_2025:
        raise FeatureError(
            "There are too many cells.",
            expected=f"at most {MOST_CELLS_2025:,}",
            got=f"{len(cells.labels):,}",
            do="make fewer of each perturbation, or give fewer control cells",
        )
    if genes is None and len(cells.genes) != N_GENES_2025:
        raise FeatureError(
            "The number of genes is not the challenge's.",
            expected=f"{N_GENES_2025:,}",
            got=f"{len(cells.genes):,}",
            do="name the file with the genes that are expected with --genes, or make counts with --protocol 2026",
        )
    values = cells.values if genes is None else cells.values[:, positions(cells, genes)]
    found = as_anndata(values, genes or cells.genes, {column: cells.labels})
    with tempfile.TemporaryDirectory(dir=Path(path).resolve().parent) as folder:
        plain, packed = Path(folder) / "pred.h5ad", Path(folder) / "pred.h5ad.zst"
        found.write_h5ad(plain)
        with plain.open("rb") as source, pa.CompressedOutputStream(str(packed), "zstd") as sink:
            while block := source.read(1 << 24):
                sink.write(block)
        with tarfile.open(Path(folder) / "out", "w") as tar:
            tar.add(packed, "pred.h5ad.zst")
            mark = tarfile.TarInfo("watermark.txt")
            mark.size = len(WATERMARK)
            tar.addfile(mark, io.BytesIO(WATERMARK.encode()))
        (Path(folder) / "out").replace(path)


def positions(cells: Cells, genes: Sequence[str]) -> list[int]:
    """Find the columns of genes that are expected, in their order.

    Raises
    ------
    FeatureError
        Some are not there.
    """
    position = {gene: i for i, gene in enumerate(cells.genes)}
    missing = [gene for gene in genes if gene not in position]
    if missing:
        near = did_you_mean(missing[0], cells.genes)
        raise FeatureError(
            f"{len(missing):,} of the {len(genes):,} expected genes are not among the cells' genes.",
            where=cells.name,
            expected=first_of(missing),
            got=first_of(cells.genes),
            do=f"list genes by the names that the controls have; of {missing[0]}: {near}",
        )
    return [position[gene] for gene in genes]


def as_anndata(values: sparse.csr_array, genes: Sequence[str], obs: dict[str, npt.NDArray[Any]]) -> Any:
    """Put values, genes and what is said of the cells into an AnnData."""
    from anndata import AnnData  # noqa: PLC0415, half a second

    found = AnnData(sparse.csr_matrix(values, dtype=np.float32))
    found.obs_names = [str(i) for i in range(values.shape[0])]
    found.var_names = list(genes)
    for name, labels in obs.items():
        found.obs[name] = labels
    return found
