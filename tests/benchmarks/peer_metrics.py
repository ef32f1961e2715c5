"""What cell-eval, cell-eval2, pdex, scanpy and scipy say of a case; run in the environment of the peers.

The folder holds predicted and measured cells as log1p values and as counts; the answers go to ``peers.json`` there.
With ``--vcc FILE`` it reads a submission and has cell-eval prepare and score it.
"""

import argparse
import contextlib
import json
import subprocess
import sys
import tempfile
import time
import warnings
from dataclasses import replace
from pathlib import Path

import anndata as ad
import numpy as np
from scipy import sparse

COLUMN = "target_gene"
CONTROL = "non-targeting"


def cell_eval(folder, skip):
    """Every metric of cell-eval on log1p cells, its calls of both sides, and its score against its baseline."""
    import polars as pl
    from cell_eval import MetricsEvaluator, score_agg_metrics
    from cell_eval._baseline import build_base_mean_adata

    predicted, measured = (ad.read_h5ad(folder / f"{side}_log.h5ad") for side in ("predicted", "measured"))
    out = {}
    with tempfile.TemporaryDirectory() as temporary:
        started = time.perf_counter()
        evaluator = MetricsEvaluator(predicted, measured, pert_col=COLUMN, control_pert=CONTROL, outdir=temporary)
        out["seconds_de"] = time.perf_counter() - started
        results, summary = evaluator.compute(skip_metrics=skip, write_csv=False)
        out["seconds"] = time.perf_counter() - started
        out["per_perturbation"] = {name: results[name].to_list() for name in results.columns}
        for side, table in (("predicted", evaluator.de_comparison.pred), ("measured", evaluator.de_comparison.real)):
            out[f"called_{side}"] = {
                str(target): int(n)
                for target, n in table.data.filter(pl.col("fdr") < 0.05).group_by("target").len().iter_rows()
            }
        if "baseline" not in skip:
            base = build_base_mean_adata(measured.copy(), pert_col=COLUMN, control_pert=CONTROL)
            first = base[base.obs[COLUMN] != CONTROL].X[:1]
            out["baseline_profile"] = np.asarray(first.toarray() if sparse.issparse(first) else first).ravel().tolist()
            other = MetricsEvaluator(base, measured, pert_col=COLUMN, control_pert=CONTROL, outdir=temporary)
            vcc = ["mae", "discrimination_score_l1", "overlap_at_N"]
            _, base_summary = other.compute(profile="vcc", write_csv=False)
            scored = score_agg_metrics(summary.select("statistic", *vcc), base_summary.select("statistic", *vcc))
            for name, frame in (("means", summary), ("baseline_means", base_summary)):
                row = frame.filter(pl.col("statistic") == "mean")
                out[name] = {metric: float(row[metric][0]) for metric in vcc}
            out["score"] = dict(scored.iter_rows())
    return out


def cell_eval2(folder):
    """The metrics of the challenge of 2026 on counts."""
    import cell_eval2
    from cell_eval2.config import EvalConfig

    config = replace(EvalConfig.from_preset("vcc2026"), pert_col=COLUMN, device="cpu")
    paths = [str(folder / f"{side}_counts.h5ad") for side in ("predicted", "measured")]
    extra = ["expr_mse_unbiased", "expr_distance_unbiased"]
    started = time.perf_counter()
    frame = cell_eval2.compute_metrics(*paths, config=config)
    seconds = time.perf_counter() - started
    with contextlib.suppress(Exception):
        frame = frame.vstack(cell_eval2.compute_metrics(*paths, config=replace(config, metrics=extra)))
    out = {}
    for name, metric, value in frame.select("perturbation", "metric", "value").iter_rows():
        out.setdefault(metric, {})[name] = value
    return {"seconds": seconds, "values": out}


def pdex_calls(folder):
    """Tables of pdex as cell-eval calls it: statistic, p-value, q-value and log fold change."""
    from pdex import pdex

    measured = ad.read_h5ad(folder / "measured_log.h5ad")
    table = pdex(measured, groupby=COLUMN, mode="ref", reference=CONTROL, is_log1p=True, epsilon=0.0)
    columns = ["target", "feature", "statistic", "p_value", "fdr", "log2_fold_change"]
    return {name: table[name].to_list() for name in columns}


