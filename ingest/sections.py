"""Sections of a dataset spec that name tables and columns: what describes rows, genes, tokens and compounds."""

from __future__ import annotations

import math
import re
from contextlib import suppress
from typing import Annotated, Literal, Self

import polars as pl
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator


class Section(BaseModel):
    """A table of the spec; it takes no key that it does not know, no other type, and no empty text for a name."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, str_strip_whitespace=True, str_min_length=1)


Words = Annotated[str, StringConstraints(min_length=0)]
"""A text that may be empty, as the name of the column of R's row names is."""
MOST_COMPARISONS = 300
"""In a condition: what evaluates them takes the cube of their number, 5 s of 2,000."""


def _of_few_comparisons(text: str) -> str:
    n = 1 + len(re.findall(r"\b(?:and|or)\b", re.sub(r"'[^']*'|\"[^\"]*\"", "", text), re.IGNORECASE))
    if n > MOST_COMPARISONS:
        raise ValueError(
            f"at most {MOST_COMPARISONS} comparisons are joined by 'and' or 'or', and these are {n:,}; "
            "write those of one column as column in ('a', 'b', ...)"
        )
    return text


Condition = Annotated[str, AfterValidator(_of_few_comparisons)]
"""A condition in SQL, over the columns of a table."""


class TableSection(Section):
    """``[rows]`` or ``[genes]``: a separate table that describes the matrix's rows or genes, and its key column.

    ``columns`` names the columns of a table without a header; a header that says the same is no row of the table.
    """

    table: str | None = None
    key: Words | None = None
    columns: list[str] = []

    @model_validator(mode="after")
    def _goes_together(self) -> Self:
        if (self.table is None) != (self.key is None):
            raise ValueError("'table' and 'key' go together")
        return self


class JoinSection(Section):
    """``[[rows.join]]``: a further table, its key columns, and the columns of the rows that hold the key.

    Where ``on`` is left out, they are named as the key. Of several rows with one key, such as the targets of a
    compound, the distinct values are joined by ``|``. A glob names several tables, one below the other.
    """

    table: str
    key: Words | list[Words]
    on: str | list[str] | None = None

    @model_validator(mode="after")
    def _is_matched(self) -> Self:
        if self.on is not None and isinstance(self.on, list) != isinstance(self.key, list):
            raise ValueError("give as many columns 'on' as of 'key'")
        if isinstance(self.on, list) and len(self.on) != len(self.key):
            raise ValueError("give as many columns 'on' as of 'key'")
        return self


class RowsSection(TableSection):
    """``[rows]``: separate tables that describe the matrix's rows, and columns read out of names.

    The first table is found by the rows' own key, others by a column. ``extract`` makes columns of the named groups of
    a regular expression: ``{ sample = '^(?P<line>[^_]+)_' }``; ``file`` is the file's path within the data folder.
    """

    join: list[JoinSection] = []
    extract: dict[str, str] = {}

    @field_validator("extract")
    @classmethod
    def _are_patterns(cls, patterns: dict[str, str]) -> dict[str, str]:
        for column, pattern in patterns.items():
            if not groups_of(pattern):
                raise ValueError(
                    f"the pattern of '{column}' is not a regular expression with named groups: expected one such as "
                    f"'^(?P<line>[^_]+)_', got {pattern!r}"
                )
        return patterns


class GenesSection(TableSection):
    """``[genes]``: which column identifies the measured genes, and which genes to keep.

    ``kind`` is the notation of the list. It settles what a single text does not tell, whether a bare number is an
    Entrez id and a symbol one of the mouse; a text that tells its own notation is read by that. ``where`` is a
    condition on the gene table; a cell's total is taken without what it leaves out. ``notes`` are columns of the table
    that the ledger quotes; ``landmarks`` is a condition that tells the genes which were measured, the others being
    inferred. With ``absent = "all_zero"`` a gene that is zero in every row of the file was not measured.
    ``transcripts`` names a GTF, or a table of transcripts and their genes (tx2gene): the matrix is of transcripts, and
    their counts are summed.
    ``translate_mouse`` maps mouse genes, measured and targeted, to their only human ortholog; without it they have no
    gene.
    """

    id: str = "index"
    symbol: str | None = None
    where: Condition | None = None
    notes: list[str] = []
    landmarks: Condition | None = None
    kind: str | None = None
    duplicates: Literal["refuse", "collapse"] = "refuse"
    absent: Literal["all_zero"] | None = None
    transcripts: str | None = None
    max_unmapped: Annotated[float, Field(ge=0, le=1)] = 0.5
    translate_mouse: bool = False


