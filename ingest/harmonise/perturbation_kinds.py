"""How rows were perturbed, in the words that sources publish, brought to those of the contract."""

from __future__ import annotations

import polars as pl

from featurestore.errors import SpecError
from ingest.condition_section import ConditionSection
from ingest.spec import GENETIC_KINDS

CONTROL = "control"

KINDS = {
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
    "CRISPRi": "crispri",
    "CRISPRa": "crispra",
    "drug": "compound",
}
"""Published kinds, those of L1000 (``pert_type``) among them; ``ctl_...`` is always a control."""


def harmonised_kinds(published: pl.Series, rules: ConditionSection) -> pl.Series:
    """Return the kind of each row, by what is published or by the spec; NULL where nothing is published.

    Raises
    ------
    SpecError
        A published kind is not known.
    """
    if rules.kind is not None:
        return published.replace_strict({CONTROL: CONTROL}, default=rules.kind, return_dtype=pl.String)
    known = KINDS | {kind: kind for kind in (*GENETIC_KINDS, "compound", "ligand", CONTROL)}
    found: dict[str, str] = {}
    for name in published.drop_nulls().unique().to_list():
        kind = CONTROL if name.startswith("ctl_") else known.get(name)
        if kind is None:
            raise SpecError(
                f"The perturbation kind '{name}' is not known.",
                where=f"column '{rules.kind_column}'",
                expected=", ".join(sorted(known)),
                do="give kind instead of kind_column under [condition], or split the dataset",
            )
        found[name] = kind
    return published.replace_strict(found, default=None, return_dtype=pl.String)
