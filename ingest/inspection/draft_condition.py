"""The part of a drafted spec that makes conditions of rows: labels, controls, cells, doses, times, batches."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

from featurestore.errors import first_of
from ingest.condition_section import MATRIX_COLUMNS
from ingest.harmonise.cell_lines import PUBLISHED_COLUMNS
from ingest.harmonise.words import APART, kinds_of_controls
from ingest.inspection.draft_lines import Lines, to_toml
from ingest.inspection.inspection import Inspection
from ingest.inspection.known import plain
from ingest.inspection.labels import MOST_COUNTED, PerturbationLabels, counted
from ingest.inspection.roles import LEAST, NAMED, Guess
from ingest.reader import INDEX
from ingest.sections import column_in_sql
from ingest.spec import GENETIC_KINDS

COMBINED = " + "
UNITS = {"_um": "uM", "_nm": "nM", "_hr": "h", "_h": "h", "hours": "h", "day": "d"}
"""Endings of columns' names that tell the unit of their numbers."""


LOGARITHM = re.compile(r"(?:^|_)(?:neg_?)?(?:log(?:2|10)?|ln|p?[ie]c50)(?:_|$)")
"""What names of columns of logarithms hold, in plain names."""


def draft_condition(lines: Lines, found: Inspection, folder: Path) -> None:
    """Draft ``[condition]``; names of files are relative to ``folder``."""
    lines.section("condition")
    if found.is_phenotype or found.values.kind == "log2tpm1":
        _cell_lines(lines, found, folder)
        return
    best, labels = found.best("perturbation"), found.labels
    if best is None or labels is None:
        example = next(iter(found.treated_alike), "a column") if found.table is None else {"value": "TP53"}
        also = f", or control_where = {to_toml(_undosed(found))} if these are it" if _undosed(found) else ""
        alike = [f"'{column}' is {label!r} in all rows: name the files of its controls under files too{also}"
                 for column, label in found.treated_alike.items()]  # fmt: skip
        lines.ask("perturbation", example, "no column tells what was perturbed", *alike, _columns(found))
        lines.ask("kind", "crispri")
    else:
        _perturbation(lines, found, best)
        kinds = found.roles["kind"]
        if not kinds:
            lines.ask("kind", "crispri", "no column says in words that are known how it was perturbed")
        for kind in kinds[:1]:
            name = "kind" if kind.column is None else "kind_column"
            lines.set(name, kind.value or kind.column, _why(kind), is_doubtful=kind.score < NAMED)
    is_asked = _controls(lines, found)
    if labels is not None and labels.unassigned and not is_asked:
        lines.set("unassigned", list(labels.unassigned), counted(labels.unassigned))
    if labels is not None:
        _label_rules(lines, labels)
    _context(lines, found)
    _quantities(lines, found)
    _partition(lines, found)


def _label_rules(lines: Lines, labels: PerturbationLabels) -> None:
    """Write how labels are taken apart, to be checked where another sign joins some of them."""
    if labels.separator is not None:
        odd = labels.otherwise_joined
        told = f"joined by another sign, each a gene of its own unless written alike: {counted(odd)}" if odd else ""
        lines.set("separator", *labels.separator, told, is_doubtful=bool(odd))
    if labels.strip is not None:
        lines.set("strip", *labels.strip)


def _perturbation(lines: Lines, found: Inspection, best: Guess) -> None:
    """Write the column of labels, or the two of a combination."""
    combined = found.best("combined")
    if combined is None:
        value = best.column if best.value is None else {"value": best.value}
        also = _also(found.roles["perturbation"][1:])
        numbers = found.labels.numbers if found.labels is not None else {}
        if numbers:
            also.append(f"numbers among genes, and conditions unless unassigned has them: {counted(numbers)}")
        lines.set("perturbation", value, _why(best), *also, is_doubtful=best.is_doubtful or bool(numbers))
        return
    lines.set("perturbation", [best.column, combined.column], _why(best), f"with {_why(combined)}")
    lines.set("separator", COMBINED, "what the two names are joined by")


def _cell_lines(lines: Lines, found: Inspection, folder: Path) -> None:
    """Write conditions of a matrix whose rows are cell lines: its columns are what was perturbed, if anything was."""
    model = "model_id" if "model_id" in found.columns else INDEX
    if found.is_phenotype:
        lines.set("perturbation", MATRIX_COLUMNS, "a column of the matrix is a perturbed gene")
        lines.set("kind", "crispr_knockout", "as in DepMap's screens")
    else:
        lines.set("perturbation", model, "nothing was: these are cell lines at rest")
        lines.set("kind", "control")
    if found.phenotype_row is not None:
        lines.set("where", f"{INDEX} = '{found.phenotype_row}'", "of the numbers of each gene the one to use")
        lines.ask("context", {"value": "K562"}, "the file does not say in which cells this was done")
        return
    lines.set("context", {"column": model})
    if is_model_table(found) and found.row_table is not None:
        lines.set("context_table", relative(found.row_table.path, folder), "names of the cell lines")
    if "is_default" in found.columns:
        lines.set("where", "is_default", "of several rows of a line the one to use")


