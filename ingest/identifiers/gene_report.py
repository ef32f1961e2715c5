"""What became of a list of gene identifiers, in words a person reads: statuses, drift, collisions, doubts, release."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl
from rich import box
from rich.console import Console
from rich.table import Table

from ingest import reference
from ingest.harmonise.gene_lookup import gene_symbols
from ingest.harmonise.genes import STATUSES, GeneMapping, best_release, detect_kind

FIRST = 5
WIDTH = 120


def rows(mapping: GeneMapping) -> pl.DataFrame:
    """Return one row an input: original, gene_id, symbol, status, method, candidates."""
    return mapping.table.select(
        "original", "gene_id", pl.col("gene_symbol").alias("symbol"), "status", "method", "candidates"
    )


def report(mapping: GeneMapping, where: str) -> str:
    """Describe a mapping in a page of text."""
    sections = [
        ("drifted symbols", _drifted(mapping)),
        ("collisions", _collisions(mapping)),
        ("disagreements of identifier and symbol", _disagreements(mapping)),
        ("ambiguous", _ambiguous(mapping)),
        ("without a gene", _unmapped(mapping)),
    ]
    return "\n".join([_heading(mapping, where), _status_table(mapping), *(_section(*section) for section in sections)])


def _heading(mapping: GeneMapping, where: str) -> str:
    originals = mapping.table["original"]
    ranking = best_release(originals)
    if ranking.is_empty():
        ranking = best_release(mapping.table["original_symbol"])
    lines = [f"{len(mapping):,} identifiers from {where}: {detect_kind(originals).evidence}"]
    if ranking.height:
        release, n_ids, n_found, coverage = ranking.row(0)
        lines.append(
            f"best fitting annotation release: {release}, which holds {n_found:,} of {n_ids:,} ({coverage:.1%})"
        )
    lines.append(f"gene reference: {reference.reference_id()}")
    return "\n".join(lines)


def _status_table(mapping: GeneMapping) -> str:
    table = Table("status", "n", "share", "meaning", box=box.SIMPLE)
    for column in table.columns[1:3]:
        column.justify = "right"
    for status, n in mapping.counts().items():
        table.add_row(status, f"{n:,}", f"{n / len(mapping):.2%}", STATUSES[status])
    n_mapped = mapping.mapped.height
    table.add_section()
    table.add_row("mapped", f"{n_mapped:,}", f"{n_mapped / len(mapping):.2%}", "have exactly one gene")
    console = Console(width=WIDTH, force_terminal=False, color_system=None)
    with console.capture() as capture:
        console.print(table)
    return "\n".join(line.rstrip() for line in capture.get().splitlines()).rstrip()


def _section(title: str, lines: list[str]) -> str:
    more = [f"  ... and {len(lines) - FIRST:,} more"] if len(lines) > FIRST else []
    return "\n".join([f"{title}: {len(lines):,}", *(f"  {line}" for line in lines[:FIRST]), *more])


def _drifted(mapping: GeneMapping) -> list[str]:
    drifted = mapping.drifted.unique(maintain_order=True)
    return [f"{old} -> {new}" for old, new in drifted.select("symbol", "gene_symbol").iter_rows()]


def _collisions(mapping: GeneMapping) -> list[str]:
    genes = mapping.mapped.group_by("gene_id", maintain_order=True).agg("original", pl.col("gene_symbol").first())
    several = genes.filter(pl.col("original").list.len() > 1)
    return [
        f"{_joined(originals, ' and ')} -> {symbol or gene_id}"
        for gene_id, originals, symbol in several.select("gene_id", "original", "gene_symbol").iter_rows()
    ]


def _disagreements(mapping: GeneMapping) -> list[str]:
    conflicts = mapping.table.filter(pl.col("status") == "conflict")
    return [
        f"{original} beside {symbol}: taken for {gene}; {note}"
        for original, symbol, gene, note in conflicts.select(
            "original", "original_symbol", "gene_symbol", "note"
        ).iter_rows()
    ]


def _ambiguous(mapping: GeneMapping) -> list[str]:
    symbols = dict(gene_symbols().iter_rows())
    return [
        f"{original}: {_joined([symbols.get(gene) or gene for gene in candidates], ' or ')}"
        for original, candidates in mapping.ambiguous.select("original", "candidates").iter_rows()
    ]


def _unmapped(mapping: GeneMapping) -> list[str]:
    return [
        f"{original}: {status}{f' ({note})' if note else ''}"
        for original, status, note in mapping.unmapped.select("original", "status", "note").iter_rows()
    ]


def _joined(names: Iterable[str], sign: str) -> str:
    listed = list(names)
    return sign.join(listed[:FIRST]) + (f"{sign}{len(listed) - FIRST:,} more" if len(listed) > FIRST else "")
