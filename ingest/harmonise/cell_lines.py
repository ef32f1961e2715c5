"""The table of cell lines: accessions, DepMap ids and every name under which a line is published.

``cell_lines.csv`` holds the lines that perturbation screens use most, with tissue and disease in Oncotree's words, as
DepMap has them. A user's own table adds to it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import resources
from pathlib import Path

import polars as pl

from featurestore.contract import RELEASE
from featurestore.errors import SourceFormatError, first_of
from ingest.harmonise.published import MISSING
from ingest.harmonise.slugs import slug

PUBLISHED_COLUMNS: dict[str, tuple[str, ...]] = {
    "context_id": ("RRID", "Cell_ID_Cellosaur", "cellosaurus_id"),
    "name": ("CellLineName", "cell_line_name", "cell_name", "cell_iname"),
    "depmap_id": ("ModelID", "DepMap_ID", "Cell_ID_DepMap"),
    "tissue": ("OncotreeLineage", "lineage", "Organ", "cell_lineage"),
    "disease": ("OncotreePrimaryDisease", "primary_disease"),
    "ids": (
        *("SangerModelID", "Sanger_Model_ID", "COSMICID", "COSMIC_ID", "WTSIMasterCellID", "WTSI_Master_Cell_ID"),
        *("HCMIID", "HCMI_ID"),
    ),
    "aliases": ("StrippedCellLineName", "stripped_cell_line_name", "CCLEName", "CCLE_Name", "ccle_name", "cell_alias"),
}
"""What a table of cell lines tells, and the names of the columns in which sources publish it."""

ACCESSION = re.compile(r"(?:RRID:\s*)?(CVCL[_:][0-9A-Z]{4})", re.IGNORECASE)
DEPMAP_ID = re.compile(r"ACH[-_](\d{6})", re.IGNORECASE)
CCLE_NAME = re.compile(
    r"([A-Z0-9]+)_(?:ADRENAL_CORTEX|AUTONOMIC_GANGLIA|BILIARY_TRACT|BONE|BREAST|CENTRAL_NERVOUS_SYSTEM|CERVIX|"
    r"ENDOMETRIUM|ENGINEERED|EYE|FIBROBLAST|HAEMATOPOIETIC_AND_LYMPHOID_TISSUE|KIDNEY|LARGE_INTESTINE|LIVER|LUNG|"
    r"OESOPHAGUS|OVARY|PANCREAS|PLACENTA|PLEURA|PROSTATE|SALIVARY_GLAND|SKIN|SMALL_INTESTINE|SOFT_TISSUE|STOMACH|"
    r"TESTIS|THYROID|UPPER_AERODIGESTIVE_TRACT|URINARY_TRACT|UVEA|VULVA)"
)
"""``NAME_TISSUE``: the stripped name of a line and CCLE's word for its tissue."""

_SPELLING = re.compile(r"[A-Za-z0-9 \-_./:;,()\[\]]+")
"""Characters that spellings of one line's name differ by; with any other, a label is not just a name."""


def stripped(name: str) -> str | None:
    """Reduce a name to capital letters and digits; None if it holds more than spellings of a name differ by.

    Examples
    --------
    >>> stripped("hTERT RPE-1"), stripped("K562+")
    ('HTERTRPE1', None)
    """
    return re.sub(r"[^A-Z0-9]", "", name.upper()) or None if _SPELLING.fullmatch(name) else None


@dataclass(slots=True)
class CellLine:
    """A line, and what tables given later say against what is known of it."""

    context_id: str
    name: str
    depmap_id: str | None = None
    tissue: str | None = None
    disease: str | None = None
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Match:
    """The lines that a label may name; one, unless it is ambiguous."""

    lines: list[CellLine]
    status: str
    method: str
    note: str = ""


