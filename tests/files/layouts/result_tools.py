"""Miniatures of the tables in which tools write differential expression: header, row names and columns as they are.

Each holds one effect for each of `GENES`, in the order of `EFFECTS`; of several perturbations, those of the second are
the negative.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TypeAlias

import numpy as np
import polars as pl

from ingest.layouts.h5ad import write_h5ad
from ingest.reader import INDEX

Writer: TypeAlias = Callable[[Path], Path]
"""Writes its files into an empty folder and returns the path to look at."""
Lines: TypeAlias = Iterable[Sequence[object]]

GENES = ("TP53", "EGFR", "HLA-A", "NKX6-1", "MYC", "PTEN")
EFFECTS = (1.5, -0.75, 0.25, -2.0, 0.5, -0.125)
P_VALUES = (0.001, 0.02, 0.4, 0.0001, 0.3, 0.9)
Q_VALUES = (0.003, 0.04, 0.48, 0.0006, 0.45, 0.9)
"""Benjamini and Hochberg's of `P_VALUES`."""
TARGETS = ("STAT1", "JAK1")
FILE = "K562_STAT1.{}"
ROWS = tuple(zip(GENES, EFFECTS, P_VALUES, Q_VALUES, strict=True))
BOTH = tuple((target, gene, sign * effect, p, q) for target, sign in zip(TARGETS, (1, -1), strict=True)
             for gene, effect, p, q in ROWS)  # fmt: skip
BONFERRONI = tuple(min(1.0, round(p * len(GENES), 6)) for p in P_VALUES)
DESEQ2 = ("baseMean", "log2FoldChange", "lfcSE", "stat", "pvalue", "padj")
LIMMA = ("logFC", "AveExpr", "t", "P.Value", "adj.P.Val", "B")
SEURAT = ("p_val", "avg_log2FC", "pct.1", "pct.2", "p_val_adj")
SCANPY = ("names", "scores", "logfoldchanges", "pvals", "pvals_adj")
PDEX = ("target", "feature", "target_mean", "ref_mean", "target_membership", "ref_membership", "log2_fold_change",
        "percent_change", "p_value", "statistic", "fdr")  # fmt: skip
PDEX_RATIOS = ("target", "reference", "feature", "target_mean", "reference_mean", "percent_change", "fold_change",
               "p_value", "statistic", "fdr")  # fmt: skip
MAGECK_SIDE = ("score", "p-value", "fdr", "rank", "goodsgrna", "lfc")


def _write(folder: Path, name: str, header: Sequence[str], lines: Lines, separator: str = ",") -> Path:
    path = folder / name
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, delimiter=separator, lineterminator="\n").writerows([header, *lines])
    return path


def _by_r(folder: Path, ending: str, header: Sequence[str], lines: Lines) -> Path:
    """Write lines as ``write.csv`` does, or as ``write.table`` does by default or with tabs and without quotes."""
    separator, quoted = {"csv": (",", '"{}"'), "txt": (" ", '"{}"'), "tsv": ("\t", "{}")}[ending]
    titles = ["", *header] if ending == "csv" else header
    texts = [[quoted.format(name), *map(str, values)] for name, *values in lines]
    path = folder / FILE.format(ending)
    path.write_text("\n".join(separator.join(t) for t in [[quoted.format(t) for t in titles], *texts]) + "\n")
    return path


def _deseq2(folder: Path, *, ending: str) -> Path:
    lines = [(g, 100.5, e, 0.25, e / 0.25, p, "NA" if g == "MYC" else q) for g, e, p, q in ROWS]
    return _by_r(folder, ending, DESEQ2, lines)


def _deseq2_contrasts(folder: Path) -> Path:
    for line, target, sign in (("K562", "STAT1", 1), ("K562", "JAK1", -1), ("A549", "STAT1", -2)):
        lines = [(g, 100.5, sign * e, 0.25, sign * e / 0.25, p, q) for g, e, p, q in ROWS]
        _write(folder, f"deseq2_{line}_{target}.csv", ["gene", *DESEQ2], lines)
    return folder / "deseq2_K562_STAT1.csv"


def _limma(folder: Path) -> Path:
    return _by_r(folder, "tsv", LIMMA, [(g, e, 5.1, 4 * e, p, q, -1.0) for g, e, p, q in ROWS])


def _edger(folder: Path, *, corrected: str) -> Path:
    values = Q_VALUES if corrected == "FDR" else BONFERRONI
    lines = [(g, e, 5.1, 4 * e * e, p, q) for (g, e, p, _), q in zip(ROWS, values, strict=True)]
    return _by_r(folder, "csv", ("logFC", "logCPM", "F", "PValue", corrected), lines)


def _seurat(folder: Path, *, effect: str) -> Path:
    scale = np.log(2) if effect == "avg_logFC" else 1.0
    lines = [(g, p, e * scale, 0.4, 0.2, b) for (g, e, p, _), b in zip(ROWS, BONFERRONI, strict=True)]
    return _by_r(folder, "csv", [effect if name == SEURAT[1] else name for name in SEURAT], lines)


