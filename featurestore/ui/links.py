"""Where the values of a table lead: the page of a gene, perturbation, compound, dataset or spec."""

from __future__ import annotations

from typing import Any

from featurestore.ui.asked import address

_BY_NAME = {"spec": ("plan", "spec"), "matrix": ("matrix", "id"), "report": ("report", "id")}
_PAGES = {
    "dataset": ("dataset", "id"),
    "gene": ("gene", "id"),
    "perturbation": ("perturbation", "id"),
    "compound": ("perturbation", "id"),
    "context": ("coverage", "context"),
}


def link(column: str, row: dict[str, Any]) -> str:
    """Return the page that the value of a column leads to, if any."""
    value = row[column]
    if column == "dataset_id":
        return address("dataset", id=value)
    if column == "gene_symbol" and row.get("gene_id"):
        return address("gene", id=row["gene_id"])
    if column in ("perturbation_label", "perturbation") and row.get("perturbation_id"):
        return "" if row.get("is_control") else address("perturbation", id=row["perturbation_id"])
    if column in _BY_NAME:
        page, key = _BY_NAME[column]
        return address(page, **{key: value})
    if column == "label" and str(row.get("entity")) in _PAGES and row.get("id"):
        page, key = _PAGES[row["entity"]]
        return address(page, **{key: row["id"]})
    return ""
