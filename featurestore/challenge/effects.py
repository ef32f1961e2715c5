"""Predicted effects as files have them, brought to the genes of control cells."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from featurestore.challenge.cells import TARGET, Cells
from featurestore.errors import FeatureError, SourceFormatError, did_you_mean, first_of
from featurestore.storage.scores import EFFECT_KIND

Same = Callable[[Sequence[str]], dict[str, str]]
"""Tells the id of each name, as far as it is known."""

SUBMITTED = "delta_log1p"
"""The scale of effects that cells are made with."""
GENE_COLUMNS = ("gene_id", "gene")
TAKEN = f"taken for {SUBMITTED}, differences of mean log1p(CP10k), natural logarithm"
FAR_BELOW = 0.5
"""An effect that takes a gene so far below nothing is no error of a prediction of this scale. Unit: log1p."""


class Effects(NamedTuple):
    """Predicted effects: a row for each label, a column for each gene, and whether the file says their scale."""

    labels: list[str]
    values: npt.NDArray[np.float64]
    says_scale: bool


def read_effects(path: Path, genes: tuple[str, ...], ids: Same = lambda _: {}) -> Effects:
    """Read predicted effects on a gene axis; genes that the file lacks are NaN.

    Parameters
    ----------
    path
        Parquet or CSV: perturbations, then a column for each gene; or perturbation, gene and effect.
    genes
        The axis.
    ids
        Tells the id of each name, as far as it is known: where a gene has one name in the file and another on the axis.

    Raises
    ------
    SourceFormatError
        The file cannot be read, or names a perturbation twice.
    FeatureError
        It has none of the genes, says that its effects are on another scale, or holds probabilities of pairs.
    """
    if path.is_dir():
        path /= "predicted.parquet"
        if not path.is_file():
            raise SourceFormatError(
                "The report holds no predictions.",
                where=str(path),
                do="write them: evaluate SPEC -o REPORT --predictions MODEL",
            )
    try:
        frame = (
            pl.read_parquet(path, glob=False)
            if path.suffix == ".parquet"
            else pl.read_csv(path, infer_schema_length=None, glob=False)
        )
    except (pl.exceptions.PolarsError, OSError) as error:
        raise SourceFormatError("The effects cannot be read.", where=str(path), got=str(error)) from None
    if {"score", "probability"} <= set(frame.columns):
        raise FeatureError(
            "These are probabilities of pairs of perturbation and gene, which say of no gene how far it moves.",
            where=str(path),
            expected="effects, as 'evaluate --predictions' writes them where a row is a condition",
        )
    says_scale = _says_scale(frame, path)
    frame = _wide(frame, path)
    labels = frame[frame.columns[0]].cast(pl.String()).to_list()
    if twice := sorted(name for name, n in Counter(labels).items() if n > 1):
        raise SourceFormatError("Perturbations are there more than once.", where=str(path), got=first_of(twice))
    column_of = {name: name for name in frame.columns[1:]}
    lacking = [gene for gene in genes if gene not in column_of]
    extra = sorted(set(column_of).difference(genes))
    if lacking and extra:
        known, named = ids([*lacking, *extra]), Counter[str]()
        for name in extra:
            named[known.get(name, "")] += 1
        by_id = {known[name]: name for name in extra if name in known and named[known[name]] == 1}
        column_of |= {gene: by_id[known[gene]] for gene in lacking if known.get(gene) in by_id}
    shared = [gene in column_of for gene in genes]
    if not any(shared):
        raise FeatureError(
            "The effects have none of the controls' genes.",
            where=str(path),
            expected=f"columns named as the genes of the controls, such as {', '.join(genes[:3])}",
            got=did_you_mean(genes[0], frame.columns[1:]) if genes else "no genes",
        )
    values = np.full((len(labels), len(genes)), np.nan)
    names = [column_of[gene] for gene, is_shared in zip(genes, shared, strict=True) if is_shared]
    place = {name: i for i, name in enumerate(dict.fromkeys(names))}
    read = frame.select(list(place)).cast(pl.Float64()).to_numpy()
    values[:, np.flatnonzero(shared)] = read[:, [place[name] for name in names]]
    return Effects(labels, values, says_scale)


def scale_remarks(effects: Effects, controls: Cells) -> list[str]:
    """Say which scale is taken where the file says none, and of effects that no fall from the controls can be."""
    remarks = [] if effects.says_scale else [f"the file of effects says no scale: {TAKEN}."]
    of_controls = controls.log1p(TARGET)[controls.labels == controls.control]
    with np.errstate(invalid="ignore"):
        are_below = effects.values < -(np.asarray(of_controls.mean(axis=0)).ravel() + FAR_BELOW)
    if are_below.any():
        remarks.append(
            f"{are_below.sum():,} of {np.isfinite(effects.values).sum():,} effects are falls below nothing, as log2 "
            f"fold changes can be and {SUBMITTED} cannot: these genes are 0 in the cells."
        )
    return remarks


def _says_scale(frame: pl.DataFrame, path: Path) -> bool:
    """Say whether a file names its scale, in a column or as ``evaluate --predictions`` does; refuse another one."""
    metadata = pl.read_parquet_metadata(path) if path.suffix == ".parquet" else {}
    told = {metadata[EFFECT_KIND]} if EFFECT_KIND in metadata else set()
    if _is_long(frame) and EFFECT_KIND in frame.columns:
        told |= set(frame[EFFECT_KIND].drop_nulls().cast(pl.String()))
    said = ", ".join(sorted(told - {SUBMITTED}))
    if said:
        raise FeatureError(
            "The effects are on another scale than cells are made with.",
            where=str(path),
            expected=f"{SUBMITTED}: differences of mean log1p(CP10k), natural logarithm",
            got=said,
            do=f"predict a target of {SUBMITTED}: effect_kind under [target]",
        )
    return bool(told)


def _is_long(frame: pl.DataFrame) -> bool:
    """Say whether a table has a row for each perturbation and gene."""
    return set(frame.columns) - {EFFECT_KIND} in ({"perturbation", gene, "effect"} for gene in GENE_COLUMNS)


def _wide(frame: pl.DataFrame, path: Path) -> pl.DataFrame:
    """Give each gene a column, where a table has a row for each perturbation and gene."""
    if not _is_long(frame):
        return frame
    gene = next(name for name in GENE_COLUMNS if name in frame.columns)
    known = frame.drop_nulls([gene, "perturbation"])
    if known.select("perturbation", gene).is_duplicated().any():
        raise SourceFormatError(
            "A perturbation has two effects on the same gene.",
            where=str(path),
            do="average them: group by perturbation and gene",
        )
    return known.pivot(on=gene, index="perturbation", values="effect")