class CellLines:
    """A table of cell lines, looked up by any of their names.

    Parameters
    ----------
    tables
        Frames with the columns of `read_model_table`, the most trusted first. A later table adds lines, names and
        empty fields; where it contradicts an earlier one, the earlier one stands and the line carries a note.
    """

    def __init__(self, tables: Iterable[pl.DataFrame]) -> None:
        self._lines: dict[str, CellLine] = {}
        self._by_depmap_id: dict[str, str] = {}
        self._by_key: dict[str, dict[str, str]] = defaultdict(dict)
        for table in tables:
            settled = frozenset(self._by_key)
            for row in table.iter_rows(named=True):
                self._add(row, settled)

    def _add(self, row: Mapping[str, object], settled: frozenset[str]) -> None:
        name, depmap_id = str(row["name"]), _text(row["depmap_id"])
        context_id = _text(row["context_id"]) or self._by_depmap_id.get(depmap_id or "") or slug(name)
        line = self._lines.setdefault(context_id, CellLine(context_id, name))
        line.tissue = line.tissue or _text(row["tissue"])
        line.disease = line.disease or _text(row["disease"])
        line.depmap_id = line.depmap_id or depmap_id
        if depmap_id is not None:
            if depmap_id != line.depmap_id:
                _note(line, f"also {depmap_id} ({name})")
            first = self._by_depmap_id.setdefault(depmap_id, context_id)
            if first != context_id:
                _note(self._lines[first], f"a table given has {context_id} for {depmap_id}")
        for identifier in _list(row.get("ids")):
            self._index(f"id {identifier.casefold()}", line, settled, "name")
        for alias in (name, *_list(row["aliases"])):
            spelling = stripped(alias)
            for key in (f"name {alias.casefold()}", *([f"spelling {spelling}"] if spelling else [])):
                self._index(key, line, settled, "name" if alias == name else "alias")

    def _index(self, key: str, line: CellLine, settled: frozenset[str], kind: str) -> None:
        """Point a name to a line, unless a more trusted table has it pointing elsewhere."""
        known = self._by_key[key]
        if key in settled and line.context_id not in known:
            for context_id in known:
                _note(self._lines[context_id], f"a table given has {line.context_id} for '{key.split(' ', 1)[1]}'")
        elif known.get(line.context_id) != "name":
            known[line.context_id] = kind

    def find(self, label: str) -> Match | None:
        """Find the line that the whole of a label names; None where there is none."""
        if match := ACCESSION.fullmatch(label):
            accession = match[1].upper().replace(":", "_")
            line = self._lines.get(accession)
            note = "" if line else "not in the table of cell lines"
            return Match([line or CellLine(accession, accession)], "approved", "Cellosaurus accession", note)
        if match := DEPMAP_ID.fullmatch(label):
            depmap_id = f"ACH-{match[1]}"
            if depmap_id in self._by_depmap_id:
                return Match([self._lines[self._by_depmap_id[depmap_id]]], "approved", "DepMap id")
            unknown = CellLine(slug(depmap_id), depmap_id, depmap_id)
            return Match([unknown], "slug", "DepMap id", "not in the table of cell lines")
        by_id = [self._lines[context_id] for context_id in self._by_key.get(f"id {_whole(label).casefold()}", ())]
        named = self._match(f"name {label.casefold()}", "")
        if by_id and named is None:
            status = "approved" if len(by_id) == 1 else "ambiguous"
            return Match(by_id, status, "identifier of the given table")
        if by_id and named is not None and by_id != named.lines:
            others = ", ".join(line.name for line in by_id)
            return replace(named, note=f"also the identifier of {others} in the table given")
        ccle = CCLE_NAME.fullmatch(label)
        return (
            named
            or self._match(f"spelling {stripped(label)}", "stripped ")
            or (self._match(f"spelling {ccle[1]}", "CCLE ") if ccle else None)
        )

    def _match(self, key: str, way: str) -> Match | None:
        found = self._by_key.get(key)
        if not found:
            return None
        lines = [self._lines[context_id] for context_id in sorted(found)]
        if len(lines) > 1:
            return Match(lines, "ambiguous", f"{way}name")
        kind = found[lines[0].context_id]
        return Match(lines, "approved" if kind == "name" and way != "CCLE " else "alias", f"{way}{kind}")


def _note(line: CellLine, text: str) -> None:
    if text not in line.notes:
        line.notes.append(text)


def _whole(label: str) -> str:
    """Write a whole number without the ``.0`` that a table with gaps gives it."""
    return re.sub(r"^(\d+)\.0$", r"\1", label)


def _list(value: object) -> list[str]:
    return value if isinstance(value, list) else []


def _text(value: object) -> str | None:
    return None if value is None else str(value)


@cache
def shipped_table() -> pl.DataFrame:
    """Return the table that the package ships, with the columns of `read_model_table`."""
    source = resources.files("ingest.harmonise").joinpath("cell_lines.csv").read_bytes()
    aliases = pl.col("aliases").fill_null("").str.split("|").list.filter(pl.element() != "")
    return pl.read_csv(source, infer_schema=False, glob=False).with_columns(aliases)


@cache
def shipped_lines() -> CellLines:
    """Return the shipped table, ready for looking up."""
    return CellLines([shipped_table()])


def read_model_table(path: Path) -> pl.DataFrame:
    """Read cell lines from DepMap's ``Model.csv`` or ``sample_info.csv``, Tahoe's metadata, or LINCS' ``cellinfo``.

    Returns
    -------
    ``context_id`` (accession or NULL), ``name``, ``depmap_id``, ``tissue``, ``disease``, ``aliases`` and ``ids``
    of other sources (lists).

    Raises
    ------
    SourceFormatError
        The file cannot be read, or has no column of cell line names.
    """
    separator = "," if ".csv" in path.suffixes else "\t"
    try:
        is_parquet = path.suffix == ".parquet"
        raw = (
            pl.read_parquet(path, glob=False)
            if is_parquet
            else pl.read_csv(path, separator=separator, infer_schema=False, glob=False)
        )
    except (OSError, pl.exceptions.PolarsError) as error:
        raise SourceFormatError("The table of cell lines cannot be read.", where=str(path), got=str(error)) from None
    if not any(column in raw.columns for column in PUBLISHED_COLUMNS["name"]):
        raise SourceFormatError(
            "The table has no column of cell line names.",
            where=str(path),
            expected="one of: " + ", ".join(PUBLISHED_COLUMNS["name"]),
            got=first_of(raw.columns, 12),
        )
    facts = [
        pl.coalesce(_published(raw, name) or [pl.lit(None, pl.String)]).alias(name)
        for name in RELEASE["context"].columns
    ]
    several = {name: _published(raw, name) or [pl.lit(None, pl.String)] for name in ("aliases", "ids")}
    several["ids"] = [text.str.replace(r"^(\d+)\.0$", "$1") for text in several["ids"]]
    table = raw.select(*facts, **{name: pl.concat_list(texts).list.drop_nulls() for name, texts in several.items()})
    return table.filter(pl.col("name").is_not_null()).unique(maintain_order=True)


def _published(raw: pl.DataFrame, name: str) -> list[pl.Expr]:
    present = [column for column in PUBLISHED_COLUMNS[name] if column in raw.columns]
    texts = [pl.col(column).cast(pl.String).str.strip_chars() for column in present]
    return [pl.when(~text.str.to_lowercase().is_in(list(MISSING))).then(text) for text in texts]
