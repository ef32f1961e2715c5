"""Published compounds brought to one id per active structure: InChIKey, else PubChem id, else name.

A salt, a solvate and the free base are one compound; so are two names of one structure. One name on two structures
stays two compounds, and says so. A compound dictionary gives structures to names, and stereochemistry to structures
that were published without it, never against what the source itself says.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import polars as pl

from featurestore.compound_names import normalise_name
from featurestore.contract import RELEASE
from ingest.harmonise.compound_dictionary import KnownCompound, KnownCompounds, read_compound_dictionary
from ingest.harmonise.compound_identity import (
    Identity,
    compound_ids,
    parse_broad_id,
    parse_chembl_id,
    parse_cid,
    parse_targets,
    preferred_name,
)
from ingest.harmonise.published import clean, mapping_schema
from ingest.harmonise.structures import ActiveStructure, has_rdkit, identify, parse_inchi_key, skeleton

__all__ = ["compound_table", "map_compounds", "read_compound_dictionary"]


@dataclass(slots=True)
class _Compound:
    """One published compound on its way to an id."""

    original: str | None
    name: str | None
    smiles: str | None
    pubchem_cid: str | None
    chembl_id: str | None
    broad_id: str | None
    moa: str | None
    targets: list[str]
    structure: ActiveStructure | None
    compound_id: str | None = None
    known: Mapping[str, object] = field(default_factory=dict)
    status: str = ""
    method: str = ""
    candidates: set[str] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)

    @property
    def identity(self) -> Identity:
        return Identity(self.structure, self.pubchem_cid, self.name, self.broad_id, self.chembl_id)


def map_compounds(table: pl.DataFrame, *, dictionary: pl.DataFrame | None = None) -> pl.DataFrame:
    """Map published compounds.

    Parameters
    ----------
    table
        ``name``, and any of ``inchi_key``, ``smiles``, ``pubchem_cid``, ``chembl_id``, ``broad_id``, ``moa`` and
        ``targets``. An id of this function's own in place of the name maps to itself.
    dictionary
        Known compounds, from `read_compound_dictionary`.

    Returns
    -------
    One row per input row, in order: ``original`` (the name as published), the columns of the contract's
    ``compound`` table, and ``status``, ``method``, ``candidates`` and ``note``. Status is *approved* (the source
    gives the structure), *alias* (the structure is known from a dictionary or another row), *cid*, *name* (no
    structure is known), *conflict* (the name or structure stands for several compounds) or *missing*.
    """
    compounds = [_parse(row) for row in table.iter_rows(named=True)]
    present = [compound for compound in compounds if compound.status != "missing"]
    dictionary_known = KnownCompounds.from_dictionary(dictionary)
    for compound in present:
        _compare(compound, dictionary_known)
        _look_up(compound, dictionary_known, "dictionary")
    table_known = _known_of(present)
    for compound in present:
        if compound.status != "alias":
            _look_up(compound, table_known, "another row")
    for compound, compound_id in zip(present, compound_ids([c.identity for c in present]), strict=True):
        _settle(compound, compound_id)
    _report_conflicts(present)
    _share_names(present)
    return pl.DataFrame([_row(compound) for compound in compounds], schema=mapping_schema("compound"), orient="row")


def compound_table(mapped: pl.DataFrame) -> pl.DataFrame:
    """Return the contract's ``compound`` table: one row per compound, whatever the order of what was mapped."""
    columns = RELEASE["compound"].columns
    ordered = mapped.filter(pl.col("compound_id").is_not_null()).sort(
        "compound_id", pl.col("smiles").str.len_chars(), *columns[1:-1], nulls_last=True
    )
    facts = [pl.col(name).drop_nulls().first() for name in columns[1:-1]]
    targets = pl.col("targets").list.explode(keep_nulls=False, empty_as_null=False).unique().sort()
    return ordered.group_by("compound_id", maintain_order=True).agg(*facts, targets)


def _parse(row: Mapping[str, object]) -> _Compound:
    name = clean(row["name"])
    smiles = clean(row.get("smiles"))
    inchi_key = parse_inchi_key(clean(row.get("inchi_key"))) or parse_inchi_key(name)
    structure = identify(inchi_key, smiles)
    compound = _Compound(
        original=None if row["name"] is None else str(row["name"]),
        name=parse_broad_id(name) or (name.removeprefix("name:") if name is not None else None),
        smiles=smiles,
        pubchem_cid=parse_cid(row.get("pubchem_cid")) or (parse_cid(name) if (name or "").startswith("CID:") else None),
        chembl_id=parse_chembl_id(row.get("chembl_id")) or parse_chembl_id(name),
        broad_id=parse_broad_id(row.get("broad_id")) or parse_broad_id(name),
        moa=clean(row.get("moa")),
        targets=parse_targets(row.get("targets")),
        structure=structure,
    )
    if structure is not None:
        compound.method = "InChIKey" if structure.inchi_key == inchi_key else "SMILES"
        compound.notes += ["taken off: " + ", ".join(structure.removed)] if structure.removed else []
    if smiles is not None and not has_rdkit():
        compound.notes.append("SMILES not used: RDKit is not installed")
    elif smiles is not None and structure is None:
        compound.notes.append("SMILES cannot be read")
    if compound.name is None and structure is None and compound.pubchem_cid is None:
        compound.status, compound.method = "missing", "no name"
    return compound


