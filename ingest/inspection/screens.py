"""Tables that list genes and numbers, and are no expression of a matrix, told by the names of their columns.

Results of CRISPR screens, guides, statistics in a row, proteins, features of images, counts with a line for each cell
and gene.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from featurestore.errors import SourceFormatError
from ingest.inspection.known import plain
from ingest.inspection.known_results import GENES, PROBABILITIES, STATISTICS
from ingest.inspection.roles import SURE
from ingest.inspection.values import Values
from ingest.readers.header import read_header

MAGECK_EFFECT = "neg|lfc"
SCREENS = {
    "MAGeCK's maximum likelihood": ("|beta", "|wald-p-value"),
    "drugZ": ("sumZ", "normZ"),
    "BAGEL": ("BF", "NumObs"),
}
"""Tools, and names of columns, or what these end with, that its tables of genes have."""
GUIDES = frozenset({"sgrna", "sgrna_id", "guide", "guide_id", "grna"})
PROTEINS = frozenset({"protein_group", "protein_ids", "majority_protein_ids", "protein_accessions", "precursor_id"})
"""Names of columns that MaxQuant, DIA-NN and Spectronaut give tables of proteins."""
OF_IMAGES = re.compile(r"(?:Cells|Nuclei|Cytoplasm)_[A-Z]\w+_\w+")
"""What CellProfiler calls its features."""
CELLS = frozenset({"cell", "cell_id", "cell_barcode", "barcode", "cell_index", "sample", "sample_id", "well"})
COUNTED = frozenset({"count", "counts", "umi", "umis", "umi_count", "umi_counts", "n_umi", "n_umis", "reads", "n"})
"""Names of columns of a table of counts with a line for each cell and gene."""
MOST_LISTED = 6
OF_GDC = frozenset({"unstranded", "stranded_first", "stranded_second"})
"""Columns of the counts of STAR that GDC publishes."""
MOST_COLUMNS = 200
SHORT = 2
CONTRAST = re.compile(
    r"(?:^|_)(?:log2_?f(?:old_?)?c(?:hange)?|l(?:og)?fc(?:se)?|p_?adj|p_?val(?:ue)?s?|fdr|q_?value|coef)(?:_|$)"
)
"""A statistic in the name of a column, such as ``TP53.padj`` or ``log2FoldChange_MYC``."""
TESTED = {name for key in PROBABILITIES for name in STATISTICS[key] if len(name) > SHORT} | {"pr_chisq", "fwer"}
"""Names of columns of p-values and of what corrects them, as no sample is called."""


def judge_names(path: Path) -> Values | None:
    """Say what a table holds whose columns tell that it is no expression; None where they do not."""
    try:
        names = read_header(path).names
    except SourceFormatError:
        return None
    told = _no_expression(names[:MOST_COLUMNS])
    if told or len(names) > MOST_COLUMNS:
        return Values(None, 0.0, (told,)) if told else None
    if MAGECK_EFFECT in names:
        told = (
            "MAGeCK's summary of a screen: how far the guides of each perturbed gene were lost or gained, and no "
            f"expression; '{MAGECK_EFFECT}' is the log2 fold change of its guides, on another scale than DepMap's"
        )
        return Values("gene_effect", SURE - 0.05, (told,))
    screen = next((tool for tool, ends in SCREENS.items() if all(_ends(names, end) for end in ends)), None)
    if screen is not None:
        return Values(None, 0.0, (f"{screen}: scores of perturbed genes in a screen, and no expression",))
    if {plain(name) for name in names} & GUIDES and any("gene" in plain(name) for name in names):
        return Values(None, 0.0, ("a row for each guide of a screen or for each cell, and no expression of genes",))
    return None


def _no_expression(names: Sequence[str]) -> str:
    """Say what a table holds that is no matrix of genes; nothing where its names do not tell."""
    known = {plain(name) for name in names}
    if known >= OF_GDC:
        return (
            "counts of STAR as GDC publishes them, of one sample and each read thrice, beside TPM and FPKM: write the "
            "column that fits the library, mostly 'unstranded', of all samples into one table"
        )
    if protein := next((name for name in names if plain(name) in PROTEINS), None):
        return f"proteins, as column '{protein}' says: intensities or spectra, and no expression of RNA"
    if sum(OF_IMAGES.fullmatch(name) is not None for name in names) > len(names) / 3:
        return "features of images, as CellProfiler names them, and no expression of genes"
    if known & CELLS and known & COUNTED and known & {*GENES} and len(names) <= MOST_LISTED:
        return (
            "counts with a line for each cell and gene: write them as a matrix first, in Python pandas.crosstab or a "
            "scipy.sparse.coo_matrix of both, as h5ad or Matrix Market"
        )
    return ""


def judge_contrasts(names: Sequence[str]) -> Values | None:
    """Say that the rows of a table are statistics, of one contrast or of several; None where they are not."""
    tested = next((name for name in names if plain(name) in TESTED), None)
    if tested is not None:
        told = f"'{tested}' is a statistic, so this is a table of results, whose gene or effect has an unknown name"
        return Values(None, 0.0, (f"{told}: name both under [table], with values such as log2_fold_change",))
    contrasts = [name for name in names if CONTRAST.search(plain(name))]
    if len(contrasts) < max(2, len(names) / 2) or len(names) > MOST_COLUMNS:
        return None
    told = f"statistics of contrasts side by side, such as '{contrasts[0]}'"
    return Values(None, 0.0, (f"{told}: write a table a contrast, or one below the other with a column of them",))


def _ends(names: Sequence[str], end: str) -> bool:
    return any(name == end or (end.startswith("|") and name.endswith(end)) for name in names)
