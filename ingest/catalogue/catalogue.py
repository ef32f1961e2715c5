"""The catalogue: which datasets the field has published, where, under which terms, and how many conditions they add.

It is data, ``catalogue.toml``, and says nothing that its publishers do not: what they leave out is None here.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from featurestore.errors import SpecError, did_you_mean
from ingest.spec import SPECS, Kind

SHIPPED = Path(__file__).with_name("catalogue.toml")

Assay = Literal["perturb_seq", "drug_seq", "bulk_rna_seq", "l1000", "de_table", "crispr_screen", "observational"]
Access = Literal["open", "login", "requester_pays"]
GIGABYTE = 10**9


class CatalogueSection(BaseModel):
    """A table of the catalogue; it takes no key that it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


class RemoteFile(CatalogueSection):
    """A file to download; ``{part:05d}`` in its name and address stands for each number below ``parts``.

    ``bytes`` is exact and is checked; ``approx_gb`` is what a publisher rounds to, of all parts together.
    """

    name: Annotated[str, Field(pattern=r"^[^/\\]+$", max_length=200)]
    url: Annotated[str, Field(pattern=r"^[a-z0-9]+://[^/\s]+\S*$")]
    bytes: Annotated[int, Field(gt=0)] | None = None
    approx_gb: Annotated[float, Field(gt=0)] | None = None
    md5: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")] | None = None
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    parts: Annotated[int, Field(gt=1)] | None = None

    @model_validator(mode="after")
    def _is_one_file(self) -> Self:
        if self.name.startswith(".") or PurePosixPath(self.name).name != self.name:
            raise ValueError(f"'{self.name}' is not the name of a file")
        if self.parts and (self.bytes or self.md5 or self.sha256):
            raise ValueError("a file in parts has no size or hash of its own")
        return self

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
    url: Annotated[str, Field(pattern=r"^https://\S+$")]
    doi: Annotated[str, Field(pattern=r"^10\.\d+/\S+$")] | None = None
    note: str = ""
    dataset: Annotated[list[_Dataset], Field(min_length=1)]


class _Catalogue(CatalogueSection):
    source: list[_Source]


class Entry(_Dataset):
    """A dataset with what is true of its whole source."""

    source: str
    citation: str
    licence: str
    url: str
    doi: str | None

    @property
    def gigabytes(self) -> float | None:
        """Size of what is to be downloaded: of the files that state one, else of the dataset."""
        known = [file.gigabytes for file in self.files if file.gigabytes is not None]
        return sum(known) if known else self.approx_gb

    @property
    def spec(self) -> Path | None:
        """The spec that comes with featurestore, if there is one; it is named like the dataset."""
        path = SPECS / f"{self.id}.toml"
        return path if path.is_file() else None


def read_catalogue(path: Path = SHIPPED) -> dict[str, Entry]:
    """Read a catalogue.

    Returns
    -------
    Its datasets by id, in the order of the file.

    Raises
    ------
    SpecError
        The file cannot be read, or contradicts itself; every fault is listed.
    """
    try:
        catalogue = _Catalogue.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise SpecError("The catalogue cannot be read.", where=str(path), got=error.strerror or str(error)) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SpecError("The catalogue is not TOML.", where=str(path), got=str(error)) from None
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()]
        raise SpecError("The catalogue is wrong.", where=str(path), got="\n            ".join(faults)) from None
    entries: dict[str, Entry] = {}
    for source in catalogue.source:
        shared = {"source": source.name, **source.model_dump(exclude={"name", "dataset", "note"})}
        for dataset in source.dataset:
            if dataset.id in entries:
                raise SpecError("The catalogue has an id twice.", where=str(path), got=dataset.id)
            note = "; ".join(filter(None, (dataset.note, source.note)))
            entries[dataset.id] = Entry(**{**dataset.model_dump(), **shared, "note": note})
    strays = [e.id for e in entries.values() if e.same_cells_as is not None and e.same_cells_as not in entries]
    if strays:
        raise SpecError("The catalogue names cells that it does not have.", where=str(path), got=", ".join(strays))
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
