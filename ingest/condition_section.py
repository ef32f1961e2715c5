"""``[condition]`` of a dataset spec: which columns of the row table make a condition."""

from __future__ import annotations

import math
import re
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, field_validator, model_validator

from ingest.given import Context, Dose, Fixed, FromColumns, Quantity
from ingest.sections import Condition, Section, Words

Kind = Literal["crispri", "crispra", "crispr_knockout", "shrna", "overexpression", "compound", "ligand", "control"]

MATRIX_COLUMNS = "columns"
"""What the perturbation is where a column of the matrix is a perturbed gene."""


class ConditionSection(Section):
    """``[condition]``: which columns of the row table make a condition.

    Several columns of ``perturbation`` are the components of a combination; ``{ value = "TP53" }`` is that of all rows.
    Rows that ``control_where`` takes are controls, whatever their label. ``strip`` is a regular expression: all that it
    matches is taken off labels, after they are compared with ``controls``; ``^sg|-\\d+$`` makes TP53 of ``sgTP53-1``.
    ``cells`` says that a row is a pseudobulk, and of how many cells: of several columns the first that has a number.
    With ``perturbation = "columns"`` the columns of the matrix are the perturbed genes; with ``kind = "control"`` every
    row is a control, a cell line at rest. ``guide`` is the column that names the guide of a cell: the cells of each
    negative-control guide are then one of the conditions in which nothing happened. Conditions of fewer than
    ``min_cells`` cells are kept, but are not data points: 10 by default, 2 samples of bulk RNA-Seq.
    A column that is called dose or time keeps conditions apart, or is named by ``pooled``.
    ``replicate`` is the column, or the columns together, of what was repeated: donors, wells, guides. Conditions of
    which two or more are there, on both sides, are tested over these, not over cells.
    """

    perturbation: str | Fixed | Annotated[list[str], Field(min_length=2)]
    context: Context
    kind: Kind | None = None
    kind_column: str | None = None
    controls: list[Words] = Field(default_factory=list)
    control_where: Condition | None = None
    unassigned: list[Words] = Field(default_factory=list)
    separator: Annotated[str, StringConstraints(strip_whitespace=False, min_length=1)] | None = None
    strip: str | None = None
    batch: str | None = None
    guide: str | None = None
    min_cells: Annotated[int, Field(ge=1)] | None = None
    replicate: str | Annotated[list[str], Field(min_length=1)] = Field(default_factory=list)
    dose: Dose | None = None
    time: Quantity | None = None
    pooled: list[str] = Field(default_factory=list)
    cluster: str | None = None
    split: str | None = None
    cells: str | list[str] = Field(default_factory=list)
    where: Condition | None = None
    context_table: str | None = None

    @field_validator("strip")
    @classmethod
    def _is_pattern(cls, pattern: str | None) -> str | None:
        try:
            re.compile(pattern or "")
        except re.error as error:
            raise ValueError(f"not a regular expression: {error}") from None
        return pattern

    @model_validator(mode="after")
    def _has_one_kind(self) -> Self:
        if (self.kind is None) == (self.kind_column is None):
            got = "neither" if self.kind is None else "both"
            raise ValueError(f"give either 'kind' or 'kind_column'; got {got}")
        return self

    @model_validator(mode="after")
    def _only_quantities_have_units(self) -> Self:
        for name in ("perturbation", "context"):
            if getattr(getattr(self, name), "unit", None) is not None:
                raise ValueError(f"'unit' is for doses and times, not for '{name}'")
        for name in ("context", "time"):
            if getattr(getattr(self, name), "nominal", False):
                raise ValueError(f"'nominal' is for doses, not for '{name}'")
        return self

    @model_validator(mode="after")
    def _is_not_below_zero(self) -> Self:
        for name in ("dose", "time"):
            quantity = getattr(self, name)
            if isinstance(quantity, Fixed) and isinstance(quantity.value, float) and not 0 <= quantity.value < math.inf:
                raise ValueError(f"'{name}' is a number from 0 up; got {quantity.value:g}")
        return self

    @model_validator(mode="after")
    def _combines_with_a_separator(self) -> Self:
        if isinstance(self.perturbation, list) and not (self.separator and self.controls):
            raise ValueError("several columns of 'perturbation' need 'controls' and a 'separator', such as ' + '")
        if isinstance(self.dose, FromColumns) and len(self.dose.columns) != len(self.components):
            raise ValueError("give as many columns of 'dose' as of 'perturbation'")
        return self

    @model_validator(mode="after")
    def _are_controls_or_unassigned(self) -> Self:
        controls = {label.strip() for label in self.controls}
        if both := [label for label in self.unassigned if label.strip() in controls]:
            labels = ", ".join(map(repr, both))
            raise ValueError(f"a label is a control or unassigned; got {labels} in both: take it out of one")
        return self

    @property
    def components(self) -> list[str]:
        """The columns of the perturbation: one, or one for each component; none where it is fixed, or a matrix's."""
        if self.perturbation == MATRIX_COLUMNS or isinstance(self.perturbation, Fixed):
            return []
        return [self.perturbation] if isinstance(self.perturbation, str) else self.perturbation

    @property
    def cell_numbers(self) -> list[str]:
        """The columns that say of how many cells a row is the pseudobulk; none where it is a cell or a well."""
        return [self.cells] if isinstance(self.cells, str) else self.cells

    @property
    def replicate_columns(self) -> list[str]:
        """The columns that together name a replicate."""
        return [self.replicate] if isinstance(self.replicate, str) else self.replicate
