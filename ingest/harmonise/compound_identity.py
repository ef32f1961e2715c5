"""What identifies a compound: its active structure, else its PubChem id, else its name without its salt."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from featurestore.compound_groups import NAME, PUBCHEM, Key, compound_groups
from featurestore.compound_names import active_name, normalise_name
from ingest.harmonise.published import clean
from ingest.harmonise.structures import ActiveStructure

_CODE = re.compile(r"\d{3}")
"""What is in the numbers that makers give to compounds, such as PLX-4032."""
_BROAD_ID = re.compile(r"(BRD-[A-Z]\d{8})(?:-.*)?", re.IGNORECASE)
_CHEMBL_ID = re.compile(r"CHEMBL\d+", re.IGNORECASE)
_CID = re.compile(r"(?:CID:)?([1-9]\d*)(?:\.0)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Identity:
    """What a source tells of a compound's identity."""

    structure: ActiveStructure | None
    pubchem_cid: str | None
    name: str | None
    broad_id: str | None = None
    chembl_id: str | None = None

    @property
    def is_flat(self) -> bool:
        """Whether all that is known of the structure leaves its stereochemistry open."""
        return self.structure is not None and self.structure.is_flat

    @property
    def active_name(self) -> str:
        """The name without what the structure, or the name alone, shows to be a salt or solvate."""
        is_salt = self.structure is not None and bool(self.structure.removed)
        return active_name(self.name or "", is_salt=is_salt)

    @property
    def compound_id(self) -> str:
        """InChIKey, else PubChem id, else name."""
        if self.structure is not None:
            return self.structure.inchi_key
        return f"CID:{self.pubchem_cid}" if self.pubchem_cid is not None else f"name:{self.active_name}"


def compound_ids(identities: Sequence[Identity]) -> list[str]:
    """Choose the ids of compounds, one active structure to an id.

    Where a SMILES leaves stereochemistry open, one InChIKey may stand for several compounds: doxorubicin and epirubicin
    are drawn alike. Compounds drawn so are linked where they share a PubChem id or a name. If there are several linked
    groups, each is told apart by PubChem id, else by name, save one that holds a published InChIKey.

    Without a structure, those are one that share a PubChem id, Broad id or ChEMBL id, or a name.
    """
    ids = [identity.compound_id for identity in identities]
    for rows, compound_id in _without_structure(identities):
        for row in rows:
            ids[row] = compound_id
    sharing: dict[str, list[int]] = defaultdict(list)
    for row, compound_id in enumerate(ids):
        sharing[compound_id].append(row)
    for rows in sharing.values():
        if any(identities[row].is_flat for row in rows):
            for row, compound_id in zip(rows, _told_apart([identities[row] for row in rows]), strict=True):
                ids[row] = compound_id
    return ids


def _without_structure(identities: Sequence[Identity]) -> Iterator[tuple[list[int], str]]:
    """Group the compounds without a structure: positions, and the PubChem id of all of them, else their best name."""
    keys: dict[str, set[Key]] = {}
    for row, each in enumerate(identities):
        if each.structure is None:
            given = {PUBCHEM: each.pubchem_cid, "Broad id": each.broad_id, "ChEMBL id": each.chembl_id}
            named = each.active_name if each.name else None
            keys[str(row)] = {(kind, value) for kind, value in {**given, NAME: named}.items() if value}
    for group in compound_groups(keys):
        rows = [int(row) for row in group]
        cids = [cid for row in rows if (cid := identities[row].pubchem_cid)]
        names = [identities[row].active_name for row in rows if identities[row].name]
        best = min(cids, key=int) if cids else preferred_name(names)
        yield rows, f"CID:{best}" if cids else f"name:{best or ''}"


def _told_apart(identities: Sequence[Identity]) -> list[str]:
    """Return the ids of compounds that have one InChIKey."""
    labels = [
        {f"name:{identity.active_name}"} | ({f"CID:{identity.pubchem_cid}"} if identity.pubchem_cid else set())
        for identity in identities
    ]
    groups: list[set[str]] = []
    for label in labels:
        touching = [group for group in groups if group & label]
        groups = [group for group in groups if not group & label] + [label.union(*touching)]
    certain = {label for identity, own in zip(identities, labels, strict=True) if not identity.is_flat for label in own}
    return [
        identity.compound_id if len(groups) == 1 or group & certain else _group_id(group)
        for identity, label in zip(identities, labels, strict=True)
        for group in groups
        if group & label
    ]


def _group_id(labels: set[str]) -> str:
    cids = [label for label in labels if label.startswith("CID:")]
    return min(cids, key=lambda label: (len(label), label)) if cids else min(labels)


def preferred_name(names: Iterable[str]) -> str | None:
    """Choose the name of the active structure itself, not of a salt; a word before a code, then the shortest."""

    def order(name: str) -> tuple[bool, bool, int, str]:
        return active_name(name) != normalise_name(name), _CODE.search(name) is not None, len(name), name

    return min(names, key=order, default=None)


def parse_cid(value: object) -> str | None:
    """Read a PubChem compound id, which tables with gaps hold as a float; 0 is none."""
    match = _CID.fullmatch(clean(value) or "")
    return match[1] if match else None


def parse_broad_id(value: object) -> str | None:
    """Read a Broad id up to the part that names the structure: ``BRD-K76022557-003-28-9`` is ``BRD-K76022557``."""
    match = _BROAD_ID.fullmatch(clean(value) or "")
    return match[1].upper() if match else None


def parse_chembl_id(value: object) -> str | None:
    """Read a ChEMBL id."""
    text = clean(value) or ""
    return text.upper() if _CHEMBL_ID.fullmatch(text) else None


def parse_targets(value: object) -> list[str]:
    """Read target symbols, given as a list or as text joined by '|', ',' or ';'; sorted, each once."""
    is_list = isinstance(value, Iterable) and not isinstance(value, str)
    parts = value if is_list else re.split(r"[|,;]", clean(value) or "")
    return sorted({text for part in parts if (text := clean(part))})  # type: ignore[attr-defined]
