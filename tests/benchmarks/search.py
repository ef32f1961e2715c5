"""Signature search: how fast beside one product, how many drugs of one mechanism it finds, and what it says by chance.

python tests/benchmarks/search.py speed [--signatures N]     made in LINCS's layout; 473,647 x 978 by default
python tests/benchmarks/search.py retrieval DATA              consensus signatures of drugs, names, mechanisms
python tests/benchmarks/search.py heldout DATA                a score chosen on half of the mechanisms, on the others
python tests/benchmarks/search.py nulls DATA                  what queries of chance find, by either definition of it
python tests/benchmarks/search.py reversal                     wtcs of 20,000 signatures beside pertpy and gseapy
python tests/benchmarks/search.py oracle                       enrichment scores against gseapy and blitzgsea
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from functools import partial
from pathlib import Path
from unittest.mock import patch

import click
import numpy as np
import polars as pl
from measure import PEERS
from scipy.stats import kstest, rankdata

from featurestore.features.effects.similarity import encoded, similarities
from featurestore.search import background
from featurestore.search.background import N_COMPONENTS, fit_background, scaled
from featurestore.search.block import SignatureBlock, crowding, norms
from featurestore.search.correlation import correlate
from featurestore.search.engine import Signatures, compare, most_alike
from featurestore.search.enrichment import connectivity, ranked, set_enrichment, sets_enrichment
from featurestore.search.index import open_index, write_index
from featurestore.search.null import p_of_z, q_values, random_sets
from featurestore.search.query import Query

RUNS = 5
N_LANDMARKS = 978
LEAST_OF_CLASS = 4
HALVES = 20
SINGLE = 1e-6


@click.group()
def main() -> None:
    """Measure signature search."""


def timed(work):
    """Return the median seconds of five runs, after one that is not counted."""
    work()
    seconds = []
    for _ in range(RUNS):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


class Made:
    """Signatures made a thousand at a time, in LINCS's layout: what a release gives to an index."""

    def __init__(self, n: int, n_genes: int) -> None:
        self.dataset_id, self.effect_kind = "lincs_made", "moderated_z"
        self.genes = np.array([f"ENSG{i:011d}" for i in range(n_genes)])
        number = np.arange(n)
        self.conditions = pl.DataFrame(
            {
                "dataset_id": ["lincs_made"] * n,
                "condition_id": [f"sig_{i}" for i in number],
                "perturbation_id": [f"name:{i % 20_000}" for i in number],
                "perturbation": [f"drug {i % 20_000}" for i in number],
                "perturbation_kind": ["compound"] * n,
                "target_gene_ids": [[]] * n,
                "target_symbols": [[]] * n,
                "compound_id": [f"name:{i % 20_000}" for i in number],
                "context_id": [f"CVCL_{i % 70}" for i in number],
                "context_label": [f"line {i % 70}" for i in number],
                "dose_um": np.full(n, 10.0),
                "time_h": np.full(n, 24.0),
                "is_responder": number % 3 == 0,
            },
            schema_overrides={"target_gene_ids": pl.List(pl.String), "target_symbols": pl.List(pl.String)},
        )

    def prepared(self):
        """Yield encoded rows, and which they are."""
        for first in range(0, self.conditions.height, 1000):
            n = min(1000, self.conditions.height - first)
            values = np.random.default_rng(first).standard_normal((n, len(self.genes)), np.float32)
            yield slice(first, first + n), encoded(values)