class GuidesSection(Section):
    """``[guides]``: guides called from their own counts, of which the matrix has rows beside the genes.

    The column ``guide_call`` then holds each cell's guides with ``min_count`` counts or more, joined by ``|``.
    """

    min_count: Annotated[int, Field(ge=1)]


class TagsSection(Section):
    """``[tags]``: hashtags of samples (``hto``, Multiplexing Capture) called from their own counts.

    The column ``tag_call`` then holds each cell's tags with ``min_count`` counts or more, joined by ``|``: a cell of
    several is a doublet.
    """

    min_count: Annotated[int, Field(ge=1)]


class TokensSection(Section):
    """``[tokens]``: columns of a file in which a cell is a list of tokens and one of values, where they are not known.

    ``key`` is the column that names cells. ``vocabulary`` is the table of what tokens mean, Parquet, CSV or TSV, and
    ``token`` its column of tokens; with ``are_genes = true`` numbers are identifiers of genes themselves, as text is.
    """

    tokens: str
    values: str
    key: str | None = None
    vocabulary: str | None = None
    token: str | None = None
    are_genes: bool = False


class CompoundSection(Section):
    """``[compound]``: columns of the row table that identify compounds beyond their name.

    ``dictionary`` is a file beside the data that knows more of them, such as the Drug Repurposing Hub's table.
    """

    dictionary: str | None = None
    inchi_key: str | None = None
    smiles: str | None = None
    pubchem_cid: str | None = None
    broad_id: str | None = None
    moa: str | None = None

    def columns(self) -> dict[str, str | None]:
        """Return the column that holds each thing that may be known of a compound."""
        return self.model_dump(exclude={"dictionary"})


class LogarithmSection(Section):
    """``logarithm`` of ``[dataset]``: the base of ``log1p`` values, and what the counts of a row were scaled to.

    Both are read from the file where it tells; ``total = "unknown"`` takes values as they are.
    """

    base: Annotated[float, Field(gt=1, allow_inf_nan=False)] | Literal["e"] | None = None
    total: Annotated[float, Field(gt=0, allow_inf_nan=False)] | Literal["unknown"] | None = None

    @property
    def number(self) -> float | None:
        """The base as a number."""
        return math.e if self.base == "e" else self.base


class CoverageSection(Section):
    """``[coverage]``: what a read covers, for ``bp_coverage``: its length (a column or a number), or two columns.

    The two are ``auc``, all coverage of a sample, and ``mapped_reads``.
    """

    read_length: str | float | None = None
    auc: str | None = None
    mapped_reads: str | None = None

    @model_validator(mode="after")
    def _says_it_once(self) -> Self:
        if (self.read_length is None) != (self.auc is not None and self.mapped_reads is not None):
            raise ValueError("give either 'read_length', or 'auc' and 'mapped_reads'")
        return self

    def columns(self) -> dict[str, str]:
        """Return the columns that are named."""
        return {name: value for name, value in self.model_dump().items() if isinstance(value, str)}


def column_in_sql(name: str) -> str:
    """Write a column's name as SQL has it: in quotation marks where it is no plain word, or one of SQL's own.

    Examples
    --------
    >>> column_in_sql("gene"), column_in_sql("group"), column_in_sql("cell line")
    ('gene', '"group"', '"cell line"')
    """
    if re.fullmatch(r"[A-Za-z_]\w*", name):
        with suppress(pl.exceptions.PolarsError):
            pl.sql_expr(f"{name} is null")
            return name
    return '"' + name.replace('"', '""') + '"'


def groups_of(pattern: str) -> list[str]:
    """List the named groups of a regular expression; none where it is none."""
    try:
        return [name for name in pl.Series([""]).str.extract_groups(pattern).struct.fields if not name.isdigit()]
    except pl.exceptions.PolarsError:
        return []
