"""Tables of drug responses that are known by their columns, GDSC's, PRISM's and CTRP's, and what a spec says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ResponseTable:
    """What a table of responses has: the columns of compound and cell line, its numbers, and tables to join.

    ``columns`` are those by which it is told, ``by`` the one by which several rows of one pair differ. ``joins`` has
    the end of a further table's name and its key.
    """

    source: str
    columns: frozenset[str]
    compound: str
    line: str
    named: Mapping[str, str]
    by: str
    compounds: Mapping[str, str] = field(default_factory=dict)
    joins: tuple[tuple[str, str], ...] = ()


KNOWN = (
    ResponseTable(
        "GDSC",
        frozenset({"CELL_LINE_NAME", "DRUG_ID", "DRUG_NAME", "LN_IC50", "AUC"}),
        "DRUG_NAME",
        "CELL_LINE_NAME",
        {"ln_ic50": "LN_IC50", "auc": "AUC"},
        by="DRUG_ID",
    ),
    ResponseTable(
        "PRISM",
        frozenset({"broad_id", "depmap_id", "name", "auc", "ic50"}),
        "name",
        "depmap_id",
        {"ln_ic50": "ln(ic50)", "auc": "auc"},
        by="screen_id",
        compounds={"broad_id": "broad_id", "smiles": "smiles", "moa": "moa"},
    ),
    ResponseTable(
        "CTRP",
        frozenset({"experiment_id", "master_cpd_id", "area_under_curve"}),
        "cpd_name",
        "ccl_name",
        {"area_under_curve": "area_under_curve"},
        by="experiment_id",
        joins=(
            ("meta.per_experiment.txt", "experiment_id"),
            ("meta.per_cell_line.txt", "master_ccl_id"),
            ("meta.per_compound.txt", "master_cpd_id"),
        ),
    ),
)
