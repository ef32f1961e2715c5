"""Draft the spec of a dataset from what its file says: every line with its evidence, and what is missing named.

What a file does not say is a line to fill in, so that a draft is refused, by name of what is missing, rather than
ingested on a guess. The one guess that is drafted without evidence is the kind of a CRISPR screen; it is marked.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from featurestore.errors import SpecError
from ingest.inspection.beside import told_of_lines
from ingest.inspection.draft_condition import draft_condition, is_model_table, relative
from ingest.inspection.draft_dataset import draft_dataset
from ingest.inspection.draft_genes import draft_counted, draft_feature_types, draft_gene_ids
from ingest.inspection.draft_lines import Lines
from ingest.inspection.inspection import Inspection
from ingest.inspection.known import COMPOUND_KEYS, QUALITY_KEYS
from ingest.inspection.responses import draft_responses
from ingest.inspection.result_columns import Remark
from ingest.inspection.samples_beside import told_of_samples
from ingest.spec import GENETIC_KINDS, parse_spec


@dataclass(frozen=True, slots=True)
class Draft:
    """A drafted spec.

    ``missing`` names the keys that the file does not give and a human has to; ``doubtful`` those that were guessed.
    """

    text: str
    missing: tuple[str, ...]
    doubtful: tuple[str, ...]


def draft_spec(found: Inspection, folder: Path) -> Draft:
    """Draft a spec.

    Parameters
    ----------
    found
        What was seen of the file.
    folder
        Where the spec will be: names of files are relative to it.
    """
    lines = Lines()
    lines.note(
        f"Drafted by 'featurestore inspect' from {found.path.name}: {found.n_rows:,} rows x {found.n_genes:,} genes."
    )
    if found.entry is not None and found.entry.spec is not None:
        lines.note(f"A spec of {found.entry.id} comes along: featurestore ingest {found.entry.id} --data FOLDER")
    lines.note("Numbers in brackets say how sure a guess is, from 0 to 1.")
    draft_dataset(lines, found, folder)
    if found.responses is not None:
        draft_responses(lines, found, found.responses)
    else:
        _matrix_or_list(lines, found, folder)
    text = "\n".join(lines.lines) + "\n"
    if not lines.missing:
        _require_spec(text)
    return Draft(text, tuple(lines.missing), tuple(lines.doubtful))


def _matrix_or_list(lines: Lines, found: Inspection, folder: Path) -> None:
    """Draft what there is of a matrix, or of a table with a row for each condition and gene."""
    draft_condition(lines, found, folder)
    if found.table is not None:
        _listed(lines, found, found.table)
    else:
        _tables(lines, found, folder)


def _listed(lines: Lines, found: Inspection, table: dict[str, str]) -> None:
    if found.extract:
        lines.section("rows")
        lines.set("extract", found.extract, "what was perturbed is part of the names of files")
    lines.section("table")
    for key, column in table.items():
        if key != "format":
            remark = found.remarks.get(key, Remark(""))
            lines.set(key, column, remark.text, is_doubtful=remark.is_doubtful)
    if "effect" not in table:
        lines.ask("effect", "a column", f"no column is known to be an effect: {', '.join(found.columns)}")
    if found.samples:
        lines.note(told_of_samples(found.samples))
    for key in found.remarks.keys() - table.keys():
        lines.note(f"no {key}: {found.remarks[key].text}")


def _tables(lines: Lines, found: Inspection, folder: Path) -> None:
    table = found.row_table
    table = None if is_model_table(found) else table
    for name in found.unnamed_labels:
        lines.note(f"'{name}' holds numbers for labels (ClassLabel), whose names the file does not have: join them")
    if found.unjoined is not None:
        lines.note(told_of_lines(found.unjoined))
    if table is not None or found.extract:
        lines.section("rows")
    if found.extract:
        lines.set("extract", found.extract, "labels are part of the names of rows")
    if table is not None:
        told = f"{table.n_found} of {table.n_probed} row keys looked for are in it"
        lines.set("table", relative(table.path, folder), told)
        lines.set("key", table.key)
    if found.tokens:
        lines.section("tokens")
        for key, name in found.tokens.items():
            lines.set(key, name)
    lines.section("genes")
    draft_feature_types(lines, found)
    draft_gene_ids(lines, found, folder)
    if found.n_silent and found.needs_control:
        lines.note(
            f"{found.n_silent:,} of {found.n_genes:,} genes are 0 in all rows looked at; if the publisher pads "
            'its list with genes that were not measured: absent = "all_zero"'
        )
    draft_counted(lines, found)
    kinds = {guess.value or "column" for guess in found.roles.get("kind", [])[:1]}
    _named(lines, found, "compound", COMPOUND_KEYS if not kinds & GENETIC_KINDS else ())
    _named(lines, found, "coverage", ("auc", "mapped_reads") if found.values.kind == "bp_coverage" else ())
    _named(lines, found, "quality", QUALITY_KEYS if found.is_relative else ())


def _named(lines: Lines, found: Inspection, section: str, keys: Iterable[str]) -> None:
    """Write a section of columns that are known by their names."""
    guesses = {key: found.roles[key][0] for key in keys if found.roles[key]}
    if guesses:
        lines.section(section)
        for key, guess in guesses.items():
            lines.set(key, guess.column)


def _require_spec(text: str) -> None:
    """See to it that a draft with nothing left to fill in is a spec."""
    try:
        parse_spec(tomllib.loads(text))
    except SpecError as error:
        raise AssertionError(f"a draft is no spec: {error}") from error
