"""Which compounds of a snapshot are one: by structure, accessions and names, over all of its datasets.

A dataset that has structures calls a compound by its InChIKey, one that has none by its PubChem id or name. Here every
``compound_id`` gets the id of what it is: compounds of one skeleton are one; one without a structure is that structure
which shares a Broad id, PubChem id or ChEMBL id with it, else a name; what would be two structures stays apart.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from featurestore.compound_groups import Key, compound_groups
from featurestore.compound_names import active_name
from featurestore.features.perturbations import parts_of

if TYPE_CHECKING:
    from featurestore.query.warehouse import Warehouse

_INCHI_KEY = re.compile(r"([A-Z]{14})-[A-Z]{10}-[A-Z]")
_ACCESSIONS = {"Broad id": "broad_id", "PubChem id": "pubchem_cid", "ChEMBL id": "chembl_id"}
_COMPOUNDS = "select distinct compound_id, name, pubchem_cid, chembl_id, broad_id from release.compound order by all"
_LABELS = (
    "select distinct original, target_id from mapping where entity = 'compound' and target_id is not null "
    "and (note is null or not contains(note, 'read as')) order by all"
)


@dataclass(frozen=True, slots=True)
class CompoundGraph:
    """What every compound of a snapshot is.

    Parameters
    ----------
    identity
        The id of what it is, of each ``compound_id`` that has another.
    joined
        A line for each of those: ``compound_id``, ``is`` and ``by``, which is what they share.
    """

    identity: dict[str, str]
    joined: pl.DataFrame

    def apply(self, conditions: pl.DataFrame) -> pl.DataFrame:
        """Give conditions the ids of what their compounds are, also within combinations."""
        if not self.identity:
            return conditions
        compound = pl.col("compound_id").replace(self.identity)
        parts = parts_of(pl.col("perturbation_id")).list.eval(pl.element().replace(self.identity)).list.sort()
        is_combination = pl.col("compound_id").is_null() & pl.col("perturbation_id").str.contains("+", literal=True)
        return conditions.with_columns(
            compound_id=compound,
            perturbation_id=pl.when(is_combination).then(parts.list.join("+")).otherwise("perturbation_id"),
        )

    def joins_of(self, frames: Iterable[pl.DataFrame]) -> list[dict[str, Any]]:
        """List what joined whom among the compounds of some conditions."""
        used = {name for frame in frames for name in frame["compound_id"].drop_nulls().unique()}
        return self.joined.filter(pl.col("is").is_in(list(used))).sort("compound_id").to_dicts()


def compound_graph(warehouse: Warehouse) -> CompoundGraph:
    """Bring the compounds of all datasets of a snapshot together."""
    keys: dict[str, set[Key]] = defaultdict(set)
    for row in warehouse.frame(_COMPOUNDS).iter_rows(named=True):
        own = keys[row["compound_id"]]
        own |= {(kind, str(row[column])) for kind, column in _ACCESSIONS.items() if row[column]}
        own |= _names([row["name"]])
        own |= {("PubChem id", row["compound_id"][4:])} if row["compound_id"].startswith("CID:") else set()
    for original, compound_id in warehouse.frame(_LABELS).iter_rows():
        keys[compound_id] |= _names([original])
    return _joined(keys)


def _names(names: Iterable[str | None]) -> set[Key]:
    return {("name", active_name(name)) for name in names if name}


def _joined(keys: dict[str, set[Key]]) -> CompoundGraph:
    """Join the compounds without a structure to each other, and each such group to the one structure that it shares."""
    structures = {name: match[1] for name in sorted(keys) if (match := _INCHI_KEY.fullmatch(name))}
    holders: dict[Key, set[str]] = defaultdict(set)
    for name, skeleton in structures.items():
        for key in keys[name]:
            holders[key].add(skeleton)
    first: dict[str, str] = {}
    for name, skeleton in structures.items():
        first.setdefault(skeleton, name)
    identity: dict[str, str] = {}
    lines = []
    for group in compound_groups({name: own for name, own in keys.items() if name not in structures}):
        own = set().union(*(keys[name] for name in group))
        by, skeletons = _shared(own, holders)
        target = first[skeletons.pop()] if len(skeletons) == 1 else group[0]
        for name in group:
            if name != target:
                identity[name] = target
                how = by if target in structures else _in_common(keys[name], keys[target]) or by
                lines.append((name, target, how or "others that share an id or a name with both"))
    schema = {"compound_id": pl.String(), "is": pl.String(), "by": pl.String()}
    return CompoundGraph(identity, pl.DataFrame(lines, schema=schema, orient="row"))


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
