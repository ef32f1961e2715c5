"""The species of the cells as the files say it, held against the spec: a human release is of human cells."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from featurestore.errors import SpecError, first_of
from ingest.reader import Reader
from ingest.readers.notes import note
from ingest.spec import DatasetSpec

COLUMNS = re.compile(r"(?:sample_)?(?:organism|species)(?:_ch1|_name|_ontology_term_id)?", re.IGNORECASE)
"""Names of columns that say the species of a row."""
OF_FILE = ("uns/organism", "uns/species", "uns/organism_ontology_term_id", "meta/info/organism")
"""Where HDF5 or Zarr says it of all rows."""
NAMES = {
    **dict.fromkeys(("homo sapiens", "human", "hsapiens", "h. sapiens", "ncbitaxon:9606", "9606"), "human"),
    **dict.fromkeys(("mus musculus", "mouse", "mmusculus", "m. musculus", "ncbitaxon:10090", "10090"), "mouse"),
    **dict.fromkeys(("hg19", "hg38", "hs1", "grch37", "grch38", "chm13", "t2t-chm13"), "human"),
    **dict.fromkeys(("mm9", "mm10", "mm39", "grcm38", "grcm39"), "mouse"),
}
"""The species that a spec may have, by what files call them, or their genome (split-pipe's ``species``)."""


def organism_of(words: Sequence[str]) -> str | None:
    """Return the one species that words name, None where they name none that is known, or several."""
    named = {NAMES.get(word.strip().casefold()) for word in words}
    return named.pop() if len(named) == 1 else None


def organism_words(reader: Reader, is_kept: npt.NDArray[np.bool_] | None = None) -> Iterator[tuple[str, list[str]]]:
    """Yield each place of a file that says the species of the rows that are kept, and its words there."""
    for name in filter(COLUMNS.fullmatch, reader.row_columns()):
        values = reader.rows([name])[name].cast(pl.String)
        values = values if is_kept is None else values.filter(pl.Series(is_kept))
        words = sorted(set(values.drop_nulls().str.strip_chars().to_list()) - {""})
        if words:
            yield f"column '{name}'", words
    for place in OF_FILE:
        word = note(reader.path, place)
        if word is not None and str(word):
            yield place, [str(word)]


def require_organism(readers: Sequence[Reader], is_kept: npt.NDArray[np.bool_], spec: DatasetSpec) -> None:
    """Refuse files that say another species than the spec.

    Raises
    ------
    SpecError
        A row that is kept is of another species.
    """
    first = 0
    for reader in readers:
        rows = is_kept[first : first + reader.n_rows]
        first += reader.n_rows
        for place, words in organism_words(reader, rows):
            others = [word for word in words if NAMES.get(word.casefold()) != spec.dataset.organism]
            if others:
                raise _conflict(others, words, f"{reader.path}, {place}", spec)


def require_genes_of_organism(mapping: pl.DataFrame, spec: DatasetSpec) -> None:
    """Refuse genes of the mouse in a dataset whose spec says that its cells are human, and the other way.

    Raises
    ------
    SpecError
        Most genes that are mapped are of the other species.
    """
    mapped = mapping.filter(pl.col("entity") == "gene", pl.col("target_id").is_not_null())
    translated = mapped.filter(pl.col("status") == "ortholog")
    if spec.dataset.organism != "mouse" and 2 * translated.height > mapped.height:
        raise SpecError(
            "The genes are of another species than the spec says.",
            expected=spec.dataset.organism,
            got=f"{translated.height:,} of {mapped.height:,} genes were translated from the mouse, such as "
            f"{translated['original'][0]!r}",
            do='set organism = "mouse" under [dataset]',
        )
    own = mapped.filter(pl.col("status") != "ortholog")
    if spec.dataset.organism == "mouse" and 2 * own.height > mapped.height:
        raise SpecError(
            "The genes are of another species than the spec says.",
            expected="mouse",
            got=f"{own.height:,} of {mapped.height:,} genes are human, such as {own['original'][0]!r}",
            do='set organism = "human" under [dataset], or leave it out',
        )


def _conflict(others: Sequence[str], words: Sequence[str], where: str, spec: DatasetSpec) -> SpecError:
    organism = organism_of(words)
    do = "take the rows of one species with where under [condition]"
    if organism == "mouse":
        do = 'set organism = "mouse" under [dataset], and translate_mouse = true under [genes]'
    elif organism is not None:
        do = f'set organism = "{organism}" under [dataset]'
    elif len(words) == 1:
        do = "genes of this species cannot be mapped: leave the file out"
    return SpecError(
        "The file is of another species than the spec says.",
        where=where,
        expected=spec.dataset.organism,
        got=first_of(list(map(repr, others)), 3),
        do=do,
    )
