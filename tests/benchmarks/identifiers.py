"""Show what published identifiers become: ``python identifiers.py [--data DIR]``.

Coverage of published gene lists as status counts, where ambiguous names are decided only if context may decide them, as
in the gene list of a matrix; the time to resolve 60,000 identifiers; hard names one by one; and Tahoe's drugs against
LINCS and the Drug Repurposing Hub, by structure and by name. Lists whose file is absent are left out.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

import click
import h5py
import polars as pl
from rich import box
from rich.console import Console
from rich.table import Table

from ingest import reference
from ingest.harmonise.compounds import map_compounds, read_compound_dictionary
from ingest.harmonise.gene_lookup import gene_symbols
from ingest.harmonise.genes import GeneMapping, decide_by_context, map_genes
from ingest.harmonise.structures import parse_inchi_key, skeleton

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
N_TIMED = 60_000
REPEATS = 7
HARD = (
    "QARS", "C18orf21", "STRA13", "MLL4", "B3GNT1", "MUM1", "COX1", "COX2", "DEC1", "NOV", "TAZ", "SARS", "AARS",
    "MARCH1", "SEPT2", "1-Mar", "H3F3A", "WDR63", "T", "AES", "C10ORF116", "TBCE-1", "ENSG00000141510.18",
    "ENSGR0000182378", "Trp53",
)  # fmt: skip

List = tuple[str, Callable[[], GeneMapping]]


@click.command()
@click.option(
    "--data", type=click.Path(file_okay=False, path_type=Path), envvar="FEATURESTORE_REAL_DATA", default=DATA,
    help="Folder of real files.",
)  # fmt: skip
def main(data: Path) -> None:
    """Print every table."""
    console = Console(width=160)
    console.print(f"gene reference {reference.reference_id()}, built on {reference.manifest()['built_on']}")
    console.print(coverage(data))
    console.print(timing())
    console.print(hard_names())
    if (data / "tahoe100m").is_dir():
        console.print(drugs(data))


def lists(data: Path) -> Iterator[List]:
    """Name the published lists, each with the function that maps it."""
    names = data / "vcc2025" / "gene_names.csv"
    if names.exists():
        symbols = pl.read_csv(names, has_header=False, new_columns=["name"])["name"]
        yield "Virtual Cell Challenge 2025, symbols", lambda: map_genes(symbols)
        yield "the same, context deciding", lambda: decide_by_context(map_genes(symbols))
    info = data / "lincs" / "GSE92742_Broad_LINCS_gene_info.txt"
    if info.exists():
        lincs = pl.read_csv(info, separator="\t", infer_schema=False)
        landmarks, bing = (lincs.filter(pl.col(flag) == "1")["pr_gene_id"] for flag in ("pr_is_lm", "pr_is_bing"))
        yield "LINCS landmark genes, Entrez", lambda: map_genes(landmarks)
        yield "LINCS BING genes, Entrez", lambda: map_genes(bing)
        yield "LINCS all genes, Entrez", lambda: map_genes(lincs["pr_gene_id"])
    tahoe = data / "tahoe100m" / "gene_metadata.parquet"
    if tahoe.exists():
        ids = pl.read_parquet(tahoe)["ensembl_id"]
        yield "Tahoe-100M, Ensembl", lambda: map_genes(ids)
    perturbqa = sorted((data / "perturbqa").glob("*-de.csv"))
    if perturbqa:
        tables = [pl.read_csv(path, columns=["pert", "gene"]) for path in perturbqa]
        used = pl.concat([table[column] for table in tables for column in table.columns]).unique().sort()
        yield "PerturbQA, symbols of genes and targets", lambda: map_genes(used)
    depmap = data / "depmap" / "gene_effect.hdf5"
    if depmap.exists():
        with h5py.File(depmap) as file:
            headers = [label.decode() for label in file["dim_1"][:]]
        yield "DepMap gene effect, 'SYMBOL (Entrez)'", lambda: map_genes(headers)


def coverage(data: Path) -> Table:
    """Count statuses for every list."""
    table = Table("list", "n", "mapped", "statuses", title="Coverage", box=box.SIMPLE)
    for title, mapped in lists(data):
        mapping = mapped()
        share = mapping.mapped.height / len(mapping)
        statuses = ", ".join(f"{status} {n:,}" for status, n in mapping.counts().items())
        table.add_row(title, f"{len(mapping):,}", f"{share:.2%}", statuses)
    return table


def timing() -> Table:
    """Time the mapping of 60,000 identifiers of each kind, tables loaded before."""
    genes, labels = reference.table("gene"), reference.table("gene_label")["label"]
    half = N_TIMED // 2
    samples = {
        "Ensembl ids": genes["gene_id"].sample(N_TIMED, seed=1),
        "symbols, current and old": labels.sample(N_TIMED, seed=1),
        "half and half": pl.concat([genes["gene_id"].sample(half, seed=2), labels.sample(half, seed=2)]),
    }
    table = Table("60,000 identifiers", "seconds (median)", "fastest", title=f"Time, of {REPEATS} runs", box=box.SIMPLE)
    started = time.perf_counter()
    map_genes(["TP53", "ENSG00000141510", "ENSMUSG00000059552"])
    table.add_row("loading the tables", f"{time.perf_counter() - started:.3f}", "")
    for title, sample in samples.items():
        seconds = []
        for _ in range(REPEATS):
            started = time.perf_counter()
            map_genes(sample)
            seconds.append(time.perf_counter() - started)
        table.add_row(title, f"{median(seconds):.3f}", f"{min(seconds):.3f}")
    return table


def hard_names() -> Table:
    """Map names that have led people astray."""
    symbols = dict(gene_symbols().iter_rows())
    table = Table("input", "answer", "status", "could mean", title="Hard names", box=box.SIMPLE)
    rows = map_genes(HARD).table.select("original", "gene_symbol", "status", "candidates", "gene_id", "note")
    for original, symbol, status, candidates, gene_id, note in rows.iter_rows():
        others = " or ".join(symbols.get(gene) or gene for gene in candidates if gene != gene_id)
        table.add_row(original, symbol or "-", status, "; ".join(filter(None, (others, note))))
    return table


def drugs(data: Path) -> Table:
    """Compare Tahoe's drugs with two dictionaries, by structure and by name."""
    tahoe = pl.read_parquet(data / "tahoe100m" / "drug_metadata.parquet")
    given = tahoe.select(name="drug", smiles="canonical_smiles", pubchem_cid="pubchem_cid")
    table = Table("Tahoe's drugs against", "", "n", "first", title="Compounds", box=box.SIMPLE)
    for title, path in (
        ("LINCS pertinfo", data / "lincs" / "pertinfo.tsv.gz"),
        ("Drug Repurposing Hub", data / "drug_seq" / "repurposing_info.tsv"),
    ):
        if path.exists():
            for kind, names in meetings(given, read_compound_dictionary(path)).items():
                table.add_row(title, kind, f"{len(names):,}", ", ".join(names[:4]))
                title = ""  # noqa: PLW2901, said once
    return table


