"""The catalogue: which datasets the field has published, where, under which terms, and how many conditions they add.

It is data, ``catalogue.toml``, and says nothing that its publishers do not: what they leave out is None here. A file
of one's own adds entries to it, and takes the place of those that it names.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from datetime import date
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from featurestore.errors import SpecError, did_you_mean
from ingest.condition_section import Kind
from ingest.spec import SPECS

SHIPPED = Path(__file__).with_name("catalogue.toml")

SIMULATED = "simulated"
"""The assay of what a model predicted: catalogued so that nobody takes it for measurements."""

Assay = Literal[
    "perturb_seq", "drug_seq", "bulk_rna_seq", "l1000", "de_table", "crispr_screen", "observational", "simulated"
]
Access = Literal["open", "login", "requester_pays"]
Url = Annotated[str, Field(pattern=r"^https://\S+$")]
Doi = Annotated[str, Field(pattern=r"^10\.\d+/\S+$")]
GIGABYTE = 10**9


class CatalogueSection(BaseModel):
    """A table of the catalogue; it takes no key that it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


class RemoteFile(CatalogueSection):
    """A file to download; ``{part:05d}`` in its name and address stands for each number below ``parts``.

    ``bytes`` is exact and is checked; ``approx_gb`` is what a publisher rounds to, of all parts together. ``crc32c`` is
    in base64, as Google storage states it.
    """

    name: Annotated[str, Field(pattern=r"^[^/\\]+$", max_length=200)]
    url: Annotated[str, Field(pattern=r"^[a-z0-9]+://[^/\s]+\S*$")]
    bytes: Annotated[int, Field(gt=0)] | None = None
    approx_gb: Annotated[float, Field(gt=0)] | None = None
    md5: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")] | None = None
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    crc32c: Annotated[str, Field(pattern=r"^[A-Za-z0-9+/]{6}==$")] | None = None
    parts: Annotated[int, Field(gt=1)] | None = None

    @model_validator(mode="after")
    def _is_one_file(self) -> Self:
        if self.name.startswith(".") or PurePosixPath(self.name).name != self.name:
            raise ValueError(f"'{self.name}' is not the name of a file")
        if self.parts and (self.bytes or self.hash):
            raise ValueError("a file in parts has no size or hash of its own")
        return self

    @property
    def hash(self) -> tuple[str, str] | None:
        """The best of the hashes that are published, with its name."""
        names = ("sha256", "md5", "crc32c")
        return next(((name, value) for name in names if (value := getattr(self, name)) is not None), None)

    @property
    def gigabytes(self) -> float | None:
        """The size that is stated, exactly or not."""
        return self.bytes / GIGABYTE if self.bytes else self.approx_gb

    def is_called(self, name: str) -> bool:
        """Say whether this is the name of the file, or of one of its parts."""
        pattern = r"\d+".join(re.escape(piece) for piece in re.split(r"\{part:\d+d\}", self.name))
        return re.fullmatch(pattern, name) is not None

    def each(self) -> list[RemoteFile]:
        """Give the files that this one stands for."""
        if self.parts is None:
            return [self]
        return [
            RemoteFile(name=self.name.format(part=part), url=self.url.format(part=part)) for part in range(self.parts)
        ]


class _Dataset(CatalogueSection):
    """A dataset; its citation, licence, url and doi are those of its source where it has none of its own."""

    id: Annotated[str, Field(pattern=r"^[a-z0-9_]+$", max_length=100)]
    title: str
    assay: Assay
    kind: Kind | None = None
    context: str | None = None
    format: str
    files: list[RemoteFile] = []
    n_cells: Annotated[int, Field(ge=0)] | None = None
    n_conditions: Annotated[int, Field(ge=0)] | None = None
    counted: str | None = None
    same_cells_as: str | None = None
    access: Access = "open"
    approx_gb: Annotated[float, Field(gt=0)] | None = None
    note: str = ""
    citation: str | None = None
    licence: str | None = None
    url: Url | None = None
    doi: Doi | None = None

    @model_validator(mode="after")
    def _says_how_it_counted(self) -> Self:
        if (self.n_conditions is None) != (self.counted is None):
            raise ValueError("'n_conditions' and 'counted' go together")
        if self.same_cells_as is not None and self.n_conditions is not None:
            raise ValueError("conditions are counted where the cells were first published")
        return self


