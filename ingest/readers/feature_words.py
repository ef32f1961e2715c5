"""Words for what was counted: RNA, guides, and what else may be beside them, in tables of features or as modalities."""

from __future__ import annotations

RNA = frozenset({"gene expression"})
GUIDES = frozenset({"crispr guide capture"})
OTHERS = frozenset({"antibody capture", "antigen capture", "multiplexing capture", "chromatin accessibility"})
SHORT_RNA = frozenset({"gex", "rna", "mrna", "gene", "genes", "expression"})
SHORT_GUIDES = frozenset({"crispr", "guide", "guides", "grna", "sgrna", "guide rna", "protospacer", "gdo"})
SHORT_OTHERS = frozenset(
    {"adt", "ab", "antibody", "antibodies", "protein", "proteins", "prot", "surface protein", "hto", "hashtag", "cmo"}
    | {"tag", "custom", "peaks", "atac", "vdj", "spike-in", "ercc"}
)
WORDS = RNA | GUIDES | OTHERS | SHORT_RNA | SHORT_GUIDES | SHORT_OTHERS


def is_rna(word: str) -> bool:
    """Say whether a type of feature, or a modality, is RNA."""
    return word.strip().casefold() in RNA | SHORT_RNA


def is_guides(word: str) -> bool:
    """Say whether it is guides."""
    return word.strip().casefold() in GUIDES | SHORT_GUIDES
