"""What the values of a published matrix can be, and what each kind means for an ingest: the one table of it.

A kind takes one of five routes into a release:

==============  ============================================================================================
``summed``      rows are cells, wells or samples: sums of each condition, and signatures from them
``replicates``  rows are replicate wells, of which a condition's signature is a weighted mean
``reported``    rows are signatures that the source computed: as published
``phenotypes``  a row is a cell line, a column a perturbed gene, and a value one number of it
``responses``   a line of a table is a compound and a cell line, with some numbers of them
==============  ============================================================================================
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Route = Literal["summed", "replicates", "reported", "phenotypes", "responses"]
ValueName = Literal[
    "counts",
    "estimated_counts",
    "mean_counts",
    "log1p",
    "bp_coverage",
    "log2tpm1",
    "moderated_z",
    "log2_fold_change",
    "signed_log10_p",
    "de_call",
    "zscore",
    "log2_expression",
    "gene_effect",
    "gene_dependency",
    "drug_response",
]
ESTIMATED: ValueName = "estimated_counts"
"""Counts that are not whole."""
LARGEST_LOG = 20.0
"""No log1p of a normalised count is above this: log1p(1e6) is 13.8."""


@dataclass(frozen=True, slots=True)
class ValueKind:
    """What one kind of values means.

    Parameters
    ----------
    route
        The way into a release.
    is_additive
        Whether values of one gene can be added up, and over cells: they are counts, or become counts.
    needs_control
        Whether signatures are computed against control rows of the dataset.
    is_rescaled
        Whether values are brought to another scale first, which takes what is known of all rows of the file.
    """

    route: Route
    is_additive: bool = False
    needs_control: bool = False
    is_rescaled: bool = False


VALUES: dict[ValueName, ValueKind] = {
    "counts": ValueKind("summed", is_additive=True, needs_control=True),
    "estimated_counts": ValueKind("summed", needs_control=True),
    "mean_counts": ValueKind("summed", is_additive=True, needs_control=True, is_rescaled=True),
    "log1p": ValueKind("summed", needs_control=True),
    "bp_coverage": ValueKind("summed", is_additive=True, needs_control=True, is_rescaled=True),
    "log2tpm1": ValueKind("summed", needs_control=True, is_rescaled=True),
    "moderated_z": ValueKind("reported"),
    "log2_fold_change": ValueKind("reported"),
    "signed_log10_p": ValueKind("reported"),
    "de_call": ValueKind("reported"),
    "zscore": ValueKind("replicates"),
    "log2_expression": ValueKind("replicates", needs_control=True),
    "gene_effect": ValueKind("phenotypes"),
    "gene_dependency": ValueKind("phenotypes"),
    "drug_response": ValueKind("responses"),
}
"""Every kind by the name that a spec gives it."""


def route_of(values: ValueName, *, of_populations: bool = False) -> Route:
    """Return the route of a kind; z-scores of which each row is a whole population of cells are reported ones."""
    return "reported" if values == "zscore" and of_populations else VALUES[values].route
