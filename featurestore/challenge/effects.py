"""Predicted effects as files have them, brought to the genes of control cells."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from featurestore.errors import FeatureError, SourceFormatError, did_you_mean
from featurestore.storage.scores import EFFECT_KIND

Same = Callable[[Sequence[str]], dict[str, str]]
"""Tells the id of each name, as far as it is known."""

SUBMITTED = "delta_log1p"
"""The scale of effects that cells are made with."""


def read_effects(
    path: Path, genes: tuple[str, ...], ids: Same = lambda _: {}
) -> tuple[list[str], npt.NDArray[np.float64]]:
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
        It has none of the genes, or says that its effects are on another scale.
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
        frame = pl.read_parquet(path) if path.suffix == ".parquet" else pl.read_csv(path, infer_schema_length=None)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise SourceFormatError("The effects cannot be read.", where=str(path), got=str(error)) from None
    _check_scale(path)
    frame = _wide(frame, path)
    labels = frame[frame.columns[0]].cast(pl.String()).to_list()
    if len(set(labels)) < len(labels):
        twice = sorted({name for name in labels if labels.count(name) > 1})
        raise SourceFormatError("Perturbations are there more than once.", where=str(path), got=", ".join(twice[:5]))
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
    return labels, values


def _check_scale(path: Path) -> None:
    """Refuse what ``evaluate --predictions`` wrote of effects that are no differences of mean log1p(CP10k)."""
    said = pl.read_parquet_metadata(path).get(EFFECT_KIND, SUBMITTED) if path.suffix == ".parquet" else SUBMITTED
    if said != SUBMITTED:
        raise FeatureError(
            "The effects are on another scale than cells are made with.",
            where=str(path),
            expected=f"{SUBMITTED}: differences of mean log1p(CP10k), natural logarithm",
            got=said,
            do=f"predict a target of {SUBMITTED}: effect_kind under [target]",
        )


def _wide(frame: pl.DataFrame, path: Path) -> pl.DataFrame:
    """Give each gene a column, where a table has a row for each perturbation and gene."""
    gene = next((name for name in ("gene_id", "gene") if name in frame.columns), "")
    if set(frame.columns) != {"perturbation", gene, "effect"}:
        return frame
    known = frame.drop_nulls([gene, "perturbation"])
    if known.select("perturbation", gene).is_duplicated().any():
        raise SourceFormatError(
            "A perturbation has two effects on the same gene.",
            where=str(path),
            do="average them: group by perturbation and gene",
        )
    return known.pivot(on=gene, index="perturbation", values="effect")
