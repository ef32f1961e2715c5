#!/bin/sh
# Finding: in cell-eval a perfect prediction scores 0 in two metrics if one real perturbation changes no gene.
# Tools: cell-eval 0.8.2
# Seen: pr_auc and roc_auc of a perturbation without significant genes are NaN, and the mean over perturbations then is
#   NaN for the whole metric (direction, recall and the correlation of fold changes leave it out instead). The comparison
#   with a baseline turns NaN into 0, "no better than the baseline". Overlap and precision of such a perturbation are 0.
# Output: the real cells handed in as their own prediction, three knock-outs with effect and one without: mean pr_auc and
#   roc_auc NaN, overlap_at_N 0.75; scores against a poor baseline 0, 0 and 0.70. Without the fourth all are 1.
# Guess: a prediction that equals the truth has the best value of every metric, and what cannot be measured is left out.
# Means: most screens have perturbations without effect, so these metrics count zero for all models and pull the average
#   score down (0.80 for the perfect one), and overlaps measure the share of active perturbations first. Take the metrics
#   per perturbation, and average over those with significant genes.
# Upstream: ArcInstitute/cell-eval 34 (closed) is about nulls in the two metrics; none found about means and scores.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q cell-eval==0.8.2 pdex==0.3.0 polars==2.1.0 scanpy==1.11.5 anndata==0.12.19 numpy==2.4.6 pandas==2.3.3 scipy==1.17.1
cat > "$work/check.py" <<'PYTHON'
import logging
import os
import sys
import warnings

import anndata
import numpy as np
import pandas as pd
from cell_eval import MetricsEvaluator, score_agg_metrics

warnings.simplefilter("ignore")
logging.disable(logging.WARNING)
sys.stderr = open(os.devnull, "w")  # progress bars
GENES = 60
SHOWN = ["pr_auc", "roc_auc", "overlap_at_N", "de_sig_genes_recall", "pearson_delta"]


def screen(effects, seed):
    """60 cells of each arm, log1p of Poisson counts of mean 5 times the arm's factors by gene."""
    chance = np.random.default_rng(seed)
    arms = {"non-targeting": np.ones(GENES), **effects}
    values = [np.log1p(chance.poisson(5 * factors, size=(60, GENES))) for factors in arms.values()]
    obs = pd.DataFrame({"target": np.repeat(list(arms), 60)}, index=[f"c{i}" for i in range(60 * len(arms))])
    var = pd.DataFrame(index=[f"G{i}" for i in range(GENES)])
    return anndata.AnnData(np.vstack(values).astype(np.float32), obs, var)


def measure(predicted, real):
    evaluator = MetricsEvaluator(predicted.copy(), real.copy(), outdir=sys.argv[1], num_threads=1)
    return evaluator.compute(write_csv=False, skip_metrics=["clustering_agreement"])


def row(table, column, value):
    return table.filter(table[column] == value).to_dicts()[0]


gene = np.arange(GENES)
active = {name: np.where((gene >= first) & (gene < first + 10), 3.0, 1.0) for name, first in zip("ABC", (0, 15, 30))}
poor = np.where(gene < 20, 1.5, 1.0)
found = {}
for title, effects in (("three active", active), ("and one without effect", {**active, "quiet": np.ones(GENES)})):
    real = screen(effects, 1)
    per_arm, perfect = measure(real, real)
    _, baseline = measure(screen(dict.fromkeys(effects, poor), 2), real)
    scored = score_agg_metrics(perfect, baseline)
    mean = row(perfect, "statistic", "mean")
    score = dict(zip(scored["metric"].to_list(), scored["from_baseline"].to_list(), strict=True))
    found[title] = mean, score
    print(title)
    for name in SHOWN:
        print(f"  {name:20s} mean {mean[name]:.2f}, score {score[name]:.2f}")
    print(f"  average score {score['avg_score']:.2f}")

quiet = row(per_arm, "perturbation", "quiet")
print("quiet:", {name: quiet[name] for name in SHOWN})
mean, score = found["three active"]
assert all(np.isclose(mean[name], 1) and np.isclose(score[name], 1, atol=1e-6) for name in SHOWN)
assert np.isclose(score["avg_score"], 1, atol=1e-6)
mean, score = found["and one without effect"]
assert quiet["de_nsig_counts_real"] == 0
assert np.isnan(quiet["pr_auc"])
assert quiet["de_sig_genes_recall"] is None
assert np.isnan(mean["pr_auc"])
assert np.isnan(mean["roc_auc"])
assert score["pr_auc"] == score["roc_auc"] == 0
assert mean["overlap_at_N"] == 0.75
assert mean["de_sig_genes_recall"] == 1
assert score["avg_score"] < 0.85
PYTHON
"$work/venv/bin/python" "$work/check.py" "$work/out"
