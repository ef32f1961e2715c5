"""The blocks that a spec asks for, and where every column of them is from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from featurestore.features.kinds import (
    BaseRateFeature,
    EmbeddingFeature,
    NeighbourFeature,
    ReconstructionFeature,
    StrengthFeature,
)
from featurestore.features.pairs.blocks import (
    BaseRateBlock,
    Block,
    ChangedBlock,
    EmbeddingBlock,
    NeighbourBlock,
    ReconstructionBlock,
    SignatureBlock,
    StrengthBlock,
)

if TYPE_CHECKING:
    from featurestore.features.kinds import Feature
    from featurestore.features.pairs.embeddings import Vectors
    from featurestore.features.pairs.sources import SourceCalls
    from featurestore.features.selection import Source


@dataclass(frozen=True, slots=True)
class NamedBlock:
    """A block, the first part of its column names, its kind, and the sources or file that it is made of."""

    name: str
    kind: str
    block: Block
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
    blocks = []
    for feature in features:
        own = [source for source in sources if source.source.feature is feature]
        calls = [source.calls for source in own]
        whole = tuple({source.source.block: source.source for source in own}.values())
        if isinstance(feature, EmbeddingFeature):
            vectors = next(v for v in embeddings if v.feature is feature)
            block = EmbeddingBlock(vectors.values, vectors.axis, vectors.suffixes)
            blocks.append(NamedBlock(feature.block, feature.kind, block, (), vectors))
        elif isinstance(feature, BaseRateFeature):
            blocks.append(NamedBlock(feature.block, feature.kind, BaseRateBlock(), ()))
        elif isinstance(feature, NeighbourFeature):
            blocks.append(NamedBlock(feature.block, feature.kind, NeighbourBlock(calls, feature.components), whole))
        elif isinstance(feature, ReconstructionFeature):
            blocks.append(
                NamedBlock(feature.block, feature.kind, ReconstructionBlock(calls, feature.components), whole)
            )
        else:
            make = _strength if isinstance(feature, StrengthFeature) else _signature
            blocks += [NamedBlock(_named(s), feature.kind, make(s), (s.source,)) for s in own]
    return blocks


def _named(source: SourceCalls) -> str:
    return f"{source.source.block}/{source.question or source.source.effect_kind}"


def _signature(source: SourceCalls) -> Block:
    return SignatureBlock(source.calls)


def _strength(source: SourceCalls) -> Block:
    return ChangedBlock(source.calls) if source.question == "changed" else StrengthBlock(source.calls)


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