@main.command()
@click.option("--signatures", "n", default=473_647, show_default=True)
@click.option("--folder", type=click.Path(path_type=Path), help="Where the index is, or is made.")
def speed(n: int, folder: Path | None) -> None:
    """Print the table of speed."""
    with tempfile.TemporaryDirectory() as made:
        place = folder or Path(made) / "index"
        if open_index(place) is None:
            started = time.perf_counter()
            place.parent.mkdir(exist_ok=True, parents=True)
            write_index(place, Made(n, N_LANDMARKS))
            print(f"index of {n:,} x {N_LANDMARKS} built     {time.perf_counter() - started:8.1f} s")
        first = [json.loads(_fresh(place, kind)) for kind in ("cosine", "wtcs")]
        print(f"first question of a process, cosine     {first[0]['first']:8.2f} s")
        print(f"first question of a process, wtcs       {first[1]['first']:8.2f} s")
        print(f"peak memory beyond the mapped files     {max(each['beyond'] for each in first):8.0f} MB")
        block = open_index(place)
        query = asked(block)
        product = timed(partial(np.matmul, block.rows, query.on(block)))  # mapped, and in memory since
        signatures = Signatures((block,))
        cosine = timed(lambda: most_alike(signatures, query, 50))
        print(f"matrix @ query                          {product:8.3f} s")
        print(f"cosine, top 50, warm                    {cosine:8.3f} s   {cosine / product:5.2f} x")
        sets = made_sets(block)
        used = time.process_time()
        wtcs = timed(lambda: compare(signatures, sets, "wtcs"))
        used = (time.process_time() - used) / (RUNS + 1)
        print(f"wtcs of 150 up and 150 down, all        {wtcs:8.3f} s   {used:5.2f} s of processors")
    rows = encoded(np.random.default_rng(0).standard_normal((3000, 10_000), np.float32))
    product = timed(lambda: rows @ rows.T)
    whole = timed(lambda: similarities(rows, rows))
    rows[np.arange(3000), np.arange(3000)] = 0
    targets = timed(lambda: similarities(rows, rows))
    print(f"3,000 x 3,000 at 10,000 genes, product  {product:8.3f} s")
    print(f"  all against all, all genes measured   {whole:8.3f} s   {whole / product:5.2f} x")
    print(f"  all against all, own targets left out {targets:8.3f} s   {targets / product:5.2f} x")


def asked(block: SignatureBlock) -> Query:
    """Return one signature of a block as a query."""
    return Signatures.query_of_row(block, len(block.rows) // 2)


def made_sets(block: SignatureBlock) -> Query:
    """Return 150 genes that go up and 150 that go down, by chance."""
    chosen = np.sort(np.random.default_rng(0).choice(len(block.genes), 300, replace=False))
    signs = np.random.default_rng(1).permutation(np.repeat([1.0, -1.0], 150))
    return Query("sets", block.genes[chosen], encoded(signs), is_sets=True)


def _fresh(place: Path, kind: str) -> str:
    return subprocess.run(
        [sys.executable, __file__, "once", str(place), kind], check=True, capture_output=True, text=True
    ).stdout


@main.command()
@click.argument("place", type=click.Path(path_type=Path))
@click.argument("kind")
def once(place: Path, kind: str) -> None:
    """Ask one question in a process of its own."""
    started = time.perf_counter()
    block = open_index(place)
    query = asked(block) if kind == "cosine" else made_sets(block)
    if kind == "cosine":
        most_alike(Signatures((block,)), query, 50)
    else:
        compare(Signatures((block,)), query, kind)
    seconds = time.perf_counter() - started
    peak = int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) / 1024
    mapped = (
        sum(path.stat().st_size for path in place.iterdir()) / 2**20 if kind == "wtcs" else block.rows.nbytes / 2**20
    )
    print(json.dumps({"first": seconds, "beyond": peak - mapped}))


@main.command()
@click.argument("data", type=click.Path(exists=True, path_type=Path))
def retrieval(data: Path) -> None:
    """Print the mean AUROC of drugs that share a mechanism, by each score, and the classes that are found."""
    ids, values = consensus(data)
    mechanisms = drug_mechanisms(data, ids)
    has = np.flatnonzero([bool(each) for each in mechanisms])
    names = sorted(set().union(*mechanisms))
    member = np.array([[name in mechanisms[i] for name in names] for i in has], np.float32)
    same = (member @ member.T) > 0
    np.fill_diagonal(same, val=False)
    raw = block_of(ids, values, removed=False)
    block = block_of(ids, values, removed=True)
    print(f"{len(ids):,} drugs, {len(has)} with a mechanism, {int(same.any(axis=1).sum())} that share it with another")
    found = {}
    for label, of in (("background kept", raw), ("background removed", block)):
        for score in ("cosine", "pearson", "spearman", "csls", "wtcs", "ncs", "xsum"):
            found[label, score] = matrix_of(of, score)[np.ix_(has, has)]
            print(f"{label:<20} {score:<9} {mean_auroc(found[label, score], same):.4f}", flush=True)
    best = found["background removed", "csls"]
    shuffled = np.random.default_rng(0).permutation(len(has))
    permuted = mean_auroc(best, same[np.ix_(shuffled, shuffled)])
    print(f"{'permuted mechanisms':<20} {'csls':<9} {permuted:.4f}")
    classes = [(name, member[:, k] > 0) for k, name in enumerate(names)]
    listed = [
        (float(np.nanmean(aurocs_of(best, inside))), int(inside.sum()), name)
        for name, inside in classes
        if inside.sum() >= 4
    ]
    for value, n, name in sorted(listed, reverse=True)[:15]:
        print(f"  {name:<50} {n:>3} drugs  {value:.3f}")


