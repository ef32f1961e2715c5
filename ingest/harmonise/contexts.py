"""Cell lines and cell types under one id: the Cellosaurus accession of a line, else a slug of the label.

A label is a line only if the whole of it is the line's accession, DepMap id, name, published alias or CCLE name. What
is more than a name, such as an engineered line (``HAP1.TP53``), a stimulus (``K562 + IFNG``) or a primary cell type
(``T cells CD4+``), is a context of its own. Labels that are given together, would share a slug and mean different
things, such as ``THP-1 + LPS`` and ``THP-1 - LPS``, have a hash after it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256

import polars as pl

from ingest.harmonise.cell_lines import CellLines, Match, shipped_lines, shipped_table
from ingest.harmonise.published import MISSING, mapping_schema
from ingest.harmonise.slugs import slug, told_apart


def map_contexts(labels: Sequence[str | None], *, table: pl.DataFrame | None = None) -> pl.DataFrame:
    """Map published labels of cell lines and cell types.

    Parameters
    ----------
    labels
        As published.
    table
        More cell lines, of :func:`~ingest.harmonise.cell_lines.read_model_table`.

    Returns
    -------
    One row per label, in order: ``original``, the columns of the contract's ``context`` table, and ``status``
    (approved, alias, ambiguous, slug or missing), ``method``, ``candidates`` and ``note``. An ambiguous label
    gets a slug, not one of its candidates; a missing one has no ``context_id``.
    """
    lines = shipped_lines() if table is None else CellLines([shipped_table(), table])
    trimmed = {label: " ".join((label or "").split()) for label in labels}
    found = {label: lines.find(label) for label in dict.fromkeys(trimmed.values()) if label.casefold() not in MISSING}
    slugs = {label: _own_slug(label, lines) for label, match in found.items() if not _is_a_line(match)}
    slugs |= told_apart(slugs)
    rows = {original: _row(original, label, found, slugs) for original, label in trimmed.items()}
    return pl.DataFrame([rows[label] for label in labels], schema=mapping_schema("context"), orient="row")


def _row(
    original: str | None, label: str, found: Mapping[str, Match | None], slugs: Mapping[str, str]
) -> tuple[object, ...]:
    if label not in found:
        return (original, None, None, None, None, None, "missing", "no label", [], None)
    match = found[label]
    if match is None or label in slugs:
        candidates = [line.context_id for line in match.lines] if match else []
        names = " or ".join(f"{line.name} ({line.context_id})" for line in match.lines) if match else None
        status, method = ("slug", "slug of the label") if match is None else (match.status, match.method)
        return (original, slugs[label], label, None, None, None, status, method, candidates, names)
    (line,) = match.lines
    note = "; ".join(filter(None, (match.note, *line.notes))) or None
    facts = (line.context_id, line.name, line.depmap_id, line.tissue, line.disease)
    return (original, *facts, match.status, match.method, [], note)


def _is_a_line(match: Match | None) -> bool:
    return match is not None and len(match.lines) == 1


def _own_slug(label: str, lines: CellLines) -> str:
    """Write a label as a slug that does not read as a line which the label does not name (``K562*``)."""
    plain = slug(label)
    return f"{plain}_{sha256(label.encode()).hexdigest()[:8]}" if _is_a_line(lines.find(plain)) else plain
