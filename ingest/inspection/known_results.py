"""Columns of differential expression as tools call them, by what they hold, and the tools that are told by them."""

from __future__ import annotations

import re

from ingest.readers.long_text import ROW_NAMES

GENES = (
    *("feature", "variable", "gene", "genes", "gene_name", "gene_symbol", "names", "symbol", "gene_id", "geneid"),
    *("ensembl_id", "ensembl", "ensembl_gene_id", "hgnc_symbol", "external_gene_name", "features", "id", ROW_NAMES),
    *(
        "rowname",
        "rownames",
        "row_name",
        "rn",
        "x",
        "x1",
        "unnamed_0",
        "index",
        "index_level_0",
        "row",
        "primerid",
        "response_id",
        "target_id",
        "entrez_id",
        "entrezid",
    ),
)
RATIOS = ("fold_change", "foldchange", "fc")
NATURAL = ("avg_logfc",)
"""Effects in natural logarithms: Seurat's before version 4."""
OF_LOGARITHMS = "presto"
"""A tool whose effects are differences of logarithms to whatever base it was given."""
EFFECTS: dict[str, tuple[str, float]] = {
    **dict.fromkeys(
        ("log2foldchange", "log2_fold_change", "log2fc", "log2_fc", "log_2_fold_change", "avg_log2fc"),
        ("log2_fold_change", 0.9),
    ),
    **dict.fromkeys(("logfoldchanges", "logfc", "log_fc", "lfc"), ("log2_fold_change", 0.6)),
    **dict.fromkeys((*NATURAL, *RATIOS, "effect"), ("log2_fold_change", 0.6)),
    **dict.fromkeys(("sign_log10_pval", "signed_log10_p"), ("signed_log10_p", 0.9)),
    **dict.fromkeys(("label", "direction", "de", "is_de", "call"), ("de_call", 0.7)),
    **dict.fromkeys(("modz", "zscore_level5", "moderated_z"), ("moderated_z", 0.8)),
}
"""Names of columns of effects, the kind of values that they hold, and how sure that is."""
STATISTICS: dict[str, tuple[str, ...]] = {
    "standard_error": ("lfcse", "se", "standard_error", "std_err", "stderr"),
    "z": ("stat", "z", "zscore", "z_score", "t", "scores"),
    "p_value": ("pvalue", "p_value", "pval", "pvals", "p_val", "p"),
    "q_value": (
        *("padj", "p_adj", "adj_p_value", "adj_p_val", "pvals_adj", "p_val_adj", "fdr", "qvalue", "q_value", "qval"),
        *("q_val", "adj_pval", "adjusted_p_value", "p_value_adj", "p_adjusted"),
    ),
}
PROBABILITIES = ("p_value", "q_value")
TOOLS = {
    "DESeq2": {"basemean", "log2foldchange"},
    "limma": {"logfc", "aveexpr"},
    "edgeR": {"logfc", "logcpm"},
    "Seurat": {"p_val", "pct_1", "pct_2"},
    "scanpy": {"logfoldchanges", "pvals"},
    "pdex": {"target", "feature", "percent_change"},
    "pertpy": {"variable", "log_fc", "contrast"},
    "presto": {"avgexpr", "auc", "logfc"},
    "SCEPTRE": {"response_id", "grna_target"},
}
"""Names of columns that a tool's tables have, all of them."""
CORRECTED = re.compile(r"bonf|fwer|holm")
"""What is in the names of p-values that are corrected for the chance of one false positive."""