def is_model_table(found: Inspection) -> bool:
    """Say whether the table beside a file is one of cell lines, which tells contexts rather than rows."""
    return found.row_table is not None and found.row_table.key in {
        *PUBLISHED_COLUMNS["depmap_id"],
        *PUBLISHED_COLUMNS["ids"],
    }


def relative(path: Path, folder: Path) -> str:
    """Name a file as a spec in a folder does."""
    return Path(os.path.relpath(path, folder)).as_posix()


def _controls(lines: Lines, found: Inspection) -> bool:
    """Write which rows are controls; say whether words for no perturbation are proposed, as these may be them."""
    labels, wells = found.labels, found.best("control")
    has_kinds = labels is not None and bool(found.roles.get("kind")) and found.roles["kind"][0].column is not None
    if labels is not None and labels.controls:
        is_doubtful = bool(labels.suspects or found.n_undosed or kinds_of_controls(labels.controls))
        lines.set("controls", list(labels.controls), *_known_controls(labels, found.n_undosed), is_doubtful=is_doubtful)
    elif wells is not None and wells.value is not None and not found.is_relative:
        lines.set("control_where", wells.value, _why(wells))
    elif found.needs_control and not has_kinds:
        return _ask_for_controls(lines, labels, _undosed(found))
    return False


def _known_controls(labels: PerturbationLabels, n_undosed: int) -> list[str]:
    """Say which controls are known, and which labels or rows besides may be controls too."""
    told = [counted(labels.controls)]
    if kinds := kinds_of_controls(labels.controls):
        told.append(f"of several kinds, and one reference: {kinds}; {APART}")
    if labels.suspects:
        told.append(f"may be controls too, and are conditions unless they are added: {counted(labels.suspects)}")
    if labels.gene_suspects:
        told.append(f"genes that libraries take for controls, here conditions: {counted(labels.gene_suspects)}")
    if n_undosed:
        told.append(f"{n_undosed:,} rows of other labels have a dose of 0: they may be the control, as of a vehicle")
    return told


def _undosed(found: Inspection) -> str | None:
    """Write the condition that takes rows of a dose of 0, if there are some and doses are numbers."""
    dose = found.best("dose")
    if not found.n_undosed or dose is None or dose.column is None or _is_logarithm(dose.column):
        return None
    return f"{column_in_sql(dose.column)} = 0"


def _ask_for_controls(lines: Lines, labels: PerturbationLabels | None, undosed: str | None) -> bool:
    """Ask for the controls: rows of a dose of 0, labels that look like some, rows without a label, words for none."""
    if undosed is not None and (labels is None or not labels.suspects):
        lines.ask("control_where", undosed, "no known label of controls is there; rows have a dose of 0: if they are")
    elif labels is None or not (labels.suspects or labels.gene_suspects or labels.n_missing or labels.unassigned):
        lines.ask("controls", ["non-targeting"], "no known label of controls is there")
    elif labels.suspects:
        lines.ask(
            "controls",
            list(labels.suspects),
            f"no known label of controls is there; may be: {counted(labels.suspects)}",
        )
    elif labels.n_missing:
        told = f"no known label of controls is there, and {labels.n_missing:,} rows have no label: if they are controls"
        lines.ask("control_where", f"{column_in_sql(labels.column)} is null", told)
    else:
        may_be = labels.unassigned or labels.gene_suspects
        told = f"no known label of controls is there; {counted(may_be)}"
        if labels.unassigned:
            told += ": those that are no controls belong in unassigned"
        lines.ask("controls", list(may_be)[:MOST_COUNTED], told)
        return bool(labels.unassigned)
    return False


