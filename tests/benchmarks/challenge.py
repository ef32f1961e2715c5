"""The whole challenge of 2026 against its own tools: every metric, both ends of the scale, and the score.

python tests/benchmarks/challenge.py            ask cell-eval2 and vcc again, print the table of differences
python tests/benchmarks/challenge.py --frozen   ours against the answers that are kept for the tests
python tests/benchmarks/challenge.py --freeze   keep the answers
"""

import json
import subprocess
import tempfile
from dataclasses import replace
from functools import cache
from pathlib import Path

import click
import numpy as np
from cells import write
from challenge_cells import CONTEXTS, CONTROL, GENES, PREDICTIONS, TARGETS, content, context
from metrics import HERE, PEERS, Row, rounded, row
from scipy import sparse

from featurestore.challenge import score_cells
from featurestore.challenge.ends_2026 import ends
from featurestore.challenge.protocol_2026 import side
from featurestore.challenge.submission import TARGET, as_anndata, emit, positions
from featurestore.challenge.submission_2026 import Block, write_counts
from featurestore.metrics import VCC_2026, score_2026
from featurestore.metrics.wilcoxon import group_sums

KEPT = HERE.parent / "featurestore" / "challenge" / "data" / "challenge.json"
ORACLE = "cell-eval2 0.20.0"
TOLERANCE = 1e-6
THEIRS = {
    "pds_2026": "pds_cosine",
    "expression_error": "expr_mse_unbiased_capped_norm",
    "lfc_error": "de_wilcoxon_lfc_nmae",
    "direction_fidelity": "de_wilcoxon_direction_fidelity_yield_raw",
    "direction_reach": "de_wilcoxon_direction_reach_raw",
    "significant_jaccard": "de_wilcoxon_sig_jaccard",
}


@cache
def ours(name):
    """Ends of the scale of a context and scores of its predictions."""
    measured, predicted = context(name)
    truth = side(measured, measured)
    scores = {kind: score_cells(cells, measured, protocol="2026", truth=truth) for kind, cells in predicted.items()}
    return ends(measured, truth), scores


def compare(answers):
    """Compare the ends of the scale, every prediction of every context, and guides with a map of their targets."""
    rows = []
    for name in CONTEXTS:
        theirs, (own, scores) = answers["contexts"][name], ours(name)
        for what, found in (("baseline", own.baseline), ("replicate", own.replicate)):
            expected = {ours: theirs[what][other] for ours, other in THEIRS.items()}
            rows += [row(f"{name} {what} {m}", ORACLE, found[m], expected[m], TOLERANCE) for m in THEIRS]
        for kind in PREDICTIONS:
            rows += against(f"{name} {kind}", scores[kind], own, theirs["predictions"][kind])
    guides = [with_guides(cells) for cells in (context("A")[1]["ordinary"], context("A")[0])]
    mapped = score_cells(*guides, protocol="2026").means()
    return [
        *rows,
        *(row(f"guides {m}", ORACLE, mapped[m], answers["guides"]["mapped"][o], TOLERANCE) for m, o in THEIRS.items()),
    ]


def against(what, found, own, theirs):
    """Compare a prediction by perturbation, by mean, and on the scale; both are undefined in the same places."""
    rows, table = [], found.per_perturbation
    for mine, other in THEIRS.items():
        if mine in found.metrics:
            expected = [theirs["values"].get(other, {}).get(name) for name in table["perturbation"]]
            expected = np.array([np.nan if x is None else x for x in expected], dtype=float)
            values = table[mine].cast(float).to_numpy()
            if not np.array_equal(np.isnan(values), np.isnan(expected)):
                rows.append(Row(f"{what} {mine} undefined", ORACLE, float("inf"), 0.0, len(values)))
            elif not np.isnan(values).all():
                rows.append(row(f"{what} {mine}", ORACLE, values, expected, TOLERANCE))
    means = found.means()
    shares = score_2026({name: means[name] for name in VCC_2026}, own.baseline, own.replicate)
    for mine, other in THEIRS.items():
        rows.append(row(f"{what} share of {mine}", ORACLE, shares[mine], theirs["shares"][other], TOLERANCE))
    return [*rows, row(f"{what} score", ORACLE, shares["average"], theirs["score"], TOLERANCE)]


def with_guides(cells):
    """The same cells by guides, with the target of each."""
    labels = np.where(cells.labels == CONTROL, CONTROL, np.char.add(cells.labels, "-1"))
    return replace(cells, labels=labels, targets={f"{name}-1": name for name in TARGETS})


def write_case(folder):
    """Write every context and prediction for the peers."""
    for name in CONTEXTS:
        measured, predicted = context(name)
        write(measured, folder / f"{name}.h5ad")
        for kind, cells in predicted.items():
            write(cells, folder / f"{name}_{kind}.h5ad")


