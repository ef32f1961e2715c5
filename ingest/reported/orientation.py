"""Refuse effects of contrasts that are named the other way round, until the spec says which sign they have."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from featurestore.errors import SourceFormatError, SpecError, first_of
from ingest.conditions.given import GivenRows
from ingest.harmonise.combinations import control_words, split_label
from ingest.harmonise.contrasts import MAY_BE, is_turned
from ingest.readers.long_text import FILE, literal, quoted_name
from ingest.reported_sections import EffectsSection

if TYPE_CHECKING:
    from ingest.reported.long_table import LongTable
from ingest.spec import DatasetSpec

SAID = "A contrast is named the other way round: the control against what was perturbed."
EXPECTED = "effects of what was perturbed against its control, such as STAT1_vs_control"


def perturbed_names(given: GivenRows, spec: DatasetSpec) -> set[str]:
    """Name what was perturbed, as published, each component of a combination by itself."""
    labels = given.combos["perturbation_label"].drop_nulls().to_list()
    return {part for label in labels for part in split_label(label, spec.condition)} - control_words(spec.condition)


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


def require_orientation_of_rows(names: pl.Series, perturbed: Collection[str], where: str) -> None:
    """See to it that rows of a matrix of effects are no contrasts of the control against what was perturbed.

    Raises
    ------
    SourceFormatError
        A row is named so.
    """
    turned = [name for name in names.filter(names.str.contains(MAY_BE)).unique().sort() if is_turned(name, perturbed)]
    if turned:
        raise SourceFormatError(
            SAID,
            where=where,
            expected=EXPECTED,
            got=f"{len(turned):,} rows, such as {first_of(list(map(repr, turned)))}",
            do="turn the signs of those effects round in the file, and name them after what was perturbed",
        )


def _refused(path: Path, section: EffectsSection, column: str, names: list[str], *, is_all: bool) -> SpecError:
    signed = {key: getattr(section, key) for key in ("effect", "z") if getattr(section, key) is not None}
    named = {"effect": "the column of effects", FILE: "the file"}.get(column, f"column {column}")
    if is_all:
        turned = " and ".join(f"{key} = '-{quoted_name(text)}'" for key, text in signed.items())
        do = f"write {turned} under [table]"
    else:
        effect, among = quoted_name(section.effect), ", ".join(map(literal, names))
        of_each = f"case when {column} in ({among}) then -{effect} else {effect} end"
        turned = f"effect = '''{of_each}'''"
        do = f"write {turned} under [table]" + ", and z likewise" * ("z" in signed)
    return SpecError(
        SAID,
        where=f"{path}, {named}",
        expected=EXPECTED,
        got=first_of(list(map(repr, names))),
        do=f"{do}; if the effects have the right sign nevertheless, effect = '+{quoted_name(section.effect)}'",
    )