def _known_of(compounds: Iterable[_Compound]) -> KnownCompounds:
    """Index the structures that rows of the table itself give."""
    known = KnownCompounds()
    for compound in compounds:
        if compound.structure is not None:
            entry = KnownCompound(compound.structure.inchi_key, compound.structure.is_flat, compound.known)
            names = [compound.name] if compound.name is not None else []
            active = [compound.identity.active_name for _ in names]
            ids = [compound.broad_id, f"CID:{compound.pubchem_cid}" if compound.pubchem_cid else None]
            known.add(entry, names, active, [key for key in ids if key is not None])
    return known


def _compare(compound: _Compound, dictionary: KnownCompounds) -> None:
    """Report where a dictionary has the name for another structure than the source gives."""
    own = compound.structure
    named = dictionary.named(compound.name) if own is not None and compound.name is not None else []
    others = [known.compound_id for known in named if parse_inchi_key(known.compound_id)]
    if own is None or not others or own.inchi_key in others:
        return
    if all(skeleton(other) != skeleton(own.inchi_key) for other in others):
        compound.status = "conflict"
        compound.candidates |= set(others)
        compound.notes.append("the dictionary has this name for another structure")
    elif not own.is_flat:
        compound.notes.append("the dictionary has other stereochemistry: " + ", ".join(others))


def _look_up(compound: _Compound, known: KnownCompounds, where: str) -> None:
    """Take a structure that is known if the compound has none, or stereochemistry if its own leaves that open.

    If what is known of the same name or id is just as open, it is open on purpose: a racemate.
    """
    own = compound.structure
    if own is not None and not own.is_flat:
        return

    def fits(entry: KnownCompound) -> bool:
        if own is None:
            return parse_inchi_key(entry.compound_id) is not None
        return not entry.is_flat and skeleton(entry.compound_id) == skeleton(own.inchi_key)

    method, found = known.search(compound.identity, compound.broad_id, fits)
    if own is not None and own.inchi_key in {entry.compound_id for entry in found}:
        compound.structure = replace(own, is_flat=False)
        others = {entry.compound_id for entry in found} - {own.inchi_key}
        compound.candidates |= others
        compound.notes += [f"{method} also fits {len(others)} structures with stereochemistry"] if others else []
    elif len(found) > 1:
        compound.status = "conflict"
        compound.candidates |= {entry.compound_id for entry in found}
        compound.notes.append(f"{method} fits {len(found)} structures of {where}")
    elif found:
        (entry,) = found
        if own is not None:
            compound.notes.append(f"stereochemistry from {where}; the source leaves it open ({own.inchi_key})")
        compound.structure = ActiveStructure(entry.compound_id, own.removed if own else (), entry.is_flat)
        compound.known = entry.row
        compound.status = "alias"
        compound.method = f"{method}{' and skeleton' if own else ''}, {where}"


def _settle(compound: _Compound, compound_id: str) -> None:
    """Give a compound its id, and say what that rests on."""
    compound.compound_id = compound_id
    structure = compound.structure
    if structure is None and compound_id != compound.identity.compound_id:
        compound.notes.append(
            f"one compound with others that share its accession or name, not {compound.identity.compound_id}"
        )
    if structure is None or compound_id != structure.inchi_key:
        by_cid = compound_id.startswith("CID:")
        compound.method = "PubChem id" if by_cid else "name"
        compound.status = compound.status or ("cid" if by_cid else "name")
    if structure is not None and compound_id != structure.inchi_key:
        compound.status = "conflict"
        compound.candidates.add(structure.inchi_key)
        compound.notes.append("drawn without stereochemistry, as are compounds of other names")
    compound.status = compound.status or "approved"


def _report_conflicts(compounds: Iterable[_Compound]) -> None:
    """Report names that stand for several compounds of the table."""
    by_name: dict[str, list[_Compound]] = defaultdict(list)
    for compound in compounds:
        by_name[normalise_name(compound.name or "")].append(compound)
    for name, group in by_name.items():
        ids = {compound.compound_id for compound in group if compound.compound_id is not None}
        if name and len(ids) > 1:
            for compound in group:
                compound.status = "conflict"
                compound.candidates |= ids
                compound.notes.append(f"'{name}' names {len(ids)} compounds")


def _share_names(compounds: Iterable[_Compound]) -> None:
    """Give all rows of a compound one name: a dictionary's, else that of the free form."""
    groups: dict[str | None, list[_Compound]] = defaultdict(list)
    for compound in compounds:
        groups[compound.compound_id].append(compound)
    for group in groups.values():
        known = [str(compound.known["name"]) for compound in group if "name" in compound.known]
        name = preferred_name(known or [compound.name for compound in group if compound.name is not None])
        for compound in group:
            compound.name = name


def _row(compound: _Compound) -> tuple[object, ...]:
    known = compound.known
    return (
        compound.original,
        compound.compound_id,
        compound.name,
        compound.smiles or known.get("smiles"),
        compound.pubchem_cid or known.get("pubchem_cid"),
        compound.chembl_id or known.get("chembl_id"),
        compound.broad_id or known.get("broad_id"),
        compound.moa or known.get("moa"),
        compound.targets or known.get("targets") or [],
        compound.status,
        compound.method,
        sorted(compound.candidates - {compound.compound_id or ""}),
        "; ".join(compound.notes) or None,
    )