@main.command()
@click.argument("data", type=click.Path(exists=True, path_type=Path))
def heldout(data: Path) -> None:
    """Choose score and number of damped components on half of the mechanisms, twenty times; measure on the others."""
    ids, values = consensus(data)
    mechanisms = drug_mechanisms(data, ids)
    has = np.flatnonzero([bool(each) for each in mechanisms])
    names = sorted(set().union(*mechanisms))
    member = np.array([[name in mechanisms[i] for name in names] for i in has], np.float32)
    ranks = {"cosine, background kept": ranks_of(block_of(ids, values, removed=False), "cosine", has)}
    for n_components in (0, 10, N_COMPONENTS, 40):
        with patch.object(background, "N_COMPONENTS", n_components):
            block = block_of(ids, values, removed=True)
        for score in ("cosine", "spearman", "csls"):
            ranks[f"{score}, {n_components} components damped"] = ranks_of(block, score, has)
    used = f"csls, {N_COMPONENTS} components damped"
    chosen, there, always, plain = [], [], [], []
    for seed in range(HALVES):
        half = np.random.default_rng(seed).permutation(len(names)) < len(names) // 2
        here, other = (auroc_of(ranks, member[:, part]) for part in (half, ~half))
        best = max(here, key=here.get)
        chosen.append(best)
        there.append(other[best])
        always.append(other[used])
        plain.append(other["cosine, background kept"])
    for label, n in Counter(chosen).most_common():
        print(f"  chosen in {n:>2} of {HALVES}: {label}")
    for label, found in (("the chosen one", there), (used, always), ("cosine, background kept", plain)):
        print(f"{label:<34} on the other half {np.mean(found):.4f} (sd {np.std(found):.4f})")


@main.command()
@click.argument("data", type=click.Path(exists=True, path_type=Path))
@click.option("--queries", default=1000, show_default=True)
def nulls(data: Path, queries: int) -> None:
    """Print what signatures whose genes are shuffled among those that move as much, and random sets, find."""
    ids, values = consensus(data)
    block = block_of(ids, values, removed=True)
    signatures = Signatures((block,))
    print(f"{'':<32} p < 0.05  p < 0.001  KS distance  queries with q < 0.05")
    for score in ("cosine", "pearson", "spearman", "csls", "wtcs"):
        found = [
            compare(signatures, null_query(block, seed, score), score)["p_value"].to_numpy() for seed in range(queries)
        ]
        tell_null(f"{score}, as search tells it", found)
    for label, shuffled in (("signs by chance, not widened", False), ("genes shuffled 1,000 times", True)):
        found = [p_of_cosine(block, null_query(block, seed, "cosine"), seed, shuffled=shuffled) for seed in range(20)]
        tell_null(f"cosine, {label}", found)


def null_query(block: SignatureBlock, seed: int, score: str) -> Query:
    """Return a signature of the block with its genes shuffled among those that move as much; sets are of its ends."""
    rng = np.random.default_rng(seed)
    (image,) = random_sets([np.arange(len(block.genes))], block.mobility, rng)
    values = block.rows[rng.integers(len(block.rows))][image]
    return Query("chance", block.genes, values)


def p_of_cosine(block: SignatureBlock, query: Query, seed: int, *, shuffled: bool) -> np.ndarray:
    """Return p of cosines by the sign of each gene's product, or by shuffling the query's genes as search.md has it."""
    on_block = query.on(block)
    if not shuffled:
        return p_of_z(correlate(block.rows, on_block, "cosine")[1], 1.0)
    rng = np.random.default_rng(1000 + seed)
    unit = block.rows / block.norms[:, None]
    score = np.abs(unit @ on_block)
    n_larger = np.zeros(len(score))
    for _ in range(1000):
        (image,) = random_sets([np.arange(len(block.genes))], block.mobility, rng)
        n_larger += np.abs(unit @ on_block[image]) >= score
    return (1 + n_larger) / 1001


