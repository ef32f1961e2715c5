"""The write path: published files become releases of the warehouse, and published names common identifiers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

    from ingest.harmonise.gene_mapping import GeneMapping

__all__ = ["map_genes"]


def map_genes(
    ids: str | Sequence[object] | pl.Series,
    *,
    symbols: str | Sequence[object] | pl.Series | None = None,
    kind: str | None = None,
    by_context: bool = False,
    translate_mouse: bool = False,
    online: bool = False,
    warehouse: str | Path | None = None,
) -> GeneMapping:
    """Map published gene identifiers to current genes: what ``featurestore genes`` does.

    Parameters
    ----------
    ids
        Identifiers in any mixture of notations, numbers among them; None or NaN where missing. A text is one
        identifier, not its letters.
    symbols
        Symbols published beside them; an identifier takes precedence over its symbol.
    kind
        The notation, where it is known: ensembl, entrez, hgnc, symbol, ...; detected otherwise.
    by_context
        Decide ambiguous names by the rest of the list; sound where each gene occurs once, as in a matrix.
    translate_mouse
        Map mouse genes to their only human ortholog.
    online
        Ask mygene.info for what stays without a gene. Nothing else here uses a network.
    warehouse
        Where its answers are kept.

    Returns
    -------
    The mapping, one row an input, in order: ``table``, of it ``mapped``, ``ambiguous`` and ``unmapped``, ``drifted``
    symbols, and ``counts()`` by status.

    Raises
    ------
    HarmonisationError
        ``symbols`` is of another length, or ``kind`` is unknown.
    """
    from ingest.harmonise.genes import decide_by_context  # noqa: PLC0415, importing ingest loads nothing
    from ingest.harmonise.genes import map_genes as map_offline  # noqa: PLC0415

    mapping = map_offline(ids, symbols=symbols, kind=kind, translate_mouse=translate_mouse)
    mapping = decide_by_context(mapping) if by_context else mapping
    if not online:
        return mapping
    from ingest.harmonise.online import OnlineGenes  # noqa: PLC0415

    fallback = OnlineGenes.at(Path(warehouse) if warehouse is not None else None)
    mapping = fallback.complete(mapping)
    fallback.save()
    return mapping
