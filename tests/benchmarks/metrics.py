"""Every metric against its oracle: a table of the largest difference observed.

    python tests/benchmarks/metrics.py            recompute both sides on a case of cells, print the table
    python tests/benchmarks/metrics.py --frozen   ours against the answers that are kept for the tests
    python tests/benchmarks/metrics.py --freeze   keep the answers

The oracles (cell-eval, cell-eval2, pdex, scanpy, scipy) live in an environment of their own, made by ``make bench`` or
``pip install 'perturbation-featurestore[oracle]'``; the tests need none of them.
"""

import json
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
from cells import CONTROL, case, logged, write, write_case
from scipy import sparse

from featurestore.challenge import Cells, emit_cells, score_cells, write_vcc
from featurestore.challenge.cells import TARGET
from featurestore.metrics import METRICS, mean_profile, score_2025
from featurestore.metrics.wilcoxon import differential_expression, group_sums

HERE = Path(__file__).resolve().parent
DATA = HERE.parent / "featurestore" / "challenge" / "data"
PEERS = HERE.parents[1] / ".venv-peers" / "bin" / "python"
SINGLE = 1e-6
"""cell-eval keeps profiles and calls in single precision."""


@dataclass(frozen=True)
class Row:
    """One metric and one oracle: the largest difference, what is allowed, how many values, and what is peculiar."""

    metric: str
    oracle: str
    difference: float
    tolerance: float
    n: int
    note: str = ""


def row(metric, oracle, ours, theirs, tolerance, note=""):
    """Compare two arrays; both must be undefined in the same places, but for what a note says."""
    ours, theirs = np.atleast_1d(np.asarray(ours, float)), np.atleast_1d(np.asarray(theirs, float))
    defined = ~np.isnan(ours)
    same = (ours == theirs)[defined]
    with np.errstate(invalid="ignore"):
        gaps = np.where(same, 0.0, np.abs(ours - theirs)[defined])
    if np.isnan(theirs[defined]).any() or not defined.any():
        return Row(metric, oracle, float("inf"), tolerance, int(defined.sum()), note)
    return Row(metric, oracle, float(gaps.max()), tolerance, int(defined.sum()), note)


def compare(predicted, measured, peers):
    """Compare everything that has an oracle."""
    logs = [logged(cells, measured.size) for cells in (predicted, measured)]
    return [
        *against_cell_eval(*logs, peers["cell_eval"]),
        *against_tests(logs[1], peers),
        *against_cell_eval2(predicted, measured, peers["cell_eval2"]["values"]),
    ]


def against_cell_eval(predicted, measured, theirs):
    """The metrics of cell-eval 0.8.2, on log1p cells."""
    ours = score_cells(predicted, measured)
    table, found = ours.per_perturbation, theirs["per_perturbation"]
    order = [found["perturbation"].index(name) for name in table["perturbation"]]
    n, oracle = len(order), "cell-eval 0.8.2"

    def their(name):
        values = np.array([np.nan if x is None else x for x in found[name]], float)
        return values[order]

    def mine(name):
        return table[name].to_numpy()

    names = {
        "pearson_delta": ("pearson_delta", SINGLE),
        "mae": ("mae_delta", SINGLE),
        "mse": ("mse_delta", SINGLE),
        "mae_levels": ("mae", SINGLE),
        "mse_levels": ("mse", SINGLE),
        "significant_recall": ("de_sig_genes_recall", 1e-12),
        "direction_match": ("de_direction_match", 1e-12),
        "spearman_lfc": ("de_spearman_lfc_sig", 1e-4),  # their fold changes are single, where close ones tie
        "ap_by_p": ("pr_auc", 1e-12),
        "roc_by_p": ("roc_auc", 1e-12),
    }
    rows = [row(name, oracle, mine(name), their(other), tolerance) for name, (other, tolerance) in names.items()]
    for name, other in {"pds": "l1", "pds_l2": "l2", "pds_cosine": "cosine"}.items():
        scaled = 1 - (1 - their(f"discrimination_score_{other}")) * n / (n - 1)
        rows.append(row(name, oracle, mine(name), scaled, 1e-12, "theirs brought to our scale"))
    note = "undefined without DE genes, theirs 0; equal fold changes share a place, theirs by position"
    rows.append(row("overlap_at_n", oracle, mine("overlap_at_n"), their("overlap_at_N"), 1e-12, note))
    rows.append(row("precision_at_n", oracle, mine("precision_at_n"), their("precision_at_N"), 1e-12, note))
    ranks = their("de_spearman_sig")
    rows.append(row("spearman_n_significant", oracle, ours.screen["spearman_n_significant"], ranks[0], 1e-12))
    names = {"mae": "mae_levels", "discrimination_score_l1": "pds", "overlap_at_N": "overlap_at_n"}
    sides = [{ours: theirs[side][name] for name, ours in names.items()} for side in ("means", "baseline_means")]
    shares = score_2025(*sides)
    expected = {ours: theirs["score"][name] for name, ours in names.items()} | {"average": theirs["score"]["avg_score"]}
    rows.append(row("score_2025", oracle, [shares[name] for name in expected], list(expected.values()), 1e-12))
    groups = measured.groups + 1
    size = np.bincount(groups)[:, None]
    profile = mean_profile(group_sums(measured.values, groups, n + 1) / size)
    rows.append(row("mean_profile", oracle, profile, theirs["baseline_profile"], SINGLE, "control row included"))
    return rows


