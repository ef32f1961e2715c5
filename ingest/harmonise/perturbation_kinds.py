"""How rows were perturbed, in the words that sources publish, brought to those of the contract."""

from __future__ import annotations

import re

import polars as pl

from featurestore.errors import SpecError
from ingest.condition_section import ConditionSection
from ingest.spec import GENETIC_KINDS

CONTROL = "control"

CONTROL_KIND = "ctl_"
"""What L1000's kinds (``pert_type``) of controls begin with."""
KINDS = {
    **{kind: kind for kind in (*GENETIC_KINDS, "compound", "ligand", CONTROL)},
    "trt_cp": "compound",
    "trt_poscon": "compound",
    "trt_lig": "ligand",
    "trt_sh": "shrna",
    "trt_sh.cgs": "shrna",
    "trt_sh.css": "shrna",
    "trt_xpr": "crispr_knockout",
    "trt_oe": "overexpression",
    "trt_oe.mut": "overexpression",
    "CRISPR": "crispr_knockout",
    "CRISPR KO": "crispr_knockout",
    "CRISPR-Cas9": "crispr_knockout",
    "knockout": "crispr_knockout",
    "KO": "crispr_knockout",
    "interference": "crispri",
    "CRISPR interference": "crispri",
    "activation": "crispra",
    "CRISPR activation": "crispra",
    "OE": "overexpression",
    "ORF": "overexpression",
    "drug": "compound",
    "small molecule": "compound",
    "cytokine": "ligand",
    "ctrl": CONTROL,
}
"""Published kinds, those of L1000 among them, in any capitals and with any signs between their words."""


def kind_of(published: str) -> str | None:
    """Return the contract's kind of a published one, None where it is not known.

    Examples
    --------
    >>> kind_of("CRISPRko"), kind_of("Knock-out"), kind_of("ctl_vehicle"), kind_of("knockdown")
    ('crispr_knockout', 'crispr_knockout', 'control', None)
    """
    return CONTROL if published.startswith(CONTROL_KIND) else _BY_LETTERS.get(_letters(published))


def _letters(kind: str) -> str:
    return re.sub(r"[-_ ./]", "", kind.casefold())


_BY_LETTERS = {_letters(name): kind for name, kind in KINDS.items()}


def harmonised_kinds(published: pl.Series, rules: ConditionSection) -> pl.Series:
    """Return the kind of each row, by what is published or by the spec; NULL where nothing is published.

    Raises
    ------
    SpecError
        A published kind is not known.
    """
    if rules.kind is not None:
        return published.replace_strict({CONTROL: CONTROL}, default=rules.kind, return_dtype=pl.String)
    found: dict[str, str] = {}
    for name in published.drop_nulls().unique().to_list():
        kind = kind_of(name)
        if kind is None:
            raise SpecError(
                f"The perturbation kind '{name}' is not known.",
                where=f"column '{rules.kind_column}'",
                expected=", ".join(sorted(KINDS)),
                do="give kind instead of kind_column under [condition], or split the dataset",
            )
        found[name] = kind
    return published.replace_strict(found, default=None, return_dtype=pl.String)