def _seurat_all(folder: Path) -> Path:
    lines = [
        (gene if target == TARGETS[0] else f"{gene}.1", p, e, 0.4, 0.2, b, target, gene)
        for (target, gene, e, p, _), b in zip(BOTH, BONFERRONI * 2, strict=True)
    ]
    return _by_r(folder, "csv", [*SEURAT, "cluster", "gene"], lines).rename(folder / "K562_all_markers.csv")


def _scanpy(folder: Path, *, corrected: Sequence[float]) -> Path:
    lines = [
        (number, target, gene, 4 * e, e, p, q)
        for number, ((target, gene, e, p, _), q) in enumerate(zip(BOTH, [*corrected] * 2, strict=True))
    ]
    return _write(folder, "K562_ranked.csv", ["", "group", *SCANPY], lines)


def _pdex(folder: Path) -> Path:
    lines = [(t, g, 10 * 2**e, 10, 30, 30, e, 2**e - 1, p, 500.0, q) for t, g, e, p, q in BOTH]
    return _write(folder, "K562_pdex.csv", PDEX, lines)


def _pdex_ratios(folder: Path) -> Path:
    lines = [(t, "non-targeting", g, 10 * 2**e, 10, 2**e - 1, 2**e, p, 500.0, q) for t, g, e, p, q in BOTH]
    return _write(folder, "K562_de.csv", PDEX_RATIOS, lines)


def _pertpy(folder: Path) -> Path:
    lines = [(gene, p, e, q, target) for target, gene, e, p, q in BOTH]
    return _write(folder, "K562_pertpy.csv", ("variable", "p_value", "log_fc", "adj_p_value", "contrast"), lines)


def _named_contrasts(folder: Path) -> Path:
    lines = [(gene, e, p, q, f"{target}_vs_control") for target, gene, e, p, q in BOTH]
    return _write(folder, "K562_results.csv", ("gene", "log2FoldChange", "pvalue", "padj", "contrast"), lines)


def _decimal_commas(folder: Path) -> Path:
    lines = [(gene, *(str(value).replace(".", ",") for value in values)) for gene, *values in ROWS]
    return _write(folder, FILE.format("csv"), ("gene", "logFC", "P.Value", "adj.P.Val"), lines, ";")


def _mageck(folder: Path) -> Path:
    header = ["id", "num", *(f"{side}|{name}" for side in ("neg", "pos") for name in MAGECK_SIDE)]
    lines = [(g, 4, p, p, q, 1, 3, e, 1 - p, 1 - p, 1, 2, 1, e) for g, e, p, q in ROWS]
    return _write(folder, "screen.gene_summary.txt", header, lines, "\t")


def _pseudobulk(folder: Path) -> Path:
    """Write sums over the cells of each donor and target as decoupler does: of one pair there is no cell."""
    pairs = [(donor, label) for donor in ("d1", "d2", "d3") for label in ("non-targeting", *TARGETS)]
    n_cells = [0.0 if pair == ("d1", "JAK1") else 10.0 for pair in pairs]
    rows = [(f"{donor}_{label}", donor, label, n) for (donor, label), n in zip(pairs, n_cells, strict=True)]
    obs = pl.DataFrame(rows, schema=[INDEX, "donor", "target", "psbulk_cells"], orient="row")
    counts = np.random.default_rng(5).poisson(20 * obs["psbulk_cells"].to_numpy()[:, None], (len(rows), len(GENES)))
    obs = obs.with_columns(cell_line=pl.lit("K562"), psbulk_counts=pl.Series(counts.sum(axis=1)).cast(pl.Float64))
    return write_h5ad(folder / "pseudobulk.h5ad", counts, obs, pl.DataFrame({INDEX: GENES}), layout="dense")


RESULT_TOOLS: dict[str, Writer] = {
    "DESeq2, write.csv": partial(_deseq2, ending="csv"),
    "DESeq2, write.table": partial(_deseq2, ending="txt"),
    "DESeq2, tabs": partial(_deseq2, ending="tsv"),
    "DESeq2, a file a contrast": _deseq2_contrasts,
    "limma": _limma,
    "edgeR": partial(_edger, corrected="FDR"),
    "edgeR, FWER": partial(_edger, corrected="FWER"),
    "Seurat FindMarkers": partial(_seurat, effect="avg_log2FC"),
    "Seurat 3 FindMarkers": partial(_seurat, effect="avg_logFC"),
    "Seurat FindAllMarkers": _seurat_all,
    "scanpy": partial(_scanpy, corrected=Q_VALUES),
    "scanpy, Bonferroni": partial(_scanpy, corrected=BONFERRONI),
    "pdex": _pdex,
    "pdex, ratios": _pdex_ratios,
    "pertpy": _pertpy,
    "contrasts by name": _named_contrasts,
    "decimal commas": _decimal_commas,
    "MAGeCK": _mageck,
    "decoupler": _pseudobulk,
}
"""By tool and form."""
