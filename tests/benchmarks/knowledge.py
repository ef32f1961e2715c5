"""What prior knowledge says of perturbations that no source covers, in simulation and on real drugs.

python tests/benchmarks/knowledge.py real DATA                 mechanisms of drugs, for their consensus signatures
python tests/benchmarks/knowledge.py simulated [--seeds N]     gene sets and responses beside lines that cover few rows
python tests/benchmarks/knowledge.py lines DATA                each of four real lines, from the three others
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import click
import numpy as np
import polars as pl
import search
from worlds import FOUR_LINES, four_lines, simulation

from featurestore.evaluation import evaluate
from featurestore.evaluation.cross_validation import standard_models
from featurestore.features.spec import parse_spec
from featurestore.store import Store
from ingest.commands.ingest import find_spec
from ingest.pipeline import ingest_dataset

MODELS = ("train_mean", "ridge", "kernel_ridge", "blend")
METRICS = ("pearson_delta", "mae", "pds")
DRUGS = "lincs_consensus_drugbank"
SHUFFLE = 0


@click.group()
def main() -> None:
    """Measure what prior knowledge adds where no source has the perturbation."""
    heads = "  ".join(f"{name:>26}" for name in METRICS)
    print(f"{'':<9} {'knowledge':<14} {'model':<13} {'rows':>5}  {heads}    (gain on the train mean, 95 % interval)")


def report(store: Store, label: str, knowledge: str, text: str) -> None:
    """Print what models gain on the train mean over the rows that no source covers and of which something is known."""
    matrix = store.build(parse_spec(text))
    every = standard_models(matrix)
    found = evaluate(matrix, {name: every[name] for name in MODELS})
    for model in MODELS[1:]:
        own = {each.metric: each for each in found.uncovered if each.model == model}
        shown = "  ".join(f"{own[m].gain:+9.4f} ({own[m].low:+.4f} {own[m].high:+.4f})" for m in METRICS)
        print(f"{label:<9} {knowledge:<14} {model:<13} {own['mae'].n:5d}  {shown}", flush=True)


def write_gmt(path: Path, sets: Mapping[str, Iterable[str]]) -> Path:
    """Write sets of members that a warehouse can name."""
    path.write_text("".join("\t".join([name, "", *members]) + "\n" for name, members in sets.items()))
    return path


@main.command()
@click.argument("data", type=click.Path(exists=True, path_type=Path))
def real(data: Path) -> None:
    """Predict what drugs do to 978 genes from their mechanisms alone, and from mechanisms dealt anew.

    Of drugs that are stereoisomers of each other one is taken: the others would give its answer away.
    """
    drugs, _ = search.consensus(data)
    table = pl.read_csv(data / "connectivity" / "drugbank_names.tsv", separator="\t").drop_nulls("inchikey")
    skeletons = table.unique(pl.col("inchikey").str.slice(0, 14), keep="first", maintain_order=True)
    single = set(skeletons["drugbank_id"])
    found = zip(drugs, search.drug_mechanisms(data, drugs), strict=True)
    of_drug = {drug: mechanisms for drug, mechanisms in found if mechanisms and drug in single}
    sets: dict[str, list[str]] = {}
    for drug, mechanisms in of_drug.items():
        for mechanism in mechanisms:
            sets.setdefault(mechanism, []).append(drug)
    sets = {name: members for name, members in sets.items() if len(members) > 1}
    known = sorted({drug for members in sets.values() for drug in members})
    dealt = dict(zip(known, np.random.default_rng(SHUFFLE).permutation(known), strict=True))
    named = ", ".join(f"'{drug}'" for drug in known)
    head = f'[target]\ndataset = "{DRUGS}"\neffect_kind = "moderated_z"\nwhere = "perturbation in ({named})"\n'
    with tempfile.TemporaryDirectory() as folder:
        ingest_dataset(find_spec(Path(DRUGS)), Path(folder), data / "lincs")
        mechanisms = write_gmt(Path(folder) / "mechanisms.gmt", sets)
        shuffled = {name: [dealt[drug] for drug in members] for name, members in sets.items()}
        anew = write_gmt(Path(folder) / "anew.gmt", shuffled)
        with Store(folder) as store:
            for name, path in (("mechanisms", mechanisms), ("dealt anew", anew)):
                report(store, "LINCS", name, f'{head}[[feature]]\nkind = "embedding"\nfile = "{path}"\n')


@main.command()
@click.option("--seeds", default=5, show_default=True)
@click.option("--sets", "n_sets", default=40, show_default=True, help="Gene sets of a world.")
def simulated(seeds: int, n_sets: int) -> None:
    """Predict one line of a made world from two that did few of its perturbations, and from what is known of genes.

    Sets are of genes that do alike. Responses tell something where genes that do alike respond alike too: a correlation
    of 0.6 of their loadings in the second world of a seed, and none in the first.
    """
    world_of = simulation()
    sources = {"rpe1": (0.8, 0.4), "hepg2": (0.7, 0.3)}
    for seed in range(seeds):
        for co_response in (0.0, 0.6):
            with tempfile.TemporaryDirectory() as name:
                folder = Path(name)
                world, done = world_of.simulate(seed, sources, co_response=co_response)
                latent = world_of.latent_of(seed)
                symbols = world.genes["gene_symbol"].head(len(latent)).to_list()
                path = write_gmt(folder / "sets.gmt", _sets(latent, symbols, n_sets, np.random.default_rng(seed)))
                with Store(world_of.ingested(world, done, folder, seed)) as store:
                    names = ", ".join(f'"replogle_demo_{line}"' for line in sources)
                    lines = f"datasets = [{names}]\ncomponents = 20\n"
                    signature = f'[target]\ndataset = "replogle_demo_k562"\n[[feature]]\nkind = "signature"\n{lines}'
                    response = f'[[feature]]\nkind = "response"\n{lines}'
                    embedding = f'[[feature]]\nkind = "embedding"\nfile = "{path}"\n'
                    label = f"{seed}, r {co_response}"
                    report(store, label, "gene sets", signature + embedding)
                    report(store, label, "responses", signature + response)


@main.command()
@click.argument("data", type=click.Path(exists=True, path_type=Path))
def lines(data: Path) -> None:
    """Predict each of four real lines from the others: the blend against the part that is best in each score."""
    source = f'[[feature]]\nkind = "signature"\ndatasets = ["{FOUR_LINES}"]\ncomponents = 20\n'
    for line in four_lines(data):
        matrix = line.store.build(parse_spec(f"{line.target}{source}{line.others}"))
        covered = f"{line.name}, {matrix.covered.sum()} of {len(matrix.X)} covered"
        for each in (each for each in evaluate(matrix).best_part if each.metric in METRICS):
            scores = f"blend {each.model_mean:.4f}, {each.baseline} {each.baseline_mean:.4f}"
            gain = f"{each.gain:+.4f} ({each.low:+.4f} to {each.high:+.4f}) {each.outcome}"
            print(f"{covered:<24} {each.metric:<14} {scores}: {gain}", flush=True)


def _sets(latent: np.ndarray, symbols: list[str], n_sets: int, rng: np.random.Generator) -> dict[str, list[str]]:
    """Draw sets of 8 to 30 genes that lie far along a direction of what perturbations do, as far as noise lets."""
    sets = {}
    for number in range(n_sets):
        along = latent @ rng.normal(size=latent.shape[1])
        noisy = along / along.std() + rng.normal(size=len(latent))
        members = np.argsort(-noisy)[: rng.integers(8, 31)]
        sets[f"SET_{number}"] = [symbols[at] for at in members]
    return sets


if __name__ == "__main__":
    main()
