"""Sections of a dataset spec for what sources report themselves: effects, statistics, responses and their quality."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field, field_validator

from ingest.sections import Condition, Section


class QualitySection(Section):
    """``[quality]``: columns of the row table in which a source reports how good its signatures are."""

    n_cells: str | None = None
    replicate_correlation: str | None = None
    signature_strength: str | None = None
    tas: str | None = None
    passed: list[str] = Field(default_factory=list)

    def columns(self) -> list[str]:
        """Return the columns that are named."""
        one_each = self.model_dump(exclude={"passed"}).values()
        return [name for name in (*one_each, *self.passed) if name is not None]


class EffectsSection(Section):
    """``[table]``: a table with a row for each condition and gene; what it does not list is unknown.

    ``gene`` and the statistics are columns, or SQL over columns, in which ``file`` is the name of the file; ``columns``
    are further ones that SQL makes, for ``[condition]`` to name; ``where`` is a condition on rows.
    """

    gene: str
    effect: str
    standard_error: str | None = None
    z: str | None = None
    p_value: str | None = None
    q_value: str | None = None
    columns: dict[str, str] = Field(default_factory=dict)
    where: Condition | None = None

    def statistics(self) -> dict[str, str]:
        """Return the statistics that are given."""
        given = self.model_dump(exclude={"gene", "columns", "where"})
        return {name: text for name, text in given.items() if text is not None}


class PhenotypesSection(Section):
    """``[phenotypes]``: numbers of each row of a table of responses, by the name that each is to have.

    ``named`` gives a column, or SQL over columns: ``{ ln_ic50 = "LN_IC50", auc = "AUC" }``. Of several rows of one
    compound and cell line, ``repeats`` takes the mean or the median; without it they are refused.
    """

    named: Annotated[dict[str, str], Field(min_length=1)]
    repeats: Literal["mean", "median"] | None = None

    @field_validator("named")
    @classmethod
    def _are_names(cls, named: dict[str, str]) -> dict[str, str]:
        wrong = next((name for name in named if not re.fullmatch(r"[a-z][a-z0-9_]*", name)), None)
        if wrong is not None:
            raise ValueError(f"'{wrong}' is not a name for a phenotype: lower case, such as ln_ic50")
        return named

    @property
    def columns(self) -> dict[str, str]:
        """The numbers under names that no column of a file has, in whatever case."""
        return {f"phenotype:{name}": text for name, text in self.named.items()}

    @property
    def of_lines(self) -> EffectsSection:
        """The table as one of effects: of no gene and without an effect, with the numbers as columns of their own."""
        return EffectsSection(gene="null", effect="null", columns=self.columns)


class LayersSection(Section):
    """``[layers]``: further matrices of the file, by name, that hold statistics of its reported effects."""

    standard_error: str | None = None
    z: str | None = None
    p_value: str | None = None
    q_value: str | None = None

    def named(self) -> dict[str, str]:
        """Return the matrices that are given."""
        return {name: matrix for name, matrix in self.model_dump().items() if matrix is not None}
