"""The active structure behind a SMILES: what is left of a salt or solvate, as an InChIKey.

The rule, in order, on the fragments of the structure, each made neutral by moving protons:

1. A structure that holds a metal other than those of plain salts (oxaliplatin, auranofin) is kept whole.
2. Fragments without carbon, and the solvents, acids and bases of ``counter_ions.csv``, are taken off.
3. If nothing is left, the counter-ions were the compound (calcium lactate): only fragments without carbon and solvents
   are taken off; if still nothing is left (talc), the structure is kept whole.
4. Repeats of one fragment count once (a hemihydrate). Several distinct fragments are a mixture, kept together.

Stereochemistry, isotopes, tautomers and permanent charges are kept. The key is that of the neutral form, so betaine and
its hydrochloride, a cation that no proton makes neutral, are one. RDKit reads the structures, if it is installed.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from functools import cache
from importlib import import_module, resources
from importlib.util import find_spec
from typing import Any

Molecule = Any
"""An ``rdkit.Chem.Mol``."""

_OF_DRUGS = frozenset({"H", "B", "C", "N", "O", "F", "Si", "P", "S", "Cl", "As", "Se", "Br", "I"})
_OF_SALTS = frozenset({"Li", "Na", "Mg", "Al", "K", "Ca", "Zn", "Rb", "Sr", "Cs", "Ba"})
SALT_ELEMENTS = _OF_DRUGS | _OF_SALTS
"""Elements of drugs and of plain salts; any other means a complex, whose pieces are one compound."""

INCHI_KEY = re.compile(r"(?:InChIKey=)?([A-Z]{14}-[A-Z]{10}-[A-Z])", re.IGNORECASE)
_NO_PROTONS_MOVED = "N"
"""Last letter of the InChIKey of a form that has neither lost nor gained protons, such as a zwitterion."""

_SALT_OR_CHARGE = re.compile(r"\.|[+-]\d?\]")


@dataclass(frozen=True, slots=True)
class ActiveStructure:
    """An active structure.

    ``inchi_key`` identifies it; ``removed`` holds the SMILES of the fragments taken off; ``is_flat`` says that all that
    is known is a SMILES which leaves the configuration of a stereocentre or double bond open.
    """

    inchi_key: str
    removed: tuple[str, ...]
    is_flat: bool


def identify(inchi_key: str | None, smiles: str | None) -> ActiveStructure | None:
    """Find the active structure from what a source publishes; None if that is not enough.

    A published InChIKey is taken as it is, and as all there is to know, unless the SMILES shows a salt, a solvate or a
    charge to be removed. Its stereochemistry still counts where the SMILES shows none of the same active structure.
    """
    may_differ = inchi_key is None or (smiles is not None and _SALT_OR_CHARGE.search(smiles))
    read = active_structure(smiles) if smiles is not None and may_differ else None
    if inchi_key is None:
        return read
    if read is None or ("." not in (smiles or "") and read.inchi_key[-1] == inchi_key[-1]):
        return ActiveStructure(inchi_key, (), is_flat=False)
    if read.is_flat and skeleton(read.inchi_key) == skeleton(inchi_key):
        return ActiveStructure(inchi_key[:-1] + read.inchi_key[-1], read.removed, is_flat=False)
    return read


def parse_inchi_key(text: str | None) -> str | None:
    """Read an InChIKey, with or without its ``InChIKey=``; None if the text is none."""
    match = INCHI_KEY.fullmatch(text.strip()) if text is not None else None
    return match[1].upper() if match else None


def skeleton(inchi_key: str) -> str:
    """Return the part of an InChIKey that says which atoms are joined, without stereochemistry or charge."""
    return inchi_key[:14]


@cache
def has_rdkit() -> bool:
    """Whether structures can be read here."""
    return find_spec("rdkit") is not None


@cache
def active_structure(smiles: str) -> ActiveStructure | None:
    """Find the active structure of a SMILES; None if it cannot be read or RDKit is not installed."""
    if not has_rdkit():
        return None
    chem = import_module("rdkit.Chem")
    with import_module("rdkit.rdBase").BlockLogs():
        molecule = chem.MolFromSmiles(smiles.strip())
        if molecule is None or molecule.GetNumAtoms() == 0:
            return None
        active, removed = _active_part(molecule, chem)
        inchi_key = chem.MolToInchiKey(active)
    if not inchi_key:
        return None
    if _elements(active) <= SALT_ELEMENTS:
        inchi_key = inchi_key[:-1] + _NO_PROTONS_MOVED
    return ActiveStructure(inchi_key, removed, _is_flat(active, chem))


def _active_part(molecule: Molecule, chem: Any) -> tuple[Molecule, tuple[str, ...]]:
    """Split a structure in the active one and the SMILES of what is taken off."""
    fragments = [_neutral(fragment) for fragment in chem.GetMolFrags(molecule, asMols=True)]
    if len(fragments) == 1:
        return fragments[0], ()
    if not _elements(molecule) <= SALT_ELEMENTS:
        return molecule, ()
    ions = _counter_ions()
    kinds = ["inorganic" if "C" not in _elements(f) else ions.get(_outline(f, chem), "active") for f in fragments]
    kept: list[Molecule] = []
    for wanted in ({"active"}, {"active", "acid", "base"}, set(kinds)):
        kept = kept or [fragment for fragment, kind in zip(fragments, kinds, strict=True) if kind in wanted]
    distinct = {chem.MolToSmiles(fragment) for fragment in kept}
    removed = {chem.MolToSmiles(fragment) for fragment in fragments} - distinct
    return chem.MolFromSmiles(".".join(sorted(distinct))), tuple(sorted(removed))


def _neutral(molecule: Molecule) -> Molecule:
    standardise = import_module("rdkit.Chem.MolStandardize.rdMolStandardize")
    return standardise.Uncharger(canonicalOrder=True, force=True).uncharge(molecule)


def _elements(molecule: Molecule) -> set[str]:
    return {atom.GetSymbol() for atom in molecule.GetAtoms()}


def _is_flat(molecule: Molecule, chem: Any) -> bool:
    return any(info.specified == chem.StereoSpecified.Unspecified for info in chem.FindPotentialStereo(molecule))


def _outline(molecule: Molecule, chem: Any) -> str:
    """Write a structure without stereochemistry."""
    return str(chem.MolToSmiles(molecule, isomericSmiles=False))


@cache
def _counter_ions() -> dict[str, str]:
    """Return the kind (solvent, acid or base) of each listed fragment, by its SMILES without stereochemistry."""
    chem = import_module("rdkit.Chem")
    text = resources.files("ingest.harmonise").joinpath("counter_ions.csv").read_text(encoding="utf-8")
    return {_outline(chem.MolFromSmiles(row["smiles"]), chem): row["kind"] for row in csv.DictReader(text.splitlines())}
