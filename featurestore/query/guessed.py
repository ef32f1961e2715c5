"""What is meant by a name that SQL does not know: another word for a column, or a column of a view to be joined."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator
from typing import Any

import duckdb

from featurestore.contract import VIEWS
from featurestore.errors import QueryError
from featurestore.query.tree import parts_of

_NO_COLUMN = re.compile(
    r'Referenced column "(?P<name>[^"]+)" not found|'
    r'(?:Values list|Table) "(?P<alias>[^"]+)" does not have a column named "(?P<of_alias>[^"]+)"'
)
_NO_TABLE = re.compile(r"Table with name (?P<name>\S+) does not exist")
_KEYS = ("dataset_id", "condition_id", "gene_id", "compound_id", "context_id")
_BY_NARROWNESS = ("condition", "quality", "dataset", "gene", "context", "compound", "signature", "statistics")
"""Views that others are joined with, those of fewest rows first."""


def _words(meanings: dict[str, str]) -> dict[str, tuple[str, ...]]:
    """Turn lines of what is meant -> words for it round; what is meant may be several names, the first that fits."""
    return {word: tuple(meant.split()) for meant, words in meanings.items() for word in words.split()}


_COLUMN_WORDS = _words(
    {
        "log2fc": "logfc lfc fc foldchange log2foldchange logfoldchange logfoldchanges avglog2fc",
        "q_value": "padj fdr qval adjp adjpval adjpvalue pvaladj pvalsadj pvalueadj",
        "p_value": "p pval pvals",
        "context_label": "cellline celltype line context cell stimulus stimulation stim tissuetype",
        "n_cells": "cells ncell cellcount numcells numbercells",
        "gene gene_symbol": "symbol genename hgncsymbol hgnc genesymbol gene",
        "perturbation": "drug compound treatment guide grna sgrna target targetgene perturbedgene pert",
        "perturbation_kind": "modality type kind",
        "time_h": "time timepoint hours",
        "dose_um": "dose concentration",
        "knockdown_ratio": "knockdown knockdownefficiency efficiency knockdownratio",
        "effect": "delta difference score signature",
        "dataset_id": "dataset study",
        "condition_id": "condition",
    }
)
"""Words of other tools, in small letters and without underscores."""
_VIEW_WORDS = _words(
    {
        "condition": "cells cell obs perturbation perturbations conditions",
        "effects": "effect de deg degs differentialexpression dge results foldchanges",
        "signature": "signatures",
        "statistics": "counts expression pseudobulk pseudobulks sums matrix",
        "quality": "knockdown knockdowns qc efficiency responders responder",
        "gene": "genes var",
        "dataset": "datasets studies",
        "compound": "compounds drug drugs",
        "context": "contexts celllines cellline celltypes celltype lines line",
    }
)


def unknown_name(error: duckdb.Error, tree: str) -> QueryError | None:
    """Say what may be meant by a column or view that a statement names and no view has.

    Parameters
    ----------
    error
        What DuckDB says.
    tree
        The statement, as ``json_serialize_sql`` writes it.

    Returns
    -------
    None where the error is of another kind, or nothing is known to be meant.
    """
    if found := _NO_TABLE.search(str(error)):
        return _unknown_view(found["name"].strip('"'))
    if found := _NO_COLUMN.search(str(error)):
        used = _views(tree, found["alias"])
        name = found["name"] or found["of_alias"]
        return _unknown_column(name, used) or (_no_column(name, used) if _is_of_views(tree) else None)
    return None


def _unknown_view(name: str) -> QueryError:
    bare = _bare(name)
    near = _VIEW_WORDS.get(bare) or tuple(difflib.get_close_matches(bare, VIEWS, n=1))
    if not near:
        return QueryError(f"There is no view '{name}'.", expected=f"one of {', '.join(VIEWS)}", where="FROM")
    view = VIEWS[near[0]]
    cells = " (cells are summed when they are ingested: n_cells counts them)" if bare in {"cells", "cell"} else ""
    return QueryError(
        f"There is no view '{name}'.",
        expected=f"one of {', '.join(VIEWS)}",
        where="FROM",
        do=f"ask {view.name}{cells}, which has {', '.join(view.columns)}",
    )


def _unknown_column(name: str, used: list[str]) -> QueryError | None:
    """Look for what is meant in the views that are used, then in those that can be joined with them."""
    if not used:
        return None
    is_column = any(name.lower() in view.columns for view in VIEWS.values())
    meant = (name.lower(),) if is_column else _COLUMN_WORDS.get(_bare(name), ())
    words = _COLUMN_WORDS.get(_bare(name), ())
    where = f"{'view' if len(used) == 1 else 'views'} {', '.join(used)}"
    for column in (*meant, *words):
        for view in used:
            if column in VIEWS[view].columns:
                return QueryError(f"There is no column '{name}'.", where=where, do=f"{view} calls it {column}")
    for column in meant:
        if do := _from_elsewhere(column, used):
            called = "" if column == name.lower() else f"{column} is what it is called; "
            return QueryError(f"There is no column '{name}'.", where=where, do=called + do)
    return None


def _no_column(name: str, used: list[str]) -> QueryError:
    """Name all columns, where none is known to be meant."""
    columns = list(dict.fromkeys(column for view in used for column in VIEWS[view].columns))
    near = difflib.get_close_matches(name.lower(), columns, n=1)
    return QueryError(
        f"There is no column '{name}'.",
        where=f"{'view' if len(used) == 1 else 'views'} {', '.join(used)}",
        expected=f"one of {', '.join(columns)}",
        do=f"did you mean {near[0]}?" if near else "",
    )


def _from_elsewhere(column: str, used: list[str]) -> str:
    if used == ["signature"] and column in VIEWS["effects"].columns:
        return f"ask effects instead, which has {', '.join(VIEWS['effects'].columns)}"
    for other in _BY_NARROWNESS:
        for view in used:
            shared = [key for key in _KEYS if key in VIEWS[view].columns and key in VIEWS[other].columns]
            if column in VIEWS[other].columns and shared:
                return f"{other} has it: from {view} join {other} using ({', '.join(shared)})"
    return ""


def _views(tree: str, alias: str | None) -> list[str]:
    """Name the views of a statement, or the one that has an alias in it."""
    named = [(each, name) for each, name in _tables(json.loads(tree)) if name in VIEWS] if tree else []
    of_alias = [name for each, name in named if alias is not None and each.lower() == alias.lower()]
    return list(dict.fromkeys(of_alias or [name for _, name in named]))


def _is_of_views(tree: str) -> bool:
    """Say whether a statement is one SELECT of views alone, so that all of its columns are theirs."""
    parts = list(parts_of(json.loads(tree))) if tree else []
    selects = sum(part.get("type") == "SELECT_NODE" for part in parts)
    tables = [str(part.get("table_name", "")).lower() for part in parts if part.get("type") == "BASE_TABLE"]
    return selects == 1 and bool(tables) and all(name in VIEWS for name in tables)


def _tables(tree: Any) -> Iterator[tuple[str, str]]:
    for part in parts_of(tree):
        if part.get("type") == "BASE_TABLE":
            name = str(part.get("table_name", "")).lower()
            yield str(part.get("alias") or name), name


def _bare(name: str) -> str:
    return name.lower().replace("_", "")
