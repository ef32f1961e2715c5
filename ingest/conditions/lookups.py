"""What a dataset's labels are looked up in beyond the gene reference.

Its own tables of compounds and cell lines; and mygene.info, only where that is asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import polars as pl

from featurestore.errors import SpecError, did_you_mean
from ingest.harmonise.cell_lines import read_model_table
from ingest.harmonise.compounds import read_compound_dictionary
from ingest.harmonise.online import OnlineGenes
from ingest.spec import DatasetSpec


@dataclass(frozen=True, slots=True)
class Lookups:
    """The files, where the spec names any, and the service, where it may be asked."""

    compounds: Path | None = None
    cell_lines: Path | None = None
    online: OnlineGenes | None = None

    @classmethod
    def of(cls, spec: DatasetSpec, folder: Path, online: OnlineGenes | None = None) -> Self:
        """Find the tables that a spec names.

        Raises
        ------
        SpecError
            There is no such file.
        """
        compounds = _file(spec.compound.dictionary, folder, "dictionary under [compound]")
        return cls(compounds, _file(spec.condition.context_table, folder, "context_table under [condition]"), online)

    @property
    def files(self) -> list[Path]:
        """The files that there are."""
        return [path for path in (self.compounds, self.cell_lines) if path is not None]

    def read_compounds(self) -> pl.DataFrame | None:
        """Read the compound dictionary."""
        return read_compound_dictionary(self.compounds) if self.compounds is not None else None

    def read_cell_lines(self) -> pl.DataFrame | None:
        """Read the table of cell lines."""
        return read_model_table(self.cell_lines) if self.cell_lines is not None else None


def _file(name: str | None, folder: Path, key: str) -> Path | None:
    if name is None:
        return None
    if not (folder / name).is_file():
        near = [entry.name for entry in folder.iterdir()] if folder.is_dir() else []
        raise SpecError(f"There is no file '{name}'.", where=f"{folder}, {key}", do=did_you_mean(Path(name).name, near))
    return folder / name
