"""Neighbours: what the perturbations do that are most alike a row's, as other experiments saw both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.sparse import csr_array

from featurestore.features.blocks.block import FeatureBlock, make_block, skipped, source_facts
from featurestore.features.blocks.effects import chosen_effects, read_source
from featurestore.features.blocks.inputs import BlockInputs
from featurestore.features.effects.signature import mean_of_matches
from featurestore.features.effects.signature_matrix import SignatureMatrix
from featurestore.features.guard.lookalike import check_lookalikes
from featurestore.features.kinds.neighbours import NeighboursFeature
from featurestore.features.matching import match_conditions
from featurestore.features.perturbations import directed_key, own_targets, target_atoms
from featurestore.features.selection import Source

_NAMED = 3
"""Neighbours that a row's rule names."""
_FEWEST = 3
"""Perturbations of a source below which it tells none apart: of two each is the other's opposite about their mean."""
_NO_MATCH = {
    "row": pl.UInt32(), "source_row": pl.UInt32(), "part": pl.Int64(), "n_parts": pl.Int64(), "weight": pl.Float64(),
    "rule": pl.String(), "is_alike": pl.Boolean(),
}  # fmt: skip


def neighbours_blocks(feature: NeighboursFeature, given: BlockInputs) -> list[FeatureBlock]:
    """Give each row the mean effect of its neighbours, a block for each source.

    Raises
    ------
    LeakageError
        A source looks like the target under another name: it would hold other rows' effects.
    FeatureError
        A dataset that the spec names has no effect of the wanted kind.
    """
    read: dict[int, SignatureMatrix | str] = {}
    for at, source in enumerate(given.sources):
        given.tell(source)
        read[at] = read_source(given.warehouse, feature, source)
    known = {at: matrix for at, matrix in read.items() if not isinstance(matrix, str)}
    likeness = {at: check_lookalikes(given.sources[at], known[at], given.measured, given.allow) for at in known}
    rows = given.measured.rows
    seen = {at: _Seen.of(feature, given.sources[at], matrix, rows) for at, matrix in known.items()}
    alike, names = _pooled(list(seen.values()), rows) if seen else (pl.DataFrame(), {})
    blocks = []
    for at, source in enumerate(given.sources):
        facts, matrix = source_facts(source) | {"neighbours": feature.neighbours}, read[at]
        if isinstance(matrix, str):
            blocks.append(skipped(facts, rows.height, matrix))
            continue
        matches = _nearest(alike, names, seen[at], feature.neighbours)
        if matches.is_empty():
            blocks.append(skipped(facts, rows.height, "it has nothing that is known to be like a row's perturbation"))
            continue
        values, genes, said = chosen_effects(feature, source, matrix, given.measured)
        matched = mean_of_matches(values, matches, rows.height)
        blocks.append(
            make_block(
                facts | said, matches, values, matched, genes, components=feature.components, likeness=[likeness[at]]
            )
        )
    return blocks


@dataclass(frozen=True)
class _Seen:
    """How alike the perturbations of one source and the rows' are there.

    Parameters
    ----------
    keys, examples
        Each perturbation of the source, and a condition of each.
    group
        The perturbation of each condition.
    cosine
        Shape (rows, perturbations); NaN where the source has not the row's perturbation, or too few genes.
    """

    keys: list[str]
    examples: pl.DataFrame
    group: npt.NDArray[np.intp]
    cosine: npt.NDArray[np.float32]

    @staticmethod
    def of(feature: NeighboursFeature, source: Source, matrix: SignatureMatrix, rows: pl.DataFrame) -> _Seen:
        """Compare rows, as the source saw their perturbations, with everything in it, less its mean."""
        from featurestore.features.effects.similarity import (  # noqa: PLC0415, numba takes half a second
            encoded,
            similarities,
        )

        keyed = source.conditions.with_columns(key=directed_key())
        examples = keyed.unique("key", keep="first", maintain_order=True)
        keys = examples["key"].to_list()
        place = dict(zip(keys, range(len(keys)), strict=True))
        group = np.array([place[key] for key in keyed["key"]], np.intp)
        each = pl.DataFrame(
            {"row": group, "part": 0, "source_row": np.arange(len(group)), "weight": 1.0},
            schema_overrides={"row": pl.UInt32(), "part": pl.Int64(), "source_row": pl.UInt32()},
        )
        effects = mean_of_matches(matrix.values, each, len(keys))
        shared = _mean(effects)
        found = match_conditions(rows, source.conditions, feature.combination)
        asked = mean_of_matches(matrix.values, found, rows.height)
        asked[own_targets(rows, matrix.genes)] = np.nan
        effects[own_targets(examples, matrix.genes)] = np.nan
        cosine = similarities(encoded(asked - shared), encoded(effects - shared))
        return _Seen(keys, examples, group, cosine if len(keys) >= _FEWEST else np.full_like(cosine, np.nan))