def _context(lines: Lines, found: Inspection) -> None:
    """Write the cells in which it was done, and their stimulus where a column of its own has it."""
    context, stimulus = found.best("context"), found.best("second perturbation")
    pooled = [guess for guess in found.roles.get("second perturbation", []) if guess is not stimulus]
    told = [f"conditions pool over '{guess.column}': a template or where would keep them apart" for guess in pooled]
    alike = found.treated_alike if found.labels is not None and stimulus is None else {}
    told += [f"'{column}' is {label!r} in all rows, which conditions would not say" for column, label in alike.items()]
    if context is None:
        example = {"value": "K562"} if stimulus is None else {"template": f"K562, {{{stimulus.column}}}"}
        lines.ask("context", example, "the file does not say in which cells this was done", *told, _columns(found))
        return
    value = {"column": context.column} if context.value is None else {"value": context.value}
    reasons = [_why(context), *_also(found.roles["context"][1:])]
    if stimulus is not None:
        cells = f"{{{context.column}}}" if context.value is None else context.value
        value = {"template": f"{cells}, {{{stimulus.column}}}"}
        reasons.append(f"with {_why(stimulus)}")
    elif alike:
        cells = f"{{{context.column}}}" if context.value is None else context.value
        value = {"template": ", ".join([cells, *(f"{{{column}}}" for column in alike)])}
    lines.set("context", value, *reasons, *told, is_doubtful=bool(pooled or alike))


def _quantities(lines: Lines, found: Inspection) -> None:
    kind = found.roles["kind"][0].value if found.roles.get("kind") else None
    for role, example in (("dose", "nM"), ("time", "h")):
        guess = found.best(role)
        if guess is None or guess.column is None:
            continue
        if role == "dose" and kind in GENETIC_KINDS and not found.has_doses:
            continue
        has_own_unit = any("such as" in reason for reason in guess.reasons)
        is_log = role == "dose" and not has_own_unit and _is_logarithm(guess.column)
        unit = None if has_own_unit or is_log else found.units.get(role) or _unit_in(guess.column)
        told = "" if has_own_unit or unit else f'no unit is given: add unit = "{example}" if that is it'
        told = "its name speaks of a logarithm: doses are kept apart as written, without a unit" if is_log else told
        value: dict[str, object] = {"column": guess.column}
        if unit:
            value["unit"] = unit
        if role == "dose" and found.is_measured:
            value["nominal"] = True
            told = f"{told}; " * bool(told) + "doses as measured, taken as those that were meant"
        lines.set(role, value, _why(guess), told)


def _partition(lines: Lines, found: Inspection) -> None:
    """Write the batch, of how many cells a row is made, and mention what else rows differ by."""
    batch = found.best("batch")
    if batch is None and found.values.route == "replicates":
        batch = next((guess for guess in found.roles["batch"] if "plate" in plain(str(guess.column))), None)
    if batch is not None and not found.is_relative:
        told = (_why(batch), *_also(found.roles["batch"][1:]))
        lines.set("batch", batch.column, *told, is_doubtful=batch.is_doubtful)
    if found.cells:
        value = found.cells if len(found.cells) > 1 else found.cells[0]
        lines.set("cells", value, "a row is a population: of so many cells")
    _where(lines, found)
    for role, key in (("cluster", "cluster"), ("filter", "where")):
        for guess in found.roles[role][:1]:
            lines.note(f"also there, not used: {key} = {to_toml(guess.column)} ({role})")
    for guess in found.roles["replicate"][:1] if found.needs_control else ():
        named = f"also there, not used: replicate = {to_toml(guess.column)} ({guess.reasons[-1]}"
        lines.note(f"{named}; conditions that have two or more are then tested over these, not over cells)")


def _where(lines: Lines, found: Inspection) -> None:
    """Write which rows are taken: of populations those of cells, no doublets."""
    conditions, reasons = [], []
    if found.has_empty_rows and len(found.cells) == 1 and not found.is_relative:
        conditions.append(f"{column_in_sql(found.cells[0])} > 0")
        reasons.append("the others are of no cell")
    doublets = found.roles.get("doublets", []) if found.needs_control else []
    conditions += [str(guess.value) for guess in doublets]
    reasons += [_why(guess) for guess in doublets]
    if conditions:
        lines.set("where", " and ".join(conditions), *reasons, is_doubtful=bool(doublets))


def _is_logarithm(column: str) -> bool:
    return LOGARITHM.search(plain(column)) is not None


def _unit_in(column: str) -> str | None:
    return next((unit for ending, unit in UNITS.items() if plain(column).endswith(ending)), None)


def _why(guess: Guess) -> str:
    name = f"column '{guess.column}': " if guess.column is not None else ""
    return f"[{guess.score:.2f}] {name}{'; '.join(guess.reasons)}"


def _also(guesses: Iterable[Guess]) -> list[str]:
    return [f"or {_why(guess)}" for guess in list(guesses)[:2] if guess.score >= LEAST]


def _columns(found: Inspection) -> str:
    names = [name for name in found.columns if name != INDEX]
    return f"columns are {first_of(names, 20)}" if names else "there is no column but the key"