def ask(folder, peers, *options):
    """Have the peers answer for a folder."""
    command = [str(peers), str(HERE / "peer_challenge.py"), str(folder), *map(str, options)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return json.loads((Path(folder) / "challenge.json").read_text())


def frozen():
    """The answers that were kept, of the cells that are made."""
    return json.loads(KEPT.read_text())


FAULTY = {
    "two_contexts": lambda blocks: [b for b in blocks if b.context != "C"],
    "few_cells": lambda blocks: [b._replace(values=b.values[1:]) for b in blocks],
    "a_target_less": lambda blocks: [b for b in blocks if b.perturbation != TARGETS[0]],
    "guides": lambda blocks: [b._replace(perturbation=f"{b.perturbation}-1") for b in blocks],
    "empty_cells": lambda blocks: [b._replace(values=b.values * (b.perturbation != TARGETS[0])) for b in blocks],
    "large_cells": lambda blocks: [b._replace(values=b.values * 1000) for b in blocks],
    "fractions": lambda blocks: [b._replace(values=b.values * 0.5) for b in blocks],
    "controls": lambda blocks: [*blocks, blocks[0]._replace(perturbation=CONTROL)],
}
"""What vcc refuses, and so do we: made of a submission that both take."""


def submissions(folder):
    """Write the panel of the made challenge, a submission of the true effects, and faulty ones of the same cells."""
    genes = sorted(GENES)
    (folder / "gene_names.csv").write_text("\n".join(["gene_name", *genes, ""]))
    (folder / "pert_counts.csv").write_text("\n".join(["target_gene,n_cells", *(f"{name},40" for name in TARGETS), ""]))
    (folder / "manifest.json").write_text(json.dumps({"contexts": CONTEXTS}))
    blocks = []
    for name in CONTEXTS:
        measured, _ = context(name)
        groups = measured.groups + 1
        levels = group_sums(measured.log1p(TARGET), groups, groups.max() + 1) / np.bincount(groups)[:, None]
        each, columns = dict.fromkeys(measured.perturbations, 40), positions(measured, genes)
        made = emit(measured, levels[1:] - levels[0], measured.perturbations, n_cells=each, as_counts=True)
        blocks += [Block(name, perturbation, values[:, columns]) for perturbation, values in made]
    write_counts(blocks, folder / "submission.h5ad", genes=genes)
    for fault, change in FAULTY.items():
        wrong = change(blocks)
        labels = {"target_gene": "perturbation", "context": "context"}
        obs = {
            name: np.repeat([getattr(b, field) for b in wrong], [b.values.shape[0] for b in wrong])
            for name, field in labels.items()
        }
        found = as_anndata(sparse.vstack([b.values for b in wrong], format="csr"), genes, obs)
        found.write_h5ad(folder / f"{fault}.h5ad")
    return ["submission", *FAULTY]


@click.command()
@click.option("--peers", default=PEERS, type=click.Path(path_type=Path), help="Python of the peers' environment.")
@click.option("--frozen", "is_frozen", is_flag=True, help="Compare with the answers that are kept.")
@click.option("--freeze", "is_kept", is_flag=True, help="Keep the answers for the tests.")
def main(peers, is_frozen, is_kept):
    """Print the largest difference of each kind of comparison."""
    if is_frozen:
        answers = frozen()
    else:
        with tempfile.TemporaryDirectory() as folder:
            write_case(Path(folder))
            answers = ask(folder, peers)
            names = submissions(Path(folder))
            asked = [word for name in names for word in ("--submission", f"{folder}/{name}.h5ad")]
            taken = ask(folder, peers, *asked)
        for name in names:
            said = taken[f"{name}.h5ad"]
            click.echo(f"vcc 0.3.0 {'refuses' if said['code'] else 'takes'} {name}: {said['said'].strip()[:160]!r}")
            if bool(said["code"]) != (name in FAULTY):
                raise SystemExit(1)
        if is_kept:
            answers["cells"] = {name: content(name) for name in CONTEXTS}
            KEPT.write_text(json.dumps(rounded(answers), separators=(",", ":")) + "\n")
    rows = compare(answers)
    click.echo("| compared | values | largest difference |\n|---|---|---|")
    for kind in ("baseline", "replicate", *PREDICTIONS, "guides"):
        own = [r for r in rows if kind in r.metric]
        click.echo(f"| {kind} | {sum(r.n for r in own)} | {max(r.difference for r in own):.1e} |")
    off = [r for r in rows if not r.difference <= r.tolerance]
    for r in off:
        click.echo(f"TOO LARGE: {r.metric}: {r.difference:.2e}")
    if off:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
