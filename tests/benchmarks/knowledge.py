"""What prior knowledge says of perturbations that no source covers, in simulation and on real drugs.

python tests/benchmarks/knowledge.py real DATA                 mechanisms of drugs, for their consensus signatures
python tests/benchmarks/knowledge.py simulated [--seeds N]     gene sets and responses beside lines that cover few rows
python tests/benchmarks/knowledge.py lines DATA                co-dependency, for calls in three lines without any other
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import click
import numpy as np
import polars as pl
import search
from worlds import simulation

from featurestore.evaluation import evaluate
from featurestore.evaluation.auroc import auroc_by_group
from featurestore.evaluation.cross_validation import standard_models
from featurestore.features.pairs.builder import PairTask, read_pairs
from featurestore.features.pairs.calls import Calls
from featurestore.features.pairs.embeddings import shuffled_vectors
from featurestore.features.pairs.similarity import Neighbours
from featurestore.features.spec import parse_spec
from featurestore.store import Store
from ingest.commands.ingest import find_spec
from ingest.pipeline import ingest_dataset

MODELS = ("train_mean", "ridge", "kernel_ridge", "of_genes", "blend")
METRICS = ("pearson_delta", "mae", "pds")
DRUGS = "lincs_consensus_drugbank"
SHUFFLE = 0
PERTURBQA = ("k562", "rpe1", "jurkat")


@click.group()
def main() -> None:
    """Measure what prior knowledge adds where no source has the perturbation."""
    heads = "  ".join(f"{name:>26}" for name in METRICS)
    print(f"{'':<9} {'knowledge':<14} {'model':<13} {'rows':>5}  {heads}    (gain on the train mean, 95 % interval)")


def report(store: Store, label: str, knowledge: str, text: str) -> None:
    """Print what models gain on the train mean over the rows that no source covers and of which something is known."""
    matrix = store.build(parse_spec(text))
    every = standard_models(matrix)
    found = evaluate(matrix, {name: every[name] for name in MODELS if name in every})
    for model in (name for name in MODELS[1:] if name in every):
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

    Of drugs that are stereoisomers of each other one is taken: the others would give its answer away. With ``sets,
    both`` a mechanism is of the genes that its drugs target too, among those that are measured.
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
        anew = write_gmt(Path(folder) / "anew.gmt", _renamed(sets, dealt))
        with Store(folder) as store:
            for name, path in (("mechanisms", mechanisms), ("dealt anew", anew)):
                report(store, "LINCS", name, f'{head}[[feature]]\nkind = "embedding"\nfile = "{path}"\n')
            with_targets = _with_targets(sets, data, store)
            for name, members in (("sets, both", with_targets), ("both, anew", _renamed(with_targets, dealt))):
                path = write_gmt(Path(folder) / "both.gmt", members)
                both = f'{head}[[feature]]\nkind = "embedding"\nfile = "{path}"\nof = "both"\n'
                report(store, "LINCS", name, both)


@main.command()
@click.argument("data", type=click.Path(exists=True, path_type=Path))
@click.option("--shuffles", default=200, show_default=True)
def lines(data: Path, shuffles: int) -> None:
    """Rank calls in each line of PerturbQA by those of perturbed genes that cells depend on alike, without other lines.

    No source covers a row. Perturbations are those of which the table has a vector: scores of 44 lines, less their mean
    over lines and genes. A neighbour weighs its squared cosine; vectors are dealt anew for the null.
    """
    import h5py

    with h5py.File(data / "depmap" / "gene_effect.hdf5") as file:
        values, named = file["data"][:].T, [name.decode().split(" ")[0] for name in file["dim_1"][:]]
    values = np.where(np.isnan(values), np.nanmean(values, axis=1, keepdims=True), values)
    values -= values.mean(axis=1, keepdims=True)
    some = ", ".join(f"'{name}'" for name in named)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "dependency.parquet"
        pl.DataFrame(values - values.mean(axis=0)).insert_column(0, pl.Series("gene", named)).write_parquet(path)
        for line in PERTURBQA:
            ingest_dataset(find_spec(Path(f"perturbqa_{line}")), Path(folder), data / "perturbqa")
        with Store(folder) as store:
            for question in ("changed", "direction"):
                found = []
                for line in PERTURBQA:
                    target = f'dataset = "perturbqa_{line}"\nunit = "pair"\neffect_kind = "de_call"\n'
                    target += f'question = "{question}"\nwhere = "perturbation_label in ({some})"\n'
                    vectors = f'[[feature]]\nkind = "embedding"\nfile = "{path}"\n'
                    task = read_pairs(
                        store, parse_spec(f'[target]\n{target}{vectors}[split]\ncolumn = "published_split"\n')
                    )
                    found.append([_by_likeness(task, seed) for seed in (None, *range(shuffles))])
                    _tell(f"{question} {line}", np.array(found[-1]))
                _tell(f"{question} mean", np.mean(found, axis=0))


def _by_likeness(task: PairTask, seed: int | None) -> float:
    """Return the mean area over genes of what training pairs say of the perturbations with like vectors."""
    (embedding,) = task.embeddings if seed is None else shuffled_vectors(task.embeddings, seed)
    vectors = np.nan_to_num(embedding.values)
    directions = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
    train = task.pairs.divisions[0].inner_fold >= 0
    calls = Calls(*task.position[train].T, task.pairs.call[train], task.shape).merged()
    score = Neighbours(directions, calls.centred()).response(*task.position[~train].T)
    positive = task.pairs.rows["is_positive"].to_numpy()[~train]
    return float(auroc_by_group(task.position[~train, 1], positive, np.nan_to_num(score))[1].mean())


def _tell(label: str, areas: np.ndarray) -> None:
    """Print an area, the first, beside those of vectors dealt anew, and how often these reach it."""
    area, null = areas[0], areas[1:]
    p = (1 + int((null >= area).sum())) / (1 + len(null))
    print(f"{label:<20} AUROC {area:.3f}, dealt anew {null.mean():.3f} (sd {null.std():.3f}), p = {p:.3f}", flush=True)


def _renamed(sets: Mapping[str, list[str]], dealt: Mapping[str, str]) -> dict[str, list[str]]:
    """Put other drugs in the place of drugs; genes stay."""
    return {name: [dealt.get(member, member) for member in members] for name, members in sets.items()}


def _with_targets(sets: Mapping[str, list[str]], data: Path, store: Store) -> dict[str, list[str]]:
    """Add to each mechanism the measured genes that a drug of it is known to target."""
    known = set(store.frame("select distinct gene_symbol from signature")["gene_symbol"])
    hub = pl.read_csv(
        data / "drug_seq" / "repurposing_info.tsv", separator="\t", infer_schema_length=None, quote_char=None
    )
    targets: dict[str, set[str]] = {}
    for mechanism, target in hub.select("moa", "target").drop_nulls().iter_rows():
        for name in mechanism.split("|"):
            targets.setdefault(name.strip(), set()).update(known & set(target.split("|")))
    n = sum(len(targets.get(name, ())) for name in sets)
    print(f"{len(sets)} mechanisms, {n} times a measured gene that one targets")
    return {name: [*members, *sorted(targets.get(name, ()))] for name, members in sets.items()}


@main.command()
@click.option("--seeds", default=5, show_default=True, help="How many.")
@click.option("--first", default=0, show_default=True, help="The first of them.")
@click.option("--sets", "n_sets", default=40, show_default=True, help="Gene sets of a world.")
@click.option("--only", default="", help="What to report, by a part of its name: both.")
def simulated(seeds: int, first: int, n_sets: int, only: str) -> None:
    """Predict one line of a made world from two that did few of its perturbations, and from what is known of genes.

    Sets are of genes that do alike. Responses tell something where genes that do alike respond alike too: a correlation
    of 0.6 of their loadings in the second world of a seed, and none in the first.
    """
    world_of = simulation()
    sources = {"rpe1": (0.8, 0.4), "hepg2": (0.7, 0.3)}
    for seed in range(first, first + seeds):
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
                    both = 'of = "both"\n'
                    embedding = f'[[feature]]\nkind = "embedding"\nfile = "{path}"\n'
                    label = f"{seed}, r {co_response}"
                    known = {
                        "gene sets": embedding,
                        "responses": response,
                        "sets, both": embedding + both,
                        "resp., both": response + both,
                    }
                    for knowledge, feature in known.items():
                        if only in knowledge:
                            report(store, label, knowledge, signature + feature)


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