def tell_null(label: str, found: list[np.ndarray]) -> None:
    """Print how p-values of chance are spread."""
    every = np.concatenate(found)
    n_q = sum((q_values(p) < 0.05).any() for p in found)
    distance = kstest(every, "uniform").statistic
    shares = (every < 0.05).mean(), (every < 0.001).mean()
    print(f"{label:<32} {shares[0]:8.4f}  {shares[1]:9.5f}  {distance:11.3f}  {n_q:>4} of {len(found)}", flush=True)


@main.command()
@click.option("--python", default=str(PEERS), help="Python of the peers' environment.")
def oracle(python: str) -> None:
    """Compare enrichment scores with those of gseapy and blitzgsea, on fifty signatures."""
    cases = []
    for seed in range(50):
        rng = np.random.default_rng(seed)
        values = rng.standard_t(4, size=500).round(6)
        cases.append({"values": values.tolist(), "members": rng.choice(500, 5 + seed, replace=False).tolist()})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "cases.json"
        path.write_text(json.dumps(cases))
        command = [python, str(Path(__file__).with_name("peer_enrichment.py")), str(path)]
        theirs = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])
    for name in theirs[0]:
        gaps = []
        for case, found in zip(cases, theirs, strict=True):
            rows = encoded(np.array(case["values"])[None])
            ours = set_enrichment(rows, ranked(rows), np.array(case["members"]))[0]
            gaps.append(abs(ours - found[name]))
        print(f"enrichment score, {name:<18} largest difference of {len(gaps)}: {max(gaps):.1e} (allowed 1e-6)")
        if max(gaps) > SINGLE:
            raise SystemExit(1)


@main.command()
@click.option("--python", default=str(PEERS), help="Python of the peers' environment.")
@click.option("--signatures", "n", default=20_000, show_default=True)
def reversal(python: str, n: int) -> None:
    """Print what pertpy's reversal scoring and gseapy take on the same signatures, and how far scores are apart."""
    made = Made(n, N_LANDMARKS)
    rows = np.concatenate([each for _, each in made.prepared()])
    kept = {"ranks": ranked(rows), "norms": norms(rows)}
    block = SignatureBlock(made.dataset_id, made.effect_kind, made.conditions, made.genes, rows, kept)
    query = made_sets(block)
    up, down = query.members(block)
    with_null = timed(lambda: compare(Signatures((block,)), query, "wtcs"))
    alone = timed(lambda: connectivity(*sets_enrichment(rows, kept["ranks"], [up, down])))
    ours = connectivity(*sets_enrichment(rows, kept["ranks"], [up, down]))
    print(f"wtcs of {n:,} signatures with p {with_null:8.3f} s   scores alone {alone:8.3f} s")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "cases.npz"
        np.savez(path, rows=rows, up=up, down=down)
        command = [python, str(Path(__file__).with_name("peer_reversal.py")), str(path)]
        told = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])
    for name, found in told.items():
        if "missing" in found:
            print(f"{name:<14} not measured: {found['missing']}")
            continue
        scores = np.array(found["scores"])
        whole = found["seconds"] * n / len(scores)
        gap = np.abs(scores - ours[: len(scores)]).max()
        print(
            f"{name:<14} {whole:8.1f} s for as many, by {len(scores):,}: {whole / with_null:7.0f} x with p, "
            f"{whole / alone:7.0f} x scores alone; largest difference {gap:.1e}"
        )


def consensus(data: Path) -> tuple[list[str], np.ndarray]:
    """Return drugs and their consensus signatures."""
    table = pl.read_csv(data / "lincs" / "consensi-drugbank.tsv.gz", separator="\t", infer_schema_length=None)
    return table["perturbagen"].to_list(), table.drop("perturbagen").to_numpy().astype(np.float32)


