"""A value as a spec gives it: fixed for all rows, read from a column or several, or put together by a template."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import Field, field_validator

from ingest.sections import Section

FIELD = r"\{([^{}]+)\}"
"""A column in a template."""


class Fixed(Section):
    """A value that holds for every row: ``{ value = "K562" }``; doses and times give a ``unit``."""

    value: str | float
    unit: str | None = None


class FromColumn(Section):
    """A value that a column of the row table holds: ``{ column = "dose", unit = "nM" }``.

    With ``nominal = true``, measured doses (0.01004) count as the dose that was meant (0.01).
    """

    column: str
    unit: str | None = None
    nominal: bool = False


class FromColumns(Section):
    """Doses of a combination, of which the n-th is that of its n-th component: ``{ columns = ["dose", "dose2"] }``."""

    columns: Annotated[list[str], Field(min_length=2)]
    unit: str | None = None


class FromTemplate(Section):
    """A text put together from columns of the row table: ``{ template = "{cell_line}, {stimulus}" }``."""

    template: str

    @property
    def columns(self) -> list[str]:
        """The columns that it names."""
        return re.findall(FIELD, self.template)

    @field_validator("template")
    @classmethod
    def _names_columns(cls, template: str) -> str:
        if not re.search(FIELD, template):
            raise ValueError("name columns in braces, such as '{cell_line}, {stimulus}'")
        return template


Quantity = Fixed | FromColumn
Context = Fixed | FromColumn | FromTemplate
Dose = Fixed | FromColumn | FromColumns


def given_columns(given: Context | Dose | None) -> list[str]:
    """List the columns that a context, dose or time is read from."""
    if given is None or isinstance(given, Fixed):
        return []
    return [given.column] if isinstance(given, FromColumn) else given.columns
