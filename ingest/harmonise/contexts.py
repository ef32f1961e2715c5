"""Cell lines and cell types under one id: the Cellosaurus accession of a line, else a slug of the label.

A label is a line only if the whole of it is the line's accession, DepMap id, name, published alias or CCLE name. What
is more than a name, such as an engineered line (``HAP1.TP53``), a stimulus (``K562 + IFNG``) or a primary cell type
(``T cells CD4+``), is a context of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

import polars as pl

from ingest.harmonise.cell_lines import CellLines, read_model_table, shipped_lines, shipped_table
from ingest.harmonise.published import MISSING, mapping_schema
from ingest.harmonise.slugs import slug

__all__ = ["map_contexts", "read_model_table"]


def map_contexts(labels: Sequence[str | None], *, table: pl.DataFrame | None = None) -> pl.DataFrame:
    """Map published labels of cell lines and cell types.

    Parameters
    ----------
    labels
        As published.
    table
        More cell lines, from `read_model_table`.

    Returns
    -------
    polars.DataFrame
        One row per label, in order: ``original``, the columns of the contract's ``context`` table, and ``status``
        (approved, alias, ambiguous, slug or missing), ``method``, ``candidates`` and ``note``. An ambiguous label
        gets a slug, not one of its candidates; a missing one has no ``context_id``.
    """
    lines = shipped_lines() if table is None else CellLines([shipped_table(), table])
    rows = {label: _row(label, lines) for label in dict.fromkeys(labels)}
    return pl.DataFrame([rows[label] for label in labels], schema=mapping_schema("context"), orient="row")


def _row(original: str | None, lines: CellLines) -> tuple[object, ...]:
    label = " ".join((original or "").split())
    if label.casefold() in MISSING:
        return (original, None, None, None, None, None, "missing", "no label", [], None)
    match = lines.find(label)
    if match is None or len(match.lines) > 1:
        candidates = [line.context_id for line in match.lines] if match else []
        names = " or ".join(f"{line.name} ({line.context_id})" for line in match.lines) if match else None
        status, method = ("slug", "slug of the label") if match is None else (match.status, match.method)
        return (original, _own_slug(label, lines), label, None, None, None, status, method, candidates, names)
    (line,) = match.lines
    note = "; ".join(filter(None, (match.note, *line.notes))) or None
    facts = (line.context_id, line.name, line.depmap_id, line.tissue, line.disease)
    return (original, *facts, match.status, match.method, [], note)


def _own_slug(label: str, lines: CellLines) -> str:
    """Write a label as a slug that does not read as a line which the label does not name (``K562*``)."""
    plain = slug(label)
    match = lines.find(plain)
    is_a_line = match is not None and len(match.lines) == 1 and match.lines[0].context_id != plain
    return f"{plain}_{sha256(label.encode()).hexdigest()[:8]}" if is_a_line else plain
