"""Compound dictionaries: what the Drug Repurposing Hub, LINCS or a screen's own table know of each compound.

Such tables have a row per batch, vendor, target or mechanism, so one compound is in several rows; here it is one row.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from featurestore.compound_names import active_name, normalise_name
from featurestore.contract import RELEASE
from featurestore.errors import SourceFormatError, first_of
from ingest.harmonise.compound_identity import (
    Identity,
    compound_ids,
    parse_broad_id,
    parse_chembl_id,
    parse_cid,
    parse_targets,
    preferred_name,
)
from ingest.harmonise.published import clean
from ingest.harmonise.structures import identify, parse_inchi_key

TEXTS = pl.List(pl.String())
DICTIONARY_SCHEMA = pl.Schema(
    {
        **RELEASE["compound"].schema,
        **dict.fromkeys(("names", "broad_ids", "pubchem_cids"), TEXTS),
        "is_flat": pl.Boolean(),
    }
)

PUBLISHED_COLUMNS: dict[str, tuple[str, ...]] = {
    "name": ("pert_iname", "cmap_name", "drug", "product_name", "sm_name", "name"),
    "aliases": ("compound_aliases",),
    "inchi_key": ("inchi_key", "InChIKey"),
    "smiles": ("smiles", "canonical_smiles", "SMILES"),
    "pubchem_cid": ("pubchem_cid",),
    "chembl_id": ("chembl_id",),
    "broad_id": ("broad_id", "pert_id", "sm_lincs_id"),
    "deprecated_broad_id": ("deprecated_broad_id",),
    "moa": ("moa", "moa-fine"),
    "targets": ("targets", "target"),
}
"""What a dictionary tells, and the names of the columns in which sources publish it."""

COMPOUND_TYPES = ("trt_cp", "trt_poscon")
"""Kinds of LINCS perturbagens (``pert_type``) that are compounds."""


@dataclass(frozen=True, slots=True)
class KnownCompound:
    """A compound that a dictionary, or another row, gives a structure to; ``row`` holds what else is known of it."""

    compound_id: str
    is_flat: bool
    row: Mapping[str, object]


class KnownCompounds:
    """Known compounds, looked up by Broad id, PubChem id, name, and name without its salt."""

    def __init__(self) -> None:
        self._by_key: dict[str, dict[str, KnownCompound]] = defaultdict(dict)

    @classmethod
    def from_dictionary(cls, dictionary: pl.DataFrame | None) -> KnownCompounds:
        """Index a dictionary; none at all knows nothing."""
        known = cls()
        for row in dictionary.iter_rows(named=True) if dictionary is not None else ():
            compound = KnownCompound(row["compound_id"], bool(row["is_flat"]), row)
            active = [active_name(name) for name in row["names"]]
            known.add(
                compound, row["names"], active, [*row["broad_ids"], *(f"CID:{cid}" for cid in row["pubchem_cids"])]
            )
        return known

    def add(
        self, compound: KnownCompound, names: Iterable[str], active_names: Iterable[str], ids: Iterable[str]
    ) -> None:
        """Add a compound under its names, its names without salt, and its Broad and PubChem (``CID:``) ids."""
        by_name = [f"name:{normalise_name(name)}" for name in names]
        for key in (*by_name, *(f"active:{name}" for name in active_names), *ids):
            before = self._by_key[key].get(compound.compound_id)
            if before is None or (before.is_flat and not compound.is_flat):
                self._by_key[key][compound.compound_id] = compound

    def search(
        self, identity: Identity, broad_id: str | None, fits: Callable[[KnownCompound], bool]
    ) -> tuple[str, list[KnownCompound]]:
        """Return the first way of looking up that finds compounds which fit, and those."""
        ways = {"Broad id": broad_id or "", "PubChem id": f"CID:{identity.pubchem_cid}"}
        if identity.name is not None:
            ways["name"] = f"name:{normalise_name(identity.name)}"
            ways["name without salt"] = f"active:{identity.active_name}"
        for method, key in ways.items():
            if found := [compound for _, compound in sorted(self._by_key.get(key, {}).items()) if fits(compound)]:
                return method, found
        return "", []

    def named(self, name: str) -> list[KnownCompound]:
        """Return the compounds of exactly that name."""
        return [compound for _, compound in sorted(self._by_key.get(f"name:{normalise_name(name)}", {}).items())]


def read_compound_dictionary(path: Path) -> pl.DataFrame:
    """Read a compound dictionary, one row per active structure.

    Knows the column names of the Drug Repurposing Hub, of LINCS (``pert_info``, ``compoundinfo``) and of Tahoe's
    ``drug_metadata``; text may be compressed. Rows that give neither structure nor PubChem id are left out.

    Returns
    -------
    The columns of the contract's ``compound`` table; all ``names``, ``broad_ids`` and ``pubchem_cids``; and
    ``is_flat`` where the stereochemistry is left open.

    Raises
    ------
    SourceFormatError
        The file cannot be read, or has no column of names or of structures.
    """
    raw = _read(path)
    found = {key: next((c for c in columns if c in raw.columns), None) for key, columns in PUBLISHED_COLUMNS.items()}
    if found["name"] is None or not any(found[key] for key in ("inchi_key", "smiles", "pubchem_cid")):
        raise SourceFormatError(
            "The table is not a compound dictionary.",
            where=str(path),
            expected="a column of names and one of InChIKeys, SMILES or PubChem ids",
            got=first_of(raw.columns, 15),
        )
    columns = [pl.lit(None).alias(key) if name is None else pl.col(name).alias(key) for key, name in found.items()]
    return merge_compounds(raw.select(columns).iter_rows(named=True))


def _read(path: Path) -> pl.DataFrame:
    separator = "," if ".csv" in path.suffixes else "\t"
    try:
        if path.suffix == ".parquet":
            return pl.read_parquet(path, glob=False)
        frame = pl.read_csv(
            path, separator=separator, quote_char='"' if separator == "," else None, infer_schema=False, glob=False
        )
    except (OSError, pl.exceptions.PolarsError) as error:
        raise SourceFormatError("The compound dictionary cannot be read.", where=str(path), got=str(error)) from None
    return frame.filter(pl.col("pert_type").is_in(COMPOUND_TYPES)) if "pert_type" in frame.columns else frame


@dataclass(frozen=True, slots=True)
class _Row:
    """What one published row tells."""

    identity: Identity
    name: str
    smiles: str | None
    chembl_id: str | None
    moa: str | None
    aliases: list[str]
    broad_ids: list[str]
    targets: list[str]


def merge_compounds(published: Iterable[Mapping[str, object]]) -> pl.DataFrame:
    """Merge published rows of one active structure, whatever their order."""
    rows = [row for row in map(_parse, published) if row is not None]
    groups: dict[str, list[_Row]] = defaultdict(list)
    for compound_id, row in zip(compound_ids([row.identity for row in rows]), rows, strict=True):
        groups[compound_id].append(row)
    return pl.DataFrame([_merge(key, groups[key]) for key in sorted(groups)], schema=DICTIONARY_SCHEMA, orient="row")


def _parse(row: Mapping[str, object]) -> _Row | None:
    name, smiles, cid = clean(row["name"]), clean(row["smiles"]), parse_cid(row["pubchem_cid"])
    structure = identify(parse_inchi_key(clean(row["inchi_key"])), smiles)
    if name is None or (structure is None and cid is None):
        return None
    broad_ids = [parse_broad_id(row["broad_id"]), parse_broad_id(row["deprecated_broad_id"])]
    return _Row(
        identity=Identity(structure, cid, name),
        name=name,
        smiles=smiles,
        chembl_id=parse_chembl_id(row["chembl_id"]),
        moa=clean(row["moa"]),
        aliases=[alias for text in (clean(row["aliases"]) or "").split("|") if (alias := clean(text))],
        broad_ids=[broad_id for broad_id in broad_ids if broad_id],
        targets=parse_targets(row["targets"]),
    )


def _merge(compound_id: str, rows: list[_Row]) -> dict[str, object]:
    smiles = {row.smiles for row in rows if row.smiles}
    broad_ids = sorted({broad_id for row in rows for broad_id in row.broad_ids})
    cids = sorted({cid for row in rows if (cid := row.identity.pubchem_cid)}, key=int)
    moas = {part for row in rows for part in re.split(r"\s*\|\s*", row.moa or "") if part}
    return {
        "compound_id": compound_id,
        "name": preferred_name({row.name for row in rows}),
        "smiles": min(smiles, key=lambda text: (len(text), text), default=None),
        "pubchem_cid": cids[0] if cids else None,
        "chembl_id": min((row.chembl_id for row in rows if row.chembl_id), default=None),
        "broad_id": broad_ids[0] if broad_ids else None,
        "moa": " | ".join(sorted(moas)) or None,
        "targets": sorted({target for row in rows for target in row.targets}),
        "names": sorted({name for row in rows for name in (row.name, *row.aliases)}),
        "broad_ids": broad_ids,
        "pubchem_cids": cids,
        "is_flat": all(row.identity.is_flat for row in rows),
    }
