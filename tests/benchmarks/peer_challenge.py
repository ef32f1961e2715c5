"""What cell-eval2 and vcc say of a small challenge of 2026; run in the environment of the peers.

The folder holds ``A.h5ad`` and its predictions ``A_ordinary.h5ad``, and so on; the answers go to ``challenge.json``.
With ``--submission FILE`` vcc is asked whether it takes the file, by the panel in the folder.
"""

import argparse
import json
import subprocess
import sys
import warnings
from dataclasses import replace
from pathlib import Path

import anndata as ad

COLUMN = "target_gene"
MEMBERS = (
    "pds_cosine",
    "expr_mse_unbiased_capped_norm",
    "de_wilcoxon_lfc_nmae",
    "de_wilcoxon_direction_fidelity_yield_raw",
    "de_wilcoxon_direction_reach_raw",
    "de_wilcoxon_sig_jaccard",
)


def configuration(targets=None):
    """The challenge's own configuration, on a processor."""
    from cell_eval2.config import EvalConfig

    base = EvalConfig.from_preset("vcc2026")
    return replace(base, pert_col=COLUMN, device="cpu", de=replace(base.de, backend="pdex"), target_gene_map=targets)


def score_context(folder, name):
    """Ends of the scale of a context, and every prediction by metric, by perturbation and on the scale."""
    from cell_eval2 import compute_metrics
    from cell_eval2.anchor import compute_replicate_anchor
    from cell_eval2.baseline import build_generic_baseline
    from cell_eval2.run import aggregate_metrics
    from cell_eval2.score import _replicate_entries
    from cell_eval2.scoring import score_one

    measured, config = ad.read_h5ad(folder / f"{name}.h5ad"), configuration()
    built = build_generic_baseline(measured.copy(), config=config, allow_degenerate=True)
    means = built.agg.filter(built.agg["statistic"] == "mean")
    baseline = {member: float(means[member][0]) for member in MEMBERS}
    _, anchor = compute_replicate_anchor(measured.copy(), config=config)
    entries = _replicate_entries(baseline, anchor)
    replicate = dict(anchor.select("metric", "replicate").iter_rows())
    out = {"baseline": baseline, "replicate": {member: replicate[member] for member in MEMBERS}, "predictions": {}}
    for path in sorted(folder.glob(f"{name}_*.h5ad")):
        frame = compute_metrics(ad.read_h5ad(path), measured.copy(), config=config)
        mean = dict(aggregate_metrics(frame, metrics=list(MEMBERS)).select("metric", "mean").iter_rows())
        shares = {member: score_one(mean[member], entries[member].base, entries[member].scoring) for member in MEMBERS}
        values = {}
        for perturbation, metric, value in frame.select("perturbation", "metric", "value").iter_rows():
            if metric in MEMBERS:
                values.setdefault(metric, {})[perturbation] = value
        out["predictions"][path.stem.removeprefix(f"{name}_")] = {
            "values": values,
            "means": {member: mean[member] for member in MEMBERS},
            "shares": shares,
            "score": sum(shares.values()) / len(shares),
        }
    return out


def with_guides(folder):
    """The first context with guides in place of targets: without a map, and with one."""
    from cell_eval2 import compute_metrics
    from cell_eval2.run import aggregate_metrics

    sides = [ad.read_h5ad(folder / name) for name in ("A_ordinary.h5ad", "A.h5ad")]
    targets = {}
    for side in sides:
        names = side.obs[COLUMN].astype(str)
        side.obs[COLUMN] = [name if name == "non-targeting" else f"{name}-1" for name in names]
        targets |= {f"{name}-1": name for name in names if name != "non-targeting"}
    try:
        compute_metrics(*(side.copy() for side in sides), config=configuration())
        refused = ""
    except ValueError as error:
        refused = str(error)[:60]
    frame = compute_metrics(*sides, config=configuration(targets))
    mean = dict(aggregate_metrics(frame, metrics=list(MEMBERS)).select("metric", "mean").iter_rows())
    return {"refused": refused, "mapped": {member: mean[member] for member in MEMBERS}}


def prepared(folder, path, more):
    """Ask vcc whether it takes a submission; return what it wrote, or why not."""
    command = [
        "vcc",
        "prep",
        str(path),
        "-g",
        str(folder / "gene_names.csv"),
        "--perts",
        str(folder / "pert_counts.csv"),
    ]
    command = [str(Path(sys.executable).parent / command[0]), *command[1:], "-o", str(path) + ".vcc", "-f", *more]
    ran = subprocess.run([*command, "--json"], capture_output=True, text=True, check=False)
    return {"code": ran.returncode, "said": ran.stdout + ran.stderr}


def main():
    """Answer for a folder."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--submission", type=Path, action="append", default=[])
    arguments, more = parser.parse_known_args()
    warnings.simplefilter("ignore")
    folder = arguments.folder
    if arguments.submission:
        out = {path.name: prepared(folder, path, more) for path in arguments.submission}
    else:
        contexts = sorted(path.stem for path in folder.glob("*.h5ad") if "_" not in path.stem)
        out = {"contexts": {name: score_context(folder, name) for name in contexts}, "guides": with_guides(folder)}
    (folder / "challenge.json").write_text(json.dumps(out))


if __name__ == "__main__":
    sys.exit(main())