def against_tests(measured, peers):
    """The rank-sum test, its q-values and fold changes."""
    calls = differential_expression(measured.values, measured.groups, len(measured.perturbations))
    names, genes = list(measured.perturbations), list(measured.genes)
    table = peers["pdex"]
    at = ([names.index(x) for x in table["target"]], [genes.index(x) for x in table["feature"]])
    pairs = {
        "statistic": ("Wilcoxon U", calls.statistic, 0.0),
        "p_value": ("Wilcoxon p", calls.p_value, 1e-12),
        "fdr": ("Benjamini-Hochberg q", calls.q_value, 1e-12),
        "log2_fold_change": ("log2 fold change", calls.log2_fold_change, 1e-5),
    }
    rows = [row(label, "pdex 0.3.0", x[at], table[name], tol) for name, (label, x, tol) in pairs.items()]
    theirs = np.array([[peers["scanpy"][name][gene] for gene in genes] for name in names])
    rows.append(row("Wilcoxon p", "scanpy 1.11.5", calls.p_value, theirs, 0.05, "scanpy has no continuity correction"))
    if "scipy" in peers:
        for key, x in {"p": calls.p_value, "q": calls.q_value, "u": calls.statistic}.items():
            expected = [peers["scipy"][name][key] for name in names]
            rows.append(row(f"Wilcoxon {key}", "scipy 1.17", x, np.array(expected), 1e-12))
    return rows


def against_cell_eval2(predicted, measured, theirs):
    """The metrics of the challenge of 2026, on counts."""
    ours = score_cells(predicted, measured, protocol="2026")
    table, oracle = ours.per_perturbation, "cell-eval2 0.20.0"
    names = table["perturbation"].to_list()

    def their(name):
        return np.array([theirs[name].get(p, np.nan) for p in names], float)

    pairs = {
        "pds_2026": "pds_cosine",
        "significant_jaccard": "de_wilcoxon_sig_jaccard",
        "lfc_error": "de_wilcoxon_lfc_nmae",
        "direction_fidelity": "de_wilcoxon_direction_fidelity_yield_raw",
        "direction_reach": "de_wilcoxon_direction_reach_raw",
    }
    rows = [row(name, oracle, table[name].to_numpy(), their(other), 1e-12) for name, other in pairs.items()]
    ratio = their("expr_mse_unbiased_capped").sum() / their("expr_distance_unbiased").sum()
    rows.append(row("expression_error", oracle, ours.screen["expression_error"], ratio, 1e-9))
    return rows


def unmatched(rows):
    """Metrics that have no oracle in the table."""
    return [name for name in METRICS if name not in {r.metric for r in rows}]


def ask(folder, peers, *options):
    """Have the peers answer for a folder."""
    command = [str(peers), str(HERE / "peer_metrics.py"), str(folder), *options]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return json.loads((Path(folder) / "peers.json").read_text())


