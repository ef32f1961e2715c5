"""Words for what was counted: RNA, guides, and what else may be beside them, in tables of features or as modalities."""

from __future__ import annotations

RNA = frozenset({"gene expression"})
GUIDES = frozenset({"crispr guide capture"})
OTHERS = frozenset({"antibody capture", "antigen capture", "multiplexing capture", "chromatin accessibility"})
SHORT_RNA = frozenset({"gex", "rna", "mrna", "gene", "genes", "expression"})
SHORT_GUIDES = frozenset({"crispr", "guide", "guides", "grna", "sgrna", "guide rna", "protospacer", "gdo"})
TAGS = frozenset({"multiplexing capture", "hto", "hashtag", "hashtags", "cmo", "tag", "tags"})
ANTIBODIES = frozenset(
    {"antibody capture", "adt", "ab", "antibody", "antibodies", "protein", "proteins", "prot", "surface protein"}
)
SHORT_OTHERS = TAGS | ANTIBODIES | {"custom", "peaks", "atac", "vdj", "spike-in", "ercc"}
WORDS = RNA | GUIDES | OTHERS | SHORT_RNA | SHORT_GUIDES | SHORT_OTHERS


def is_rna(word: str) -> bool:
    """Say whether a type of feature, or a modality, is RNA."""
    return word.strip().casefold() in RNA | SHORT_RNA


def is_guides(word: str) -> bool:
    """Say whether it is guides."""
    return word.strip().casefold() in GUIDES | SHORT_GUIDES


def is_tags(word: str) -> bool:
    """Say whether it is hashtags, by which samples are told apart."""
    return word.strip().casefold() in TAGS


def are_few(word: str) -> bool:
    """Say whether it is counted by tens or hundreds, so that each can be a column of the cells."""
    return is_guides(word) or is_tags(word) or word.strip().casefold() in ANTIBODIES
