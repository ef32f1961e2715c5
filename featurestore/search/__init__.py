"""Signature search: which conditions have the same effect as one (mimic it), and which the opposite (reverse it).

>>> store = fs.open("warehouse")  # doctest: +SKIP
>>> store.search(condition=("replogle_2022_k562", "JAK2/K562"))  # doctest: +SKIP
>>> store.search("JAK2", context="K562", opposite=True, kind="compound")  # doctest: +SKIP
>>> store.search(up=["IRF1", "STAT1"], down="down.grp", score="wtcs", by="moa")  # doctest: +SKIP
>>> store.search(signature=(["TP53", "CDKN1A"], [1.5, 2.0]))  # doctest: +SKIP

Each returns a polars frame: :data:`~featurestore.search.engine.ANSWER` and, after it, effect_kind and
perturbation_kind (``by="condition"``), one row a perturbation, or one a mechanism or target. See
:func:`featurestore.search.answer.search` for every parameter, :func:`featurestore.search.answer.search_many` for many
queries at once. Below it, for pages and features:

``signatures_of(warehouse)``
    :class:`~featurestore.search.engine.Signatures`: ``.blocks``, one a dataset, each with ``conditions``, ``genes``,
    ``rows`` (scaled, without background and own targets; 0 is missing), ``ranks``; ``.query_of(keys, name)``.
``set_query``, ``signature_query``, ``condition_query``, ``perturbation_query``
    Make a :class:`~featurestore.search.query.Query`; ``query.unknown`` has genes that were not found.
``both_ends(warehouse, query)``
    What has the same effect, and what the opposite, compared once; ``is_at_hand(warehouse)`` says if that is quick.
``compare(signatures, query, score)``
    Every condition with score, p_value and n_genes, in no order.
``running_sum(values, members)``
    The curve of an enrichment plot.
"""

from __future__ import annotations

from featurestore.search.answer import both_ends, condition_query, perturbation_query, search, search_many
from featurestore.search.engine import ANSWER, SCORES, Score, Signatures, compare, is_at_hand, signatures_of
from featurestore.search.enrichment import running_sum
from featurestore.search.query import Query, set_query, signature_query

__all__ = [
    "ANSWER",
    "SCORES",
    "Query",
    "Score",
    "Signatures",
    "both_ends",
    "compare",
    "condition_query",
    "is_at_hand",
    "perturbation_query",
    "running_sum",
    "search",
    "search_many",
    "set_query",
    "signature_query",
    "signatures_of",
]