def meetings(given: pl.DataFrame, dictionary: pl.DataFrame) -> dict[str, list[str]]:
    """Sort drugs by whether structure and name meet in a dictionary; equal names are equal but for case and spaces."""
    namesakes: dict[str, dict[str, str | None]] = {}
    for compound_id, smiles, names in dictionary.select("compound_id", "smiles", "names").iter_rows():
        for name in names:
            namesakes.setdefault(name.strip().casefold(), {})[compound_id] = smiles
    ids = set(dictionary["compound_id"])
    kinds = (
        "meet by name and structure", "meet by structure only", "same name, kept apart: other formula",
        "same name, kept apart: isomer or tautomer", "same name, kept apart: stereochemistry",
        "same name, kept apart: no structure given", "not in it",
    )  # fmt: skip
    found: dict[str, list[str]] = {kind: [] for kind in kinds}
    mapped = map_compounds(given, dictionary=dictionary).select("original", "compound_id", "smiles")
    for original, compound_id, smiles in mapped.iter_rows():
        same_name = namesakes.get(original.strip().casefold(), {})
        if compound_id in same_name:
            kind = kinds[0]
        elif compound_id in ids:
            kind = kinds[1]
        elif not same_name:
            kind = kinds[-1]
        else:
            kind = f"same name, kept apart: {difference(compound_id, smiles, same_name)}"
        found[kind].append(original)
    return found


def difference(compound_id: str, smiles: str | None, others: dict[str, str | None]) -> str:
    """Say in what a structure differs from those of the same name."""
    if smiles is None or parse_inchi_key(compound_id) is None:
        return "no structure given"
    if any(skeleton(other) == skeleton(compound_id) for other in others):
        return "stereochemistry"
    return "isomer or tautomer" if formula(smiles) in map(formula, others.values()) else "other formula"


def formula(smiles: str | None) -> str | None:
    """Return the sum formula of a structure, its salt left in."""
    from rdkit.Chem import MolFromSmiles
    from rdkit.Chem.rdMolDescriptors import CalcMolFormula

    molecule = MolFromSmiles((smiles or "").split()[0]) if smiles else None
    return CalcMolFormula(molecule) if molecule is not None else None


if __name__ == "__main__":
    main()