def scanpy_calls(folder):
    """p-values of scanpy's tie-corrected Wilcoxon test, which has no continuity correction."""
    import scanpy as sc

    measured = ad.read_h5ad(folder / "measured_log.h5ad")
    sc.tl.rank_genes_groups(measured, COLUMN, reference=CONTROL, method="wilcoxon", tie_correct=True)
    found = measured.uns["rank_genes_groups"]
    return {
        name: dict(zip(found["names"][name].tolist(), found["pvals"][name].tolist(), strict=True))
        for name in found["pvals"].dtype.names
    }


def scipy_calls(folder):
    """p-values of scipy, one perturbation after the other."""
    from scipy.stats import false_discovery_control, mannwhitneyu

    measured = ad.read_h5ad(folder / "measured_log.h5ad")
    labels, values = measured.obs[COLUMN].astype(str).to_numpy(), measured.X.toarray().astype(np.float64)
    out = {}
    for name in sorted(set(labels) - {CONTROL}):
        test = mannwhitneyu(values[labels == name], values[labels == CONTROL], axis=0, method="asymptotic")
        p = np.where(np.isnan(test.pvalue), 1.0, test.pvalue)
        out[name] = {"u": test.statistic.tolist(), "p": p.tolist(), "q": false_discovery_control(p).tolist()}
    return out


def read_submission(path, measured):
    """Unpack a submission with tar and zstd, have cell-eval prepare it again, and score it."""
    from cell_eval import MetricsEvaluator
    from cell_eval._cli._prep import strip_anndata

    with tempfile.TemporaryDirectory() as temporary:
        subprocess.run(["tar", "-xf", path, "-C", temporary], check=True)
        subprocess.run(["zstd", "-q", "-d", f"{temporary}/pred.h5ad.zst"], check=True)
        mark = Path(temporary, "watermark.txt").read_text()
        found = ad.read_h5ad(f"{temporary}/pred.h5ad")
        before = found.X.copy()
        genes = found.var_names.tolist()
        strip_anndata(found.copy(), f"{temporary}/again.vcc", genes, exp_gene_dim=len(genes), encoding=32)
        subprocess.run(["tar", "-xf", f"{temporary}/again.vcc", "-C", temporary], check=True)
        subprocess.run(["zstd", "-q", "-f", "-d", f"{temporary}/pred.h5ad.zst"], check=True)
        again = ad.read_h5ad(f"{temporary}/pred.h5ad")
        out = {"watermark": mark, "shape": list(found.shape), "obs": list(found.obs.columns)}
        out["same_after_prep"] = bool(abs(before - again.X).max() == 0)
        if measured:
            truth = ad.read_h5ad(measured)
            evaluator = MetricsEvaluator(found, truth, pert_col=COLUMN, control_pert=CONTROL, outdir=temporary)
            results, _ = evaluator.compute(profile="vcc", write_csv=False)
            out["means"] = {name: results[name].mean() for name in results.columns if name != "perturbation"}
    return out


def main():
    """Answer for a folder."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", default="cell_eval,cell_eval2,pdex,scanpy,scipy")
    parser.add_argument("--skip", default="pearson_edistance,clustering_agreement")
    parser.add_argument("--vcc")
    parser.add_argument("--measured")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    skip, only = arguments.skip.split(","), arguments.only.split(",")
    parts = {
        "cell_eval": lambda: cell_eval(arguments.folder, skip),
        "cell_eval2": lambda: cell_eval2(arguments.folder),
        "pdex": lambda: pdex_calls(arguments.folder),
        "scanpy": lambda: scanpy_calls(arguments.folder),
        "scipy": lambda: scipy_calls(arguments.folder),
    }
    out = {name: part() for name, part in parts.items() if name in only}
    if arguments.vcc:
        out["vcc"] = read_submission(arguments.vcc, arguments.measured)
    Path(arguments.folder, "peers.json").write_text(json.dumps(out))


if __name__ == "__main__":
    sys.exit(main())
