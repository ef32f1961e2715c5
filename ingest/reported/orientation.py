"""Refuse effects of contrasts that are named the other way round, until the spec says which sign they have."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from featurestore.errors import SpecError, first_of
from ingest.harmonise.contrasts import is_turned
from ingest.readers.long_text import literal
from ingest.reported.long_table import FILE, LongTable
from ingest.sections import EffectsSection, column_in_sql

MOST_SHOWN = 3


def require_orientation(tables: Sequence[LongTable], section: EffectsSection, perturbed: Collection[str]) -> None:
    """See to it that effects are of what was perturbed against its control, as far as names of contrasts tell.

    An effect that the spec writes with a sign, or as other SQL, is what the spec says it is.

    Parameters
    ----------
    tables
        The files.
    section
        The spec's ``[table]``.
    perturbed
        Names of what was perturbed.

    Raises
    ------
    SpecError
        A file, the column of effects, or a column of contrasts is named after the control against what was perturbed.
    """
    for table in tables:
        if section.effect not in table.row_columns():
            return
        told = {FILE: [table.path.name], "effect": [section.effect], **table.contrasts()}
        turned = {column: [name for name in names if is_turned(name, perturbed)] for column, names in told.items()}
        for column, names in turned.items():
            if names:
                is_all = len(names) == len(told[column]) and (column != FILE or len(tables) == 1)
                raise _refused(table.path, section, column, names, is_all=is_all)


def _refused(path: Path, section: EffectsSection, column: str, names: list[str], *, is_all: bool) -> SpecError:
    signed = {key: getattr(section, key) for key in ("effect", "z") if getattr(section, key) is not None}
    named = {"effect": "the column of effects", FILE: "the file"}.get(column, f"column '{column}'")
    if is_all:
        turned = " and ".join(f"{key} = '-{_quoted(text)}'" for key, text in signed.items())
        do = f"write {turned} under [table]"
    else:
        effect, among = _quoted(section.effect), ", ".join(map(literal, names))
        of_each = f"case when {column_in_sql(column)} in ({among}) then -{effect} else {effect} end"
        turned = f"effect = '''{of_each}'''"
        do = f"write {turned} under [table]" + ", and z likewise" * ("z" in signed)
    return SpecError(
        "A contrast is named the other way round: the control against what was perturbed.",
        where=f"{path}, {named}",
        expected="effects of what was perturbed against its control, such as STAT1_vs_control",
        got=first_of(list(map(repr, names)), MOST_SHOWN),
        do=f"{do}; if the effects have the right sign nevertheless, effect = '+{_quoted(section.effect)}'",
    )


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