def _mean(effects: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    known = np.isfinite(effects)
    return np.asarray(np.where(known, effects, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1))


def _pooled(seen: Sequence[_Seen], rows: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, str]]:
    """Average over the sources that saw both how alike they are; name each perturbation.

    Returns
    -------
    ``row``, ``key`` and ``alike``, above 0 and without a row's own perturbation or any that shares a target with it.
    """
    examples = pl.concat([each.examples for each in seen]).unique("key", keep="first", maintain_order=True)
    keys = examples["key"].to_list()
    total, n = np.zeros((rows.height, len(keys))), np.zeros((rows.height, len(keys)))
    place = dict(zip(keys, range(len(keys)), strict=True))
    for each in seen:
        columns = [place[key] for key in each.keys]
        total[:, columns] += np.nan_to_num(each.cosine)
        n[:, columns] += np.isfinite(each.cosine)
    alike = np.divide(total, n, out=np.zeros_like(total), where=n > 0)
    alike[_share_target(rows, examples)] = 0.0
    row, key = np.nonzero(alike > 0)
    pairs = pl.DataFrame({"row": row, "key": np.array(keys)[key], "alike": alike[row, key]})
    symbols = examples["target_symbols"].list.join("+")
    names = pl.Series(np.where(symbols.str.len_chars() > 0, symbols, examples["perturbation_label"]))
    return pairs.with_columns(pl.col("row").cast(pl.UInt32())), dict(zip(keys, names, strict=True))


def _share_target(rows: pl.DataFrame, others: pl.DataFrame) -> npt.NDArray[np.bool_]:
    atoms = [target_atoms(each) for each in (rows, others)]
    _, atom = np.unique(np.concatenate([each["atom"].to_numpy() for each in atoms]), return_inverse=True)
    size, split = int(atom.max(initial=-1)) + 1, atoms[0].height
    here, there = (
        csr_array((np.ones(each.height), (each["row"].to_numpy(), part)), shape=(frame.height, size))
        for each, part, frame in zip(atoms, (atom[:split], atom[split:]), (rows, others), strict=True)
    )
    return np.asarray((here @ there.T).toarray() > 0)


def _nearest(alike: pl.DataFrame, names: dict[str, str], seen: _Seen, n_nearest: int) -> pl.DataFrame:
    """Pair rows with the conditions of the nearest perturbations that a source has, weighted by how alike they are."""
    here = alike.filter(pl.col("key").is_in(seen.keys))
    nearest = here.sort("row", pl.col("alike"), "key", descending=[False, True, False]).group_by(
        "row", maintain_order=True
    )
    taken = nearest.head(n_nearest)
    if taken.is_empty():
        return pl.DataFrame(schema=_NO_MATCH)
    named = pl.col("key").replace_strict(names, return_dtype=pl.String())
    rule = pl.format("{} most alike: {}", pl.len().over("row"), named.head(_NAMED).str.join(", ").over("row"))
    conditions = pl.DataFrame({"key": [seen.keys[at] for at in seen.group]}).with_row_index("source_row")
    return (
        taken.with_columns(rule=rule)
        .join(conditions.with_columns(n=pl.len().over("key")), on="key", how="inner")
        .select(
            "row",
            "source_row",
            part=pl.lit(0, pl.Int64()),
            n_parts=pl.lit(1, pl.Int64()),
            weight=pl.col("alike") / pl.col("n"),
            rule="rule",
            is_alike=pl.lit(value=False),
        )
        .sort("row", "source_row")
    )