def submission(measured, peers):
    """Write the true effects of a case as a submission, and have cell-eval unpack, prepare and score it."""
    groups = measured.groups + 1
    levels = group_sums(measured.log1p(TARGET), groups, groups.max() + 1) / np.bincount(groups)[:, None]
    made = emit_cells(measured, levels[1:] - levels[0], measured.perturbations, n_cells=60)
    truth = Cells(measured.log1p(TARGET).astype(np.float32), measured.labels, measured.genes, measured.control)
    with tempfile.TemporaryDirectory() as folder:
        write_vcc(made, Path(folder) / "prediction.vcc", genes=measured.genes)
        write(truth, Path(folder) / "truth.h5ad")
        paths = ("--vcc", f"{folder}/prediction.vcc", "--measured", f"{folder}/truth.h5ad")
        theirs = ask(folder, peers, "--only", "none", *paths)["vcc"]
    ours = score_cells(made, truth).means()
    return (
        f"cell-eval reads our submission of {theirs['shape'][0]:,} cells x {theirs['shape'][1]:,} genes "
        f"(watermark {theirs['watermark']}); its prep {'leaves it' if theirs['same_after_prep'] else 'CHANGES IT'}; "
        f"MAE {theirs['means']['mae']:.6f}, ours {ours['mae_levels']:.6f}; no change would be "
        f"{np.abs(levels[1:] - levels[0]).mean():.6f}"
    )


def freeze(predicted, measured, peers):
    """Keep the cells and the answers of the peers for the tests."""
    DATA.mkdir(parents=True, exist_ok=True)
    sides = {"predicted": predicted, "measured": measured}
    arrays = {side: cells.values.toarray().astype(np.uint16) for side, cells in sides.items()}
    labels = {f"{side}_labels": cells.labels for side, cells in sides.items()}
    np.savez_compressed(DATA / "cells.npz", genes=np.array(measured.genes), **arrays, **labels)
    kept = {name: answer for name, answer in peers.items() if name != "scipy"}
    for name in ("seconds", "seconds_de"):
        kept["cell_eval"].pop(name, None)
    (DATA / "oracles.json").write_text(json.dumps(rounded(kept), separators=(",", ":")) + "\n")


def rounded(value):
    """Round to 13 digits, so that a table of p-values is no megabyte."""
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [rounded(item) for item in value]
    return float(f"{value:.13g}") if isinstance(value, float) else value


def frozen():
    """The cells and answers that were kept."""
    with np.load(DATA / "cells.npz") as found:
        sides = [
            Cells(
                sparse.csr_array(found[side].astype(np.float64)),
                found[f"{side}_labels"],
                tuple(found["genes"].tolist()),
                CONTROL,
            )
            for side in ("predicted", "measured")
        ]
    return (*sides, json.loads((DATA / "oracles.json").read_text()))


@click.command()
@click.option("--peers", default=PEERS, type=click.Path(path_type=Path), help="Python of the peers' environment.")
@click.option("--frozen", "is_frozen", is_flag=True, help="Compare with the answers that are kept.")
@click.option("--freeze", "is_kept", is_flag=True, help="Keep the answers for the tests.")
@click.option("--large", is_flag=True, help="5,000 cells x 600 genes x 24 perturbations.")
def main(peers, is_frozen, is_kept, large):
    """Print the table."""
    if is_frozen:
        predicted, measured, answers = frozen()
    else:
        size = {"n_perturbations": 24, "n_genes": 600, "n_each": 167, "n_controls": 1000, "depth": 10.0}
        predicted, measured = case(**size) if large else case()
        with tempfile.TemporaryDirectory() as folder:
            write_case(folder, predicted, measured)
            answers = ask(folder, peers)
        if is_kept:
            freeze(predicted, measured, answers)
    rows = compare(predicted, measured, answers)
    click.echo("| metric | oracle | values | largest difference | allowed | |\n|---|---|---|---|---|---|")
    for r in rows:
        mark = "" if r.difference <= r.tolerance else " **TOO LARGE**"
        click.echo(f"| {r.metric} | {r.oracle} | {r.n} | {r.difference:.1e}{mark} | {r.tolerance:.1e} | {r.note} |")
    click.echo(f"\nAgainst scipy and scikit-learn in the tests: {', '.join(unmatched(rows))}.")
    if not is_frozen:
        click.echo(f"\n{submission(measured, peers)}.")
    if any(r.difference > r.tolerance for r in rows):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
