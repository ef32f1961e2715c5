"""The tests over replicates against limma: a table of the largest relative differences, design by design.

    python tests/benchmarks/limma.py            limma on simulated pseudobulks of 2,000 genes
    python tests/benchmarks/limma.py --freeze   keep limma's answers on 60 genes for the tests

limma runs in R (on Debian: apt-get install r-bioc-limma); the tests need neither.
"""

import json
import shutil
import subprocess
import tempfile
from pathlib import Path

import click
import numpy as np

from ingest.signatures.linear import Samples
from ingest.signatures.moderated import Range, fit_replicates

HERE = Path(__file__).resolve().parent
FROZEN = HERE.parent / "ingest" / "signatures" / "data" / "limma.json"
COLUMNS = ("effect", "standard_error", "p_value")
TOLERANCE = 1e-6
DESIGNS = {
    "3 against 3": ([0] * 3 + [1] * 3, None),
    "2 against 2": ([0] * 2 + [1] * 2, None),
    "5 against 2 and 3": ([0] * 5 + [1] * 2 + [2] * 3, None),
    "4 donors, paired": ([0] * 4 + [1] * 4, [0, 1, 2, 3] * 2),
    "donors in part": ([0] * 4 + [1] * 3 + [2] * 3, [0, 1, 2, 3, 0, 1, 4, 2, 3, 4]),
    "8 conditions of 3 donors": (np.repeat(np.arange(9), 3).tolist(), [0, 1, 2] * 9),
}


def simulate(condition, replicate, n_genes, seed):
    """Draw counts of donors that differ, with a tenth of the genes changed and a few that no sample has."""
    rng = np.random.default_rng(seed)
    rate = rng.gamma(0.6, 1.0, n_genes)
    rate[: n_genes // 30] = 0.0
    donor = rng.normal(0.0, 0.3, (20, n_genes))[np.zeros(len(condition), int) if replicate is None else replicate]
    change = rng.normal(0.0, 0.5, (max(condition) + 1, n_genes)) * (rng.random((max(condition) + 1, n_genes)) < 0.1)
    change[0] = 0.0
    depth = 25.0 * n_genes * rng.lognormal(0.0, 0.5, len(condition))
    mean = depth[:, None] * (rate / rate.sum()) * np.exp(donor + change[condition])
    dispersion = 0.02 + 0.2 * rng.gamma(2.0, 0.5, n_genes)
    return rng.negative_binomial(1.0 / dispersion, 1.0 / (1.0 + mean * dispersion)).astype(np.float64)


def by_limma(counts, condition, replicate, totals):
    """Run limma on genes of one design: columns by model, and the degrees of freedom."""
    with tempfile.TemporaryDirectory() as folder:
        np.savetxt(Path(folder) / "counts.txt", counts.T, fmt="%d")
        rows = zip(condition, replicate or [-1] * len(condition), totals, strict=True)
        lines = ["condition replicate total", *(f"{c} {r} {t:.0f}" for c, r, t in rows)]
        (Path(folder) / "samples.txt").write_text("\n".join(lines) + "\n")
        subprocess.run(["Rscript", HERE / "limma.R", folder], check=True)
        return {
            model: {c: np.loadtxt(Path(folder) / f"{model}_{c}.txt", ndmin=2).T for c in COLUMNS}
            | {"freedom": float((Path(folder) / f"{model}_freedom.txt").read_text())}
            for model in ("voom", "trend")
        }


def samples_of(counts, condition, replicate, totals):
    """Make samples of an array: of counts, and of the same as log values."""
    condition, replicate = np.array(condition), None if replicate is None else np.array(replicate)
    samples = Samples(condition, counts.__getitem__, totals, replicate)
    logs = samples.logs(slice(None), counts)
    return {"voom": samples, "trend": Samples(condition, logs.__getitem__, None, replicate)}


def used(samples, counts):
    """Tell which genes some condition can be tested for: the only ones that limma is given."""
    control, others = (samples.rows(0, 1), samples.rows(1, samples.n_conditions))
    control, others = (Range.of(samples, rows, counts[rows]) for rows in (control, others))
    return others.is_testable(control).any(axis=0)


def difference(ours, theirs):
    """Return the largest relative difference of what is tested."""
    tested = np.isfinite(ours)
    gaps = np.abs(ours - theirs)[tested] / np.maximum(np.abs(theirs[tested]), 1e-300)
    return float(gaps.max())


def cases(n_genes):
    """Yield every design with its genes that are tested and limma's answers."""
    for seed, (name, (condition, replicate)) in enumerate(DESIGNS.items()):
        counts = simulate(condition, replicate, n_genes, seed)
        totals = counts.sum(axis=1)
        counts = counts[:, used(samples_of(counts, condition, replicate, totals)["voom"], counts)]
        yield name, condition, replicate, counts, totals, by_limma(counts, condition, replicate, totals)


def missing():
    """Say in a sentence what is missing for limma to run; None where nothing is."""
    if shutil.which("Rscript") is None:
        return "Rscript is not installed: tests over replicates are not compared with limma (r-bioc-limma on Debian)"
    found = subprocess.run(["Rscript", "-e", "library(limma)"], capture_output=True, check=False)
    return "R has no limma: tests over replicates are not compared with it" if found.returncode else None


def frozen(name, condition, replicate, counts, totals, answers):
    """Write one design and its answers as JSON takes them, to 10 digits."""
    rounded = {
        model: {
            column: value if column == "freedom" else [[float(f"{v:.10g}") for v in row] for row in value]
            for column, value in columns.items()
        }
        for model, columns in answers.items()
    }
    facts = {"name": name, "condition": condition, "replicate": replicate, "totals": totals.astype(int).tolist()}
    return facts | {"counts": counts.astype(int).tolist()} | rounded


@click.command(help=__doc__.splitlines()[0])
@click.option("--freeze", is_flag=True, help="Keep limma's answers for the tests.")
def main(freeze):
    """Compare, or keep the answers."""
    if (why := missing()) is not None:
        print(why)
        return
    if freeze:
        FROZEN.parent.mkdir(exist_ok=True)
        FROZEN.write_text(json.dumps([frozen(*case) for case in cases(60)], separators=(",", ":")) + "\n")
        return
    print(f"{'design':<26}{'model':<8}{'tests':>7}{'effect':>10}{'s.e.':>10}{'p':>10}{'freedom':>10}")
    worst = 0.0
    for name, condition, replicate, counts, totals, answers in cases(2_000):
        for model, samples in samples_of(counts, condition, replicate, totals).items():
            fitted = fit_replicates(samples)
            ours = fitted.compare(1, samples.n_conditions)
            gaps = [difference(getattr(ours, c), answers[model][c]) for c in COLUMNS]
            gaps.append(abs(ours.freedom / answers[model]["freedom"] - 1.0))
            print(f"{name:<26}{model:<8}{np.isfinite(ours.p_value).sum():>7,}" + "".join(f"{g:>10.1e}" for g in gaps))
            worst = max(worst, *gaps)
    if worst > TOLERANCE:
        raise SystemExit(f"a difference of {worst:.1e} is above {TOLERANCE:.0e}")


if __name__ == "__main__":
    main()
