"""One block for many sources: the average effect of a perturbation elsewhere, the row's own experiment left out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import polars as pl

from featurestore.features.blocks.block import ORIGIN, FeatureBlock, make_block, skipped, source_facts
from featurestore.features.blocks.effects import chosen_effects, read_source
from featurestore.features.blocks.inputs import BlockInputs
from featurestore.features.effects.signature import Effects, mean_of_matches
from featurestore.features.guard.leaks import without_own
from featurestore.features.guard.lookalike import check_lookalikes
from featurestore.features.kinds.signature import SignatureFeature
from featurestore.features.matching import check_one_direction, match_conditions
from featurestore.features.perturbations import directed_key

if TYPE_CHECKING:
    from featurestore.features.effects.elsewhere import Measured
    from featurestore.features.selection import Source


def average_block(feature: SignatureFeature, given: BlockInputs) -> FeatureBlock:
    """Average the sources of one feature, gene by gene over those that have the gene.

    A row's own experiment has no weight in its average, to the last bit: it is never added. Components are fitted on
    the averages of all perturbations over the experiments that no row is from.

    Raises
    ------
    LeakageError
        A source looks like the target under another name.
    FeatureError
        A dataset that the spec names has no effect of the wanted kind.
    """
    sources, measured = given.sources, given.measured
    known = _known_elsewhere(sources, measured)
    rows, fitted = _Sums(measured.rows.height), _Sums(known.height)
    used, found, likeness, reasons = [], [], [], []
    shrunk: list[dict[str, Any]] = []
    for source, matches in zip(sources, _matches(feature, sources, measured), strict=True):
        given.tell(source)
        matrix = read_source(given.warehouse, feature, source)
        if isinstance(matrix, str):
            reasons.append(matrix)
            continue
        likeness.append(check_lookalikes(source, matrix, measured, given.allow))
        values, genes, said = chosen_effects(feature, source, matrix, measured)
        shrunk += said.values()
        given.elsewhere.add(source, matrix, matches)
        rows.add(values, genes, matches, _cells(feature, source))
        if feature.components is not None:
            everything = match_conditions(known, source.conditions)
            outside = everything.filter("is_alike").filter(~_is_own(source, measured).gather(everything["source_row"]))
            fitted.add(values, genes, outside, _cells(feature, source))
        used.append(source)
        found.append(matches)
    facts = _facts(feature, used or sources) | ({"shrunk": shrunk} if shrunk else {})
    if not used:
        return skipped(facts, measured.rows.height, reasons[0])
    matched, genes = rows.mean()
    external = fitted.mean(genes)[0] if feature.components is not None else matched
    return make_block(
        facts,
        pl.concat(found).sort("row", maintain_order=True),
        external.astype(np.float32),
        matched,
        genes,
        components=feature.components,
        origins=[{name: source_facts(source)[name] for name in ORIGIN} for source in used],
        likeness=likeness,
    )


def _matches(feature: SignatureFeature, sources: Sequence[Source], measured: Measured) -> list[pl.DataFrame]:
    """Pair rows with the conditions of every source, those of a row's own direction alone where any source has one."""
    found = []
    for source in sources:
        every = match_conditions(measured.rows, source.conditions, feature.combination, feature.reduce)
        found.append(without_own(source, measured.rows, every))
    has_alike = pl.concat(found).filter("is_alike")["row"].unique()
    found = [each.filter(pl.col("is_alike") | ~pl.col("row").is_in(has_alike.implode())) for each in found]
    kinds = (s.conditions["perturbation_kind"].gather(m["source_row"]) for s, m in zip(sources, found, strict=True))
    averaged = [each.select("row", kind=kind) for each, kind in zip(found, kinds, strict=True)]
    check_one_direction(pl.concat(averaged), measured.rows)
    return found


class _Sums:
    """Weighted sums of effects over sources, on all genes that any of them has."""

    def __init__(self, n_rows: int) -> None:
        self._total: Effects = np.zeros((n_rows, 0))
        self._weight: Effects = np.zeros((n_rows, 0))
        self._genes = pl.DataFrame(schema={"gene_id": pl.String(), "gene_symbol": pl.String()})

    def add(
        self, values: npt.NDArray[np.float32], genes: pl.DataFrame, matches: pl.DataFrame, cells: pl.Series | None
    ) -> None:
        """Add a source's mean for each row, once or as often as the matched conditions have cells."""
        n_rows = len(self._total)
        self._genes = pl.concat([self._genes, genes]).unique("gene_id", keep="first", maintain_order=True)
        grown = ((0, 0), (0, self._genes.height - self._total.shape[1]))
        self._total, self._weight = np.pad(self._total, grown), np.pad(self._weight, grown)
        place = self._genes.with_row_index("place").join(genes.select("gene_id"), on="gene_id", how="semi")
        order = genes.select("gene_id").join(place, on="gene_id", how="left", maintain_order="left")["place"].to_numpy()
        mean = mean_of_matches(values, matches, n_rows)
        weight = np.ones(n_rows)
        if cells is not None:
            row, n = matches["row"].to_numpy(), cells.gather(matches["source_row"]).to_numpy()
            weight = np.bincount(row, n, minlength=n_rows).astype(np.float64)
        self._total[:, order] += np.nan_to_num(mean) * weight[:, None]
        self._weight[:, order] += np.isfinite(mean) * weight[:, None]

    def mean(self, genes: pl.DataFrame | None = None) -> tuple[Effects, pl.DataFrame]:
        """Return the mean, shape (rows, genes), NaN where there is none, and the genes: all, by id, or those given."""
        wanted = self._genes.sort("gene_id") if genes is None else genes
        place = self._genes.with_row_index("place").select("gene_id", "place")
        order = wanted.join(place, on="gene_id", how="left", maintain_order="left")["place"]
        mean: Effects = np.full((len(self._total), wanted.height), np.nan)
        has, index = order.is_not_null().to_numpy(), order.drop_nulls().to_numpy()
        known: Effects = np.full((len(self._total), len(index)), np.nan)
        np.divide(self._total[:, index], self._weight[:, index], out=known, where=self._weight[:, index] > 0)
        mean[:, has] = known
        return mean, wanted


def _known_elsewhere(sources: Sequence[Source], measured: Measured) -> pl.DataFrame:
    """List every perturbation of the experiments that no row is from, once in each direction."""
    foreign = pl.concat(source.conditions.filter(~_is_own(source, measured)) for source in sources)
    return foreign.unique(directed_key(), keep="first", maintain_order=True)


def _is_own(source: Source, measured: Measured) -> pl.Series:
    return source.conditions["experiment_id"].is_in(measured.rows["experiment_id"].unique().implode())


def _cells(feature: SignatureFeature, source: Source) -> pl.Series | None:
    """Return what each condition weighs in an average by cells; an unknown number is like the source's median."""
    if feature.average == "equal":
        return None
    n = source.conditions["n_cells"].cast(pl.Float64())
    return n.fill_null(n.median()).fill_null(1.0)


def _facts(feature: SignatureFeature, sources: Sequence[Source]) -> dict[str, Any]:
    each = [source_facts(source) for source in sources]

    def joined(name: str) -> str:
        return " + ".join(sorted({str(facts[name] or "unknown") for facts in each}))

    return {
        "source": f"{feature.block}/average",
        "kind": feature.kind,
        **{name: joined(name) for name in ("dataset_id", "release_id", "context_id", "context_label")},
        "effect_kind": joined("effect_kind"),
        "licence": joined("licence"),
        "n_conditions": sum(facts["n_conditions"] for facts in each),
        "average_of": [source.name for source in sources],
    }