def drug_mechanisms(data: Path, ids: list[str]) -> list[set[str]]:
    """Return the mechanisms of each drug, by the first block of its InChIKey."""
    drugs = pl.read_csv(data / "connectivity" / "drugbank_names.tsv", separator="\t")
    hub = pl.read_csv(
        data / "drug_seq" / "repurposing_info.tsv", separator="\t", infer_schema_length=None, quote_char=None
    )
    of_key: dict[str, set[str]] = {}
    for key, moa in hub.select("InChIKey", "moa").iter_rows():
        if key and moa:
            of_key.setdefault(key[:14], set()).update(part.strip() for part in moa.split("|"))
    keys = {drug: (key or "")[:14] for drug, key in drugs.select("drugbank_id", "inchikey").iter_rows()}
    return [of_key.get(keys.get(drug, ""), set()) for drug in ids]


def block_of(ids: list[str], values: np.ndarray, *, removed: bool) -> SignatureBlock:
    """Return signatures as a warehouse would prepare them."""
    n = len(ids)
    conditions = pl.DataFrame(
        {"dataset_id": ["drugs"] * n, "condition_id": ids, "perturbation_id": ids, "context_id": ["all"] * n}
    ).with_columns(perturbation_kind=pl.lit("compound"))
    whole = scaled(values)
    if removed:
        shared = fit_background(conditions, values.shape[1], lambda: iter([(slice(0, n), whole)]))
        whole = shared.removed(whole, slice(0, n))
    genes = np.array([f"g{i:05d}" for i in range(values.shape[1])])
    rows = encoded(whole)
    return SignatureBlock(
        "drugs", "moderated_z", conditions, genes, rows, {"crowding": crowding(rows), "norms": norms(rows)}
    )


def matrix_of(block: SignatureBlock, score: str) -> np.ndarray:
    """Return every signature's scores with every other; its own is the lowest."""
    from featurestore.search import connectivity as sets

    if score in {"cosine", "pearson"}:
        return similarities(block.rows, block.rows, score)
    if score == "spearman":
        ranks = encoded(rankdata(block.rows, axis=1))  # all genes were measured
        return similarities(ranks, ranks, "pearson")
    if score == "csls":
        return 2 * similarities(block.rows, block.rows) - block.crowding[:, None] - block.crowding[None]
    lines = []
    for i in range(len(block.rows)):
        query = Signatures.query_of_row(block, i)
        line = sets._score(block.rows, block.ranks, query.members(block), "xsum" if score == "xsum" else "wtcs")
        lines.append(sets.normalised(line, block.conditions) if score == "ncs" else line)
    return np.array(lines)


def aurocs_of(scores: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Return the AUROC of a class for each of its members."""
    return aurocs(scores, np.outer(inside, inside) & ~np.eye(len(inside), dtype=bool))


def aurocs(scores: np.ndarray, same: np.ndarray) -> np.ndarray:
    """Return for each drug how far those of its mechanism are before all others; NaN where there is none."""
    found = np.full(len(scores), np.nan)
    for i in np.flatnonzero(same.any(axis=1)):
        others = np.arange(len(scores)) != i
        rank, inside = rankdata(scores[i, others]), same[i, others]
        n = inside.sum()
        found[i] = (rank[inside].sum() - n * (n + 1) / 2) / (n * (len(rank) - n))
    return found


def ranks_of(block: SignatureBlock, score: str, has: np.ndarray) -> np.ndarray:
    """Return each drug's place among the others by rising score, by line; 0 for itself."""
    scores = matrix_of(block, score)[np.ix_(has, has)].astype(float)
    np.fill_diagonal(scores, -np.inf)
    return rankdata(scores, axis=1) - 1


def auroc_of(ranks: dict[str, np.ndarray], member: np.ndarray) -> dict[str, float]:
    """Return the mean AUROC of drugs that share one of some mechanisms, by each score."""
    same = (member @ member.T) > 0
    np.fill_diagonal(same, val=False)
    asked = same.any(axis=1)
    n, total = same[asked].sum(axis=1), len(same) - 1
    sums = {name: (each[asked] * same[asked]).sum(axis=1) for name, each in ranks.items()}
    return {name: float(np.mean((each - n * (n + 1) / 2) / (n * (total - n)))) for name, each in sums.items()}


def mean_auroc(scores: np.ndarray, same: np.ndarray) -> float:
    """Return the mean over the drugs that share a mechanism."""
    return float(np.nanmean(aurocs(scores, same)))


if __name__ == "__main__":
    main()
