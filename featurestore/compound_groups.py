"""Compounds without a structure grouped by what they share: accessions, and names."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

Key = tuple[str, str]
"""A kind of identifier and its value."""
NAME = "name"
PUBCHEM = "PubChem id"


def compound_groups(keys: Mapping[str, set[Key]]) -> list[list[str]]:
    """Group compounds that share an accession, or a name where that joins no two PubChem ids.

    Parameters
    ----------
    keys
        Of each compound its kinds of identifiers with their values, such as ``("Broad id", "BRD-K56343971")``.

    Returns
    -------
    The groups; in each PubChem ids (``CID:``) come first, then the shortest.
    """
    parent = {name: name for name in keys}
    cids = {name: {value for kind, value in own if kind == PUBCHEM} for name, own in keys.items()}

    def root(name: str) -> str:
        while parent[name] != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    holders: dict[Key, list[str]] = defaultdict(list)
    for name in sorted(keys):
        for key in keys[name]:
            holders[key].append(name)
    for key in sorted(holders, key=lambda key: (key[0] == NAME, key)):
        roots = sorted({root(name) for name in holders[key]})
        together = set().union(*(cids[name] for name in roots))
        if key[0] != NAME or len(together) <= 1:
            parent |= dict.fromkeys(roots, roots[0])
            cids[roots[0]] = together
    groups: dict[str, list[str]] = defaultdict(list)
    for name in sorted(keys, key=lambda name: (not name.startswith("CID:"), len(name), name)):
        groups[root(name)].append(name)
    return list(groups.values())
