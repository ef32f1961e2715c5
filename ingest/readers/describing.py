"""Tables that describe what a matrix holds (cell lines, compounds, genes, signatures), and where a spec names them."""

from __future__ import annotations

from pathlib import Path

from featurestore.errors import SourceFormatError
from ingest.readers.header import read_header

MOST_COLUMNS = 80
"""A table with more columns may be a matrix, whatever the first ones are called."""
BESIDE = 'table = "{name}" and key = "{key}" under [{section}]'
JOINED = '[[rows.join]] with table = "{name}" and key = "{key}"'
LINES = 'context_table = "{name}" under [condition]'
COMPOUNDS = 'dictionary = "{name}" under [compound]'
KNOWN = (
    (("ModelID", "CellLineName"), "cell lines", LINES),
    (("DepMap_ID", "cell_line_name"), "cell lines", LINES),
    (("cell_id", "base_cell_id"), "cell lines", JOINED),
    (("cell_iname", "cellosaurus_id"), "cell lines", JOINED),
    (("pert_iname", "moa", "target"), "compounds", COMPOUNDS),
    (("pert_id", "pert_iname", "canonical_smiles"), "compounds", JOINED),
    (("pert_id", "cmap_name", "canonical_smiles"), "compounds", JOINED),
    (("pr_gene_id", "pr_gene_symbol"), "genes", BESIDE),
    (("gene_id", "gene_symbol", "feature_space"), "genes", BESIDE),
    (("GeneID", "Symbol", "Synonyms"), "genes", BESIDE),
    (("sig_id", "pert_id"), "rows", BESIDE),
    (("inst_id", "pert_id"), "rows", BESIDE),
    (("sample_id", "pert_id", "pert_type"), "rows", BESIDE),
)
"""Columns by which such a table is told, the key first; what it describes; where a spec names it."""


def refuse_description(path: Path) -> None:
    """Refuse a table that describes what the matrix of another file holds; say nothing of anything else.

    Raises
    ------
    SourceFormatError
        It is such a table: the message says of what, and where a spec names it.
    """
    try:
        names = read_header(path).names
    except SourceFormatError:
        return
    found = next((known for known in KNOWN if set(known[0]) <= set(names)), None)
    if found is None or len(names) > MOST_COLUMNS:
        return
    (key, *_), what, place = found
    named = place.format(name=path.name, key=key, section="genes" if what == "genes" else "rows")
    raise SourceFormatError(
        f"the table describes {what}, and holds no measurements",
        where=str(path),
        expected=f"the file with the measurements, to which this one tells more of its {what}",
        got="columns " + ", ".join(map(repr, found[0])),
        do=f"inspect that file, and name this one in its spec: {named}",
    )
