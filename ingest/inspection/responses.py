"""Tables of drug responses, told by their columns, and the part of a drafted spec that is about them."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import polars as pl

from ingest.catalogue.catalogue import Entry
from ingest.inspection.draft_lines import Lines
from ingest.inspection.gene_ids import GeneIds
from ingest.inspection.inspection import Inspection
from ingest.inspection.known_responses import KNOWN, ResponseTable
from ingest.inspection.values import Values
from ingest.readers.header import read_header
from ingest.readers.long_text import column_names
from ingest.readers.plain_text import UNREADABLE

RESPONSE = "drug_response"


def inspect_responses(path: Path, entry: Entry | None) -> Inspection | None:
    """Look at a file of text that may be such a table; None where it is none."""
    try:
        header = read_header(path)
    except UNREADABLE:
        return None
    names = column_names(header.names)
    known = next((each for each in KNOWN if each.columns <= set(names)), None)
    if known is None:
        return None
    joins = tuple((each.name, key) for end, key in known.joins for each in sorted(path.parent.glob(f"*{end}")))
    told = f"the columns of {known.source}'s table of responses: {', '.join(sorted(known.columns))}"
    return Inspection(
        path=path,
        format=f"a table of drug responses, as {known.source} writes it",
        files=(path,),
        n_bytes=path.stat().st_size,
        n_rows=sum(1 for _ in header.lines()),
        n_genes=0,
        matrix=None,
        matrices=(),
        values=Values(RESPONSE, 0.95, (told,)),
        genes=GeneIds((), pl.DataFrame(), 0, 0),
        columns=tuple(names),
        roles=defaultdict(list),
        labels=None,
        responses=known,
        joins=joins,
        entry=entry,
    )


def draft_responses(lines: Lines, found: Inspection, known: ResponseTable) -> None:
    """Draft the conditions of a table of responses, the tables to join, and the numbers."""
    lines.section("condition")
    lines.set("perturbation", known.compound, f"as {known.source} calls the compound")
    lines.set("kind", "compound")
    lines.set("context", {"column": known.line}, f"as {known.source} calls the cell line")
    joined = dict(found.joins)
    for end, key in known.joins:
        table = next((name for name in joined if name.endswith(end)), None)
        lines.section("[rows.join]")
        if table is None:
            lines.ask("table", f"v20.{end}", "the table of these numbers is not beside the file")
        else:
            lines.set("table", table)
        lines.set("key", key)
    if known.compounds:
        lines.section("compound")
        for name, column in known.compounds.items():
            lines.set(name, column)
    lines.section("phenotypes")
    lines.set("named", dict(known.named), "ln_ic50 is the natural logarithm of micromoles per litre")
    why = f"several rows of one compound and cell line, where there are such, differ by {known.by}"
    lines.set("repeats", "mean", why, is_doubtful=True)
