"""The blocks that a spec asks for, and where every column of them is from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from featurestore.features.kinds.kind import Kind
from featurestore.features.kinds.neighbour import NeighbourFeature
from featurestore.features.kinds.reconstruction import ReconstructionFeature
from featurestore.features.pairs.blocks import (
    AnalogueBlock,
    BaseRateBlock,
    ChangedBlock,
    EmbeddingBlock,
    NeighbourBlock,
    PairBlock,
    ReconstructionBlock,
    SignatureBlock,
    StrengthBlock,
)
from featurestore.features.pairs.co_response import CoResponseBlock

if TYPE_CHECKING:
    from featurestore.features.kinds import Feature
    from featurestore.features.kinds.analogue import AnalogueFeature
    from featurestore.features.kinds.co_response import CoResponseFeature
    from featurestore.features.pairs.calls import Calls
    from featurestore.features.pairs.embeddings import Vectors
    from featurestore.features.pairs.sources import SourceCalls
    from featurestore.features.selection import Source


@dataclass(frozen=True, slots=True)
class NamedBlock:
    """A block, the first part of its column names, its kind, and the sources or file that it is made of."""

    name: str
    kind: str
    block: PairBlock
    sources: tuple[Source, ...]
    vectors: Vectors | None = None

    def origin(self) -> dict[str, Any]:
        """Return its datasets, their kind of effect and their licences."""
        if self.vectors is not None:
            facts = self.vectors.facts
            origins = {facts["dataset_id"]: facts["licence"]}
            effect_kind = facts["effect_kind"]
        else:
            origins = {source.dataset_id: source.conditions["licence"][0] for source in self.sources}
            effect_kind = self.sources[0].effect_kind if self.sources else None
        licences = sorted({str(licence or "unknown") for licence in origins.values()})
        return {"dataset_ids": sorted(origins), "effect_kind": effect_kind, "licences": licences}


def make_blocks(
    features: Sequence[Feature], sources: Sequence[SourceCalls], embeddings: Sequence[Vectors] = ()
) -> list[NamedBlock]:
    """Make the blocks of a spec, in its order."""
    blocks: list[NamedBlock] = []
    for feature in features:
        own = [source for source in sources if source.source.feature is feature]
        blocks += MAKERS[feature.kind](feature, own, embeddings)
    return blocks


def _each(
    make: Callable[[SourceCalls], PairBlock],
) -> Callable[[Kind, Sequence[SourceCalls], Sequence[Vectors]], list[NamedBlock]]:
    """Make a block of each source and question."""

    def blocks(feature: Kind, own: Sequence[SourceCalls], _: Sequence[Vectors]) -> list[NamedBlock]:
        return [NamedBlock(_named(one), feature.kind, make(one), (one.source,)) for one in own]

    return blocks


def _named(source: SourceCalls) -> str:
    return f"{source.source.block}/{source.question or source.source.effect_kind}"


def _signature(source: SourceCalls) -> PairBlock:
    return SignatureBlock(source.calls)


def _strength(source: SourceCalls) -> PairBlock:
    return ChangedBlock(source.calls) if source.question == "changed" else StrengthBlock(source.calls)


def _together(
    make: Callable[[list[Calls], int], PairBlock],
) -> Callable[[Any, Sequence[SourceCalls], Sequence[Vectors]], list[NamedBlock]]:
    """Make one block of all sources and questions together."""

    def blocks(
        feature: NeighbourFeature | ReconstructionFeature, own: Sequence[SourceCalls], _: Sequence[Vectors]
    ) -> list[NamedBlock]:
        block = make([one.calls for one in own], feature.components)
        return [NamedBlock(feature.block, feature.kind, block, _whole(own))]

    return blocks


def _analogue(feature: AnalogueFeature, own: Sequence[SourceCalls], _: Sequence[Vectors]) -> list[NamedBlock]:
    block = AnalogueBlock(_behaviour(own), [one.calls for one in own if one.is_answer], feature.components)
    return [NamedBlock(feature.block, feature.kind, block, _whole(own))]


def _co_response(feature: CoResponseFeature, own: Sequence[SourceCalls], _: Sequence[Vectors]) -> list[NamedBlock]:
    answers = [one.calls for one in own if one.is_answer]
    block = CoResponseBlock(
        _behaviour(own), [one.calls for one in own], answers, feature.components, feature.gene_components
    )
    return [NamedBlock(feature.block, feature.kind, block, _whole(own))]


def _behaviour(own: Sequence[SourceCalls]) -> list[Calls]:
    """Take changes less each gene's mean, and directions with it: all that change a gene the same way are alike."""
    return [one.calls if one.question == "direction" else one.calls.centred() for one in own]


def _whole(own: Sequence[SourceCalls]) -> tuple[Source, ...]:
    """Take each source once, however much it is asked."""
    return tuple({one.source.block: one.source for one in own}.values())


def _base_rate(feature: Kind, _sources: Sequence[SourceCalls], _vectors: Sequence[Vectors]) -> list[NamedBlock]:
    return [NamedBlock(feature.block, feature.kind, BaseRateBlock(), ())]


def _embedding(feature: Kind, _: Sequence[SourceCalls], embeddings: Sequence[Vectors]) -> list[NamedBlock]:
    vectors = next(one for one in embeddings if one.feature is feature)
    block = EmbeddingBlock(vectors.values, vectors.axis, vectors.suffixes)
    return [NamedBlock(feature.block, feature.kind, block, (), vectors)]


MAKERS: dict[str, Callable[[Any, Sequence[SourceCalls], Sequence[Vectors]], list[NamedBlock]]] = {
    "signature": _each(_signature),
    "strength": _each(_strength),
    "neighbour": _together(NeighbourBlock),
    "analogue": _analogue,
    "co_response": _co_response,
    "reconstruction": _together(ReconstructionBlock),
    "base_rate": _base_rate,
    "embedding": _embedding,
}
"""What makes the blocks of each kind, where a row is a pair: a line a kind."""


def columns_of(blocks: Sequence[NamedBlock]) -> pl.DataFrame:
    """Say of every column its block, kind, datasets, licences, and whether it is learnt from training labels."""
    lines = [
        {
            "name": f"{named.name}/{suffix}" if suffix else named.name,
            "block": named.name,
            "kind": named.kind,
            "is_fitted": named.block.is_fitted,
            **named.origin(),
        }
        for named in blocks
        for suffix in named.block.suffixes
    ]
    texts = pl.List(pl.String())
    schema = {name: pl.String() for name in ("name", "block", "kind")} | {"is_fitted": pl.Boolean()}
    return pl.DataFrame(
        lines, schema=schema | {"dataset_ids": texts, "effect_kind": pl.String(), "licences": texts}, orient="row"
    )
