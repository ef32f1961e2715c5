"""Which compounds of a snapshot are one: by structure, accessions and names, over all of its datasets.

A dataset that has structures calls a compound by its InChIKey, one that has none by its PubChem id or name. Here every
``compound_id`` gets the id of what it is: compounds of one skeleton are one; one without a structure is that structure
which shares a Broad id, PubChem id or ChEMBL id with it, else a name; what would be two structures stays apart.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable

import duckdb
import polars as pl

from featurestore.compound_groups import Key, compound_groups
from featurestore.compound_names import active_name

VIEW = "compound_identity"
"""Its table is empty until it is filled, when a query first names it: few queries do."""
MADE_OF = f"release.compound release.mapping {VIEW}"
SKELETON = "skeleton"

_INCHI_KEY = re.compile(r"([A-Z]{14})-[A-Z]{10}-[A-Z]")
_ACCESSIONS = {"Broad id": "broad_id", "PubChem id": "pubchem_cid", "ChEMBL id": "chembl_id"}
_COMPOUNDS = "select distinct compound_id, name, pubchem_cid, chembl_id, broad_id from release.compound order by all"
_LABELS = (
    "select distinct original, target_id from release.mapping where entity = 'compound' and target_id is not null "
    "and (note is null or not contains(note, 'read as')) order by all"
)
_Line = tuple[str, str, str | None]


def fill_compound_identity(connection: duckdb.DuckDBPyConnection) -> None:
    """Bring the compounds of all datasets of a snapshot together, in the table behind the view."""
    keys: dict[str, set[Key]] = defaultdict(set)
    for row in connection.sql(_COMPOUNDS).pl().iter_rows(named=True):
        own = keys[row["compound_id"]]
        own |= {(kind, str(row[column])) for kind, column in _ACCESSIONS.items() if row[column]}
        own |= _names([row["name"]])
        own |= {("PubChem id", row["compound_id"][4:])} if row["compound_id"].startswith("CID:") else set()
    for original, compound_id in connection.sql(_LABELS).fetchall():
        keys[compound_id] |= _names([original])
    schema = {"compound_id": pl.String(), "canonical_id": pl.String(), "joined_by": pl.String()}
    found = pl.DataFrame(_identities(keys), schema=schema, orient="row")
    connection.execute(f"delete from release.{VIEW}")  # noqa: S608
    connection.register("found_identities", found.to_arrow())
    connection.execute(f"insert into release.{VIEW} from found_identities")
    connection.unregister("found_identities")


def _names(names: Iterable[str | None]) -> set[Key]:
    return {("name", active_name(name)) for name in names if name}


def _identities(keys: dict[str, set[Key]]) -> list[_Line]:
    """Join the compounds without a structure to each other, and each such group to the one structure that it shares.

    Returns
    -------
    A line for each compound, by its id: what it is, and what it shares with that, where it is another.
    """
    structures = {name: match[1] for name in sorted(keys) if (match := _INCHI_KEY.fullmatch(name))}
    holders: dict[Key, set[str]] = defaultdict(set)
    first: dict[str, str] = {}
    for name, skeleton in structures.items():
        first.setdefault(skeleton, name)
        for key in keys[name]:
            holders[key].add(skeleton)
    lines: list[_Line] = [
        (name, first[skeleton], None if first[skeleton] == name else f"{SKELETON} {skeleton}")
        for name, skeleton in structures.items()
    ]
    for group in compound_groups({name: own for name, own in keys.items() if name not in structures}):
        own = set().union(*(keys[name] for name in group))
        by, skeletons = _shared(own, holders)
        target = first[skeletons.pop()] if len(skeletons) == 1 else group[0]
        for name in group:
            how = by if target in structures else _in_common(keys[name], keys[target]) or by
            told = how or "others that share an id or a name with both"
            lines.append((name, target, None if name == target else told))
    return sorted(lines)


def _shared(own: set[Key], holders: dict[Key, set[str]]) -> tuple[str, set[str]]:
    """Find the structures that share an accession, else a name, and say which."""
    for kinds in (_ACCESSIONS, ("name",)):
        found = sorted(key for key in own if key[0] in kinds and key in holders)
        skeletons = set().union(*(holders[key] for key in found)) if found else set()
        if skeletons:
            return f"{found[0][0]} {found[0][1]}", skeletons
    return "", set()


def _in_common(one: set[Key], other: set[Key]) -> str:
    return next((f"{kind} {value}" for kind, value in sorted(one & other)), "")