class _Source(CatalogueSection):
    name: str
    citation: str
    licence: str
    url: Url
    doi: Doi | None = None
    note: str = ""
    dataset: Annotated[list[_Dataset], Field(min_length=1)]


class _Catalogue(CatalogueSection):
    checked: date | None = None
    source: list[_Source]


class Entry(_Dataset):
    """A dataset with what is true of its whole source."""

    source: str
    citation: str
    licence: str
    url: str

    @property
    def gigabytes(self) -> float | None:
        """Size of what is to be downloaded: of the files that state one, else of the dataset."""
        known = [file.gigabytes for file in self.files if file.gigabytes is not None]
        return sum(known) if known else self.approx_gb

    @property
    def has_own_cells(self) -> bool:
        """Whether it measured cells that no other entry has."""
        return self.same_cells_as is None and self.assay != SIMULATED

    @property
    def spec(self) -> Path | None:
        """The spec that comes with featurestore, if there is one; it is named like the dataset."""
        path = SPECS / f"{self.id}.toml"
        return path if path.is_file() else None


def read_catalogue(*own: Path) -> dict[str, Entry]:
    """Read the catalogue that comes along, and files of one's own that add to it.

    Parameters
    ----------
    own
        Files in the same form. An entry with an id that is there takes its place, whole.

    Returns
    -------
    Its datasets by id, in the order of the files.

    Raises
    ------
    SpecError
        A file cannot be read, or contradicts itself; every fault is listed.
    """
    return read_catalogues((SHIPPED, *own))


def read_catalogues(paths: Sequence[Path]) -> dict[str, Entry]:
    """Read catalogues, each of which adds to those before it; see :func:`read_catalogue`.

    Raises
    ------
    SpecError
        One is wrong, or names cells of a dataset that none has.
    """
    entries: dict[str, Entry] = {}
    for path in paths:
        entries |= _entries(_parsed(path), path)
        strays = [e.id for e in entries.values() if e.same_cells_as is not None and e.same_cells_as not in entries]
        if strays:
            got = ", ".join(strays)
            raise SpecError("The catalogue names cells that it does not have.", where=str(path), got=got)
    return entries


def last_checked(path: Path = SHIPPED) -> date | None:
    """Say on which day a catalogue was last checked against what publishers state; None where it does not say."""
    return _parsed(path).checked


def _parsed(path: Path) -> _Catalogue:
    try:
        return _Catalogue.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise SpecError("The catalogue cannot be read.", where=str(path), got=error.strerror or str(error)) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SpecError("The catalogue is not TOML.", where=str(path), got=str(error)) from None
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()]
        raise SpecError("The catalogue is wrong.", where=str(path), got="\n            ".join(faults)) from None


def _entries(catalogue: _Catalogue, path: Path) -> dict[str, Entry]:
    entries: dict[str, Entry] = {}
    for source in catalogue.source:
        shared = {"source": source.name, **source.model_dump(exclude={"name", "dataset", "note"})}
        for dataset in source.dataset:
            if dataset.id in entries:
                raise SpecError("The catalogue has an id twice.", where=str(path), got=dataset.id)
            note = "; ".join(filter(None, (dataset.note, source.note)))
            own = dataset.model_dump(exclude_none=True)
            entries[dataset.id] = Entry(**{**shared, **own, "note": note})
    return entries


def find_entry(dataset_id: str, entries: dict[str, Entry]) -> Entry:
    """Look a dataset up.

    Raises
    ------
    SpecError
        The catalogue does not have it.
    """
    if dataset_id not in entries:
        raise SpecError(
            f"The catalogue has no dataset '{dataset_id}'.",
            do=f"{did_you_mean(dataset_id, entries)} ('featurestore sources' lists all)",
        )
    return entries[dataset_id]
