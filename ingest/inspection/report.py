"""An inspection as text for a person, and as plain values for a program."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

from featurestore.errors import first_of
from ingest.inspection.beside import told_of_lines
from ingest.inspection.inspection import Inspection
from ingest.inspection.labels import FEW_CELLS, PerturbationLabels, counted
from ingest.inspection.roles import Guess
from ingest.inspection.samples_beside import told_of_samples

MOST_GUESSES = 3
ORDER = ("perturbation", "kind", "context", "dose", "time", "batch")
MEGABYTE = 10**6


def print_report(found: Inspection, console: Console) -> None:
    """Print what was found: first what it is, then what its columns may be."""
    console.print(f"{found.path.name}: {_what(found)}", soft_wrap=True)
    facts = Table(box=None, show_header=False, pad_edge=False)
    facts.add_column(no_wrap=True)
    facts.add_column(overflow="fold")
    for name, text in _facts(found):
        facts.add_row(name, text)
    console.print(facts)
    roles = Table(box=None, pad_edge=False)
    for title in ("may be", "column", "sure", "because"):
        roles.add_column(title, no_wrap=title in {"may be", "sure"}, overflow="fold")
    for role in sorted(found.roles, key=lambda role: ORDER.index(role) if role in ORDER else len(ORDER)):
        for guess in found.roles[role][:MOST_GUESSES]:
            roles.add_row(role, _held(guess), f"{guess.score:.2f}", "; ".join(guess.reasons))
    if roles.row_count:
        console.print()
        console.print(roles)


def as_json(found: Inspection) -> dict[str, Any]:
    """Give an inspection as values that JSON can hold."""
    best = found.genes.id
    return {
        "path": str(found.path),
        "format": found.format,
        "files": [str(file) for file in found.files],
        "n_bytes": found.n_bytes,
        "n_rows": found.n_rows,
        "n_genes": found.n_genes,
        "matrix": found.matrix,
        "matrices": list(found.matrices),
        "passed_over": list(found.passed_over),
        "modalities": found.modalities,
        "values": {"kind": found.values.kind, "score": found.values.score, "evidence": list(found.values.evidence)},
        "genes": {
            "id": best.name if best else None,
            "kind": best.kind if best else None,
            "columns": [
                {"column": c.name, "kind": c.kind, "mapped": round(c.mapped, 4), "n_repeated": c.n_repeated}
                for c in found.genes.columns
            ],
            "releases": found.genes.releases.to_dicts(),
            "types": {name or "": n for name, n in found.types.counts.items()} if found.types else None,
            "n_second_species": found.genes.n_second,
        },
        "roles": {role: [_guess(guess) for guess in guesses] for role, guesses in found.roles.items() if guesses},
        "labels": _labels(found.labels) if found.labels else None,
        "units": found.units,
        "row_table": str(found.row_table.path) if found.row_table else None,
        "gene_table": str(found.gene_table.path) if found.gene_table else None,
        "dataset_id": found.entry.id if found.entry else None,
    }


def _what(found: Inspection) -> str:
    size = f"{found.n_bytes / MEGABYTE:,.1f} MB"
    if found.responses is not None:
        return f"{found.format}, {found.n_rows:,} rows, {size}"
    files = f" in {len(found.files)} files" if len(found.files) > 1 else ""
    return f"{found.format}, {found.n_rows:,} rows x {found.n_genes:,} genes, {size}{files}"


def _facts(found: Inspection) -> list[tuple[str, str]]:
    values = found.values
    kind = f"{values.kind} [{values.score:.2f}]: " if values.kind else ""
    facts = [("values", f"{kind}{'; '.join(values.evidence)}")]
    if found.described_by:
        facts.append(("columns", f"not named like genes, so they describe the rows: {first_of(found.described_by, 8)}"))
    if values.untold is not None:
        facts.append(("logarithms", values.untold))
    if found.modalities:
        facts.append(("modalities", ", ".join(f"{name} ({size})" for name, size in found.modalities.items())))
    if found.matrices[1:]:
        facts.append(("matrices", f"{', '.join(found.matrices)}; looked at {found.matrix or found.matrices[0]}"))
    if found.strands:
        facts.append(("strands", found.strands))
    facts += [("results", f"no {key}: {r.text}") for key, r in found.remarks.items() if key not in (found.table or {})]
    if found.samples:
        facts.append(("results", told_of_samples(found.samples)))
    facts += [("genes", text) for text in _genes(found)]
    if found.labels is not None:
        facts += [("labels", text) for text in _label_facts(found.labels)]
    for column, label in found.treated_alike.items():
        facts.append(("columns", f"'{column}' is {label!r} in all rows, so none is its control"))
    return facts + _beside(found)


def _beside(found: Inspection) -> list[tuple[str, str]]:
    """Say what else is known of a file: by its folder, by tables beside it, by the catalogue."""
    facts = []
    if found.sheets[1:]:
        facts.append(("sheets", f"{first_of(found.sheets, 12)}; looked at '{found.sheet}'"))
    if found.unnamed_labels:
        told = f"{', '.join(found.unnamed_labels)}: labels as numbers (ClassLabel), whose names the file does not have"
        facts.append(("columns", told))
    if found.passed_over:
        facts.append(("folder", f"also in it, looked at when it is named: {first_of(found.passed_over, 8)}"))
    for what, table in (("rows", found.row_table), ("genes", found.gene_table)):
        if table is not None:
            facts.append(("beside it", f"{table.path.name} describes the {what}, by its column '{table.key}'"))
    if found.unjoined is not None:
        facts.append(("beside it", told_of_lines(found.unjoined)))
    if found.entry is not None:
        ready = f"; its spec comes with featurestore: ingest {found.entry.id}" if found.entry.spec else ""
        facts.append(("catalogue", f"a file of {found.entry.id} has this name{ready}"))
    return facts


def _genes(found: Inspection) -> list[str]:
    genes, texts = found.genes, []
    if found.is_of_transcripts:
        name = found.transcripts.name if found.transcripts is not None else None
        texts.append(f"of transcripts, {f'summed by {name}' if name else 'without a table of their genes beside them'}")
    seen = f" of the first {genes.n_seen:,}" if genes.n_seen < genes.n_genes else ""
    texts += [
        f"'{c.name}': {c.evidence}, {c.mapped:.1%}{seen} known"
        + (f", {c.n_repeated:,} given again" if c.n_repeated else "")
        + (f"; {c.doubt}" if c.doubt else "")
        for c in genes.columns[:MOST_GUESSES]
    ]
    if genes.conflict:
        texts.append(genes.conflict)
    if genes.releases.height:
        fits = ", ".join(f"{row['release']} ({row['coverage']:.1%})" for row in genes.releases.iter_rows(named=True))
        texts.append(f"annotation releases that hold most of them: {fits}")
    if found.types is not None:
        texts.append(f"by '{found.types.column}': {found.types.told()}; only what is RNA is read")
    if genes.n_second:
        texts.append(f"{genes.n_second:,} are of a second species: no part of a cell's total")
    return texts or ([] if found.responses is not None else ["no column identifies them"])


def _label_facts(labels: PerturbationLabels) -> list[str]:
    texts = [f"{labels.n_labels:,} in '{labels.column}', {labels.gene_share:.0%} of them genes"]
    for what, found in (
        ("controls", labels.controls),
        ("look like controls", labels.suspects),
        ("genes that libraries take for controls", labels.gene_suspects),
    ):
        if found:
            texts.append(f"{what}: {counted(found)}")
    missing = {**labels.unassigned, **({"missing": labels.n_missing} if labels.n_missing else {})}
    if missing:
        texts.append(f"no perturbation: {counted(missing)}")
    for what, rule in (("combinations joined by", labels.separator), ("endings to strip", labels.strip)):
        if rule is not None:
            texts.append(f"{what} '{rule[0]}': {rule[1]}")
    if labels.cells:
        fewest, median, most, n_few = labels.cells.values()
        few = f", {n_few:,.0f} labels with fewer than {FEW_CELLS}" if n_few else ""
        texts.append(f"rows of a label: {fewest:,.0f} to {most:,.0f}, median {median:,.0f}{few}")
    return texts


def _held(guess: Guess) -> str:
    if guess.value is None:
        return str(guess.column)
    return f"= {guess.value}" + (f" ({guess.column})" if guess.column is not None else "")


def _guess(guess: Guess) -> dict[str, Any]:
    return {
        "column": guess.column,
        "value": guess.value,
        "score": guess.score,
        "reasons": list(guess.reasons),
    }


def _labels(labels: PerturbationLabels) -> dict[str, Any]:
    return {
        "column": labels.column,
        "n_labels": labels.n_labels,
        "controls": labels.controls,
        "suspects": labels.suspects,
        "gene_suspects": labels.gene_suspects,
        "unassigned": labels.unassigned,
        "n_missing": labels.n_missing,
        "separator": labels.separator[0] if labels.separator else None,
        "strip": labels.strip[0] if labels.strip else None,
        "gene_share": round(labels.gene_share, 4),
        "rows_of_a_label": labels.cells,
    }
