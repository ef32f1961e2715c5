"""Draft the spec of a dataset from what its file says: every line with its evidence, and what is missing named.

What a file does not say is a line to fill in, so that a draft is refused, by name of what is missing, rather than
ingested on a guess. The one guess that is drafted without evidence is the kind of a CRISPR screen; it is marked.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from featurestore.errors import SpecError
from ingest.conditions.guide_calls import GUIDE_CALL, LEAST_COUNT
from ingest.harmonise.slugs import slug
from ingest.inspection.draft_condition import draft_condition, is_model_table, relative
from ingest.inspection.draft_lines import Lines, to_toml
from ingest.inspection.inspection import Inspection
from ingest.inspection.known import COMPOUND_KEYS, QUALITY_KEYS
from ingest.inspection.responses import draft_responses
from ingest.inspection.result_columns import Remark
from ingest.inspection.roles import SURE
from ingest.reader import INDEX
from ingest.readers.feature_words import is_guides
from ingest.spec import GENETIC_KINDS, parse_spec, read_spec

LANDMARKS = {"pr_is_lm": "pr_is_lm = 1", "feature_space": "feature_space = 'landmark'"}
"""Columns of gene tables of L1000, and the condition that tells landmark genes."""
QUANTIFIED = "quantified"
"""The format of quantified samples."""
BULK_TOTAL = 500_000
"""Counts of a row above which it is a bulk sample rather than a cell."""
NO_NAMES = re.compile(
    r"(matrix|(sample_)?(filtered|raw)_feature_bc_matrix|counts?(_(un)?filtered|_matrix)?|data|cells|x|outs"
    r"|cells_x_genes|cellranger|adata|quants_mat|alevin|dge(_(un)?filtered)?|all-sample|uniqueandmult-\w+"
    r"|filtered|raw|gene(full)?|solo|abundance|quant)?",
    re.IGNORECASE,
)
"""Names of files and folders that say nothing; the name of the next folder above them is used."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A drafted spec.

    ``missing`` names the keys that the file does not give and a human has to; ``doubtful`` those that were guessed.
    """

    text: str
    missing: tuple[str, ...]
    doubtful: tuple[str, ...]


def draft_spec(found: Inspection, folder: Path) -> Draft:
    """Draft a spec.

    Parameters
    ----------
    found
        What was seen of the file.
    folder
        Where the spec will be: names of files are relative to it.
    """
    lines = Lines()
    lines.note(
        f"Drafted by 'featurestore inspect' from {found.path.name}: {found.n_rows:,} rows x {found.n_genes:,} genes."
    )
    if found.entry is not None and found.entry.spec is not None:
        lines.note(f"A spec of {found.entry.id} comes along: featurestore ingest {found.entry.id} --data FOLDER")
    lines.note("Numbers in brackets say how sure a guess is, from 0 to 1.")
    _dataset(lines, found, folder)
    if found.responses is not None:
        draft_responses(lines, found, found.responses)
    else:
        _matrix_or_list(lines, found, folder)
    text = "\n".join(lines.lines) + "\n"
    if not lines.missing:
        _require_spec(text)
    return Draft(text, tuple(lines.missing), tuple(lines.doubtful))


def _matrix_or_list(lines: Lines, found: Inspection, folder: Path) -> None:
    """Draft what there is of a matrix, or of a table with a line for each condition and gene."""
    draft_condition(lines, found, folder)
    if found.table is not None:
        _listed(lines, found, found.table)
    else:
        _tables(lines, found, folder)


def _dataset(lines: Lines, found: Inspection, folder: Path) -> None:
    entry = found.entry
    lines.section("dataset")
    lines.set("id", entry.id if entry else _dataset_id(found.path))
    files = [relative(found.path.with_name(name), folder) for name in found.family or (found.path.name,)]
    lines.set("files", files, f"told by its content: {found.format}")
    if found.table is not None and "format" in found.table:
        lines.set("format", found.table["format"])
    if found.sheet is not None:
        lines.set("sheet", found.sheet, f"of {', '.join(found.sheets)}" if found.sheets[1:] else "")
        lines.set("header", found.header, "the row of the header")
    if found.is_orientation_doubtful:
        told = "both lines and columns are named like genes; the longer side is taken"
        lines.set("genes_in", found.genes_in, told, is_doubtful=True)
    elif found.genes_in is not None:
        lines.set("genes_in", found.genes_in, "the first column holds the genes")
    if found.described_by:
        lines.set("described_by", list(found.described_by), "columns of numbers called like no gene, as the others are")
    if found.matrix is not None:
        lines.set("matrix", found.matrix, f"of {', '.join(found.matrices)}, the one of {found.values.kind}")
    _values(lines, found)
    lines.set("assay", _assay(found))
    if organism := found.organism or (("mouse", found.genes.columns[0].evidence) if found.genes.is_mouse else None):
        lines.set("organism", *organism)
    if entry is None:
        lines.note('experiment = ""  # name it where these cells are, or will be, in another dataset too')
        lines.note('title = ""  citation = ""  licence = ""  url = ""  # one line each')
        return
    lines.set("experiment", _experiment(found), f"the catalogue has a file of this name, of {entry.id}")
    for key in ("source", "title", "citation", "licence", "url"):
        lines.set(key, f"{entry.citation}, doi:{entry.doi}" if key == "citation" and entry.doi else getattr(entry, key))


def _values(lines: Lines, found: Inspection) -> None:
    """Say what the numbers are; of logarithms, also what rows were scaled to, where the file does not tell."""
    values = found.values
    if values.is_known:
        why = f"[{values.score:.2f}] {'; '.join(values.evidence)}"
        lines.set("values", values.kind, why, is_doubtful=values.score < SURE)
        if values.untold is not None and values.may_be_usual:
            lines.set("logarithm", {"total": 10_000}, values.untold, is_doubtful=True)
        elif values.untold is not None:
            told = 'what rows were scaled to is not told; total = "unknown" takes values as they are'
            lines.ask("logarithm", {"total": 1_000_000}, values.untold, told)
    else:
        what = f"looks like {values.kind}, which cannot be ingested" if values.kind else "not told"
        example = "counts" if found.table is None else "log2_fold_change"
        lines.ask("values", example, f"{what}: {'; '.join(values.evidence)}")


def _listed(lines: Lines, found: Inspection, table: dict[str, str]) -> None:
    if found.extract:
        lines.section("rows")
        lines.set("extract", found.extract, "what was perturbed is part of the names of files")
    lines.section("table")
    for key, column in table.items():
        if key != "format":
            remark = found.remarks.get(key, Remark(""))
            lines.set(key, column, remark.text, is_doubtful=remark.is_doubtful)
    if "effect" not in table:
        lines.ask("effect", "a column", f"no column is known to be an effect: {', '.join(found.columns)}")
    for key in found.remarks.keys() - table.keys():
        lines.note(f"no {key}: {found.remarks[key].text}")


def _tables(lines: Lines, found: Inspection, folder: Path) -> None:
    table = found.row_table
    table = None if is_model_table(found) else table
    for name in found.unnamed_labels:
        lines.note(f"'{name}' holds numbers for labels (ClassLabel), whose names the file does not have: join them")
    if table is not None or found.extract:
        lines.section("rows")
    if found.extract:
        lines.set("extract", found.extract, "labels are part of the names of rows")
    if table is not None:
        told = f"{table.n_found} of {table.n_probed} row keys looked for are in it"
        lines.set("table", relative(table.path, folder), told)
        lines.set("key", table.key)
    if found.tokens:
        lines.section("tokens")
        for key, name in found.tokens.items():
            lines.set(key, name)
    lines.section("genes")
    _types(lines, found)
    _gene_ids(lines, found, folder)
    if found.n_silent and found.needs_control:
        lines.note(
            f"{found.n_silent:,} of {found.n_genes:,} genes are 0 in all rows looked at; if the publisher pads "
            'its list with genes that were not measured: absent = "all_zero"'
        )
    counted = next((name for name in found.modalities if is_guides(name)), None)
    if found.guides is not None:
        lines.section("guides")
        lines.set("min_count", LEAST_COUNT, found.guides, is_doubtful=True)
    elif counted is not None:
        lines.note(
            f"also there, not used: guides counted in {counted!r}; perturbation = {to_toml(GUIDE_CALL)} calls them, "
            f"with min_count = {LEAST_COUNT} under [guides]"
        )
    kinds = {guess.value or "column" for guess in found.roles.get("kind", [])[:1]}
    _named(lines, found, "compound", COMPOUND_KEYS if not kinds & GENETIC_KINDS else ())
    _named(lines, found, "coverage", ("auc", "mapped_reads") if found.values.kind == "bp_coverage" else ())
    _named(lines, found, "quality", QUALITY_KEYS if found.is_relative else ())


def _gene_ids(lines: Lines, found: Inspection, folder: Path) -> None:
    genes = found.genes
    if genes.id is None and found.is_of_transcripts:
        told = "what was measured is transcripts: name the GTF, or the table of transcripts and genes, of the index"
        lines.ask("transcripts", "tx2gene.tsv", told)
        return
    if found.transcripts is not None:
        told = "what was measured is transcripts: their counts are summed to the genes of this table"
        lines.set("transcripts", relative(found.transcripts, folder), told)
    if found.gene_table is not None:
        table = found.gene_table
        lines.set(
            "table", relative(table.path, folder), f"{table.n_found} of {table.n_probed} genes looked for are in it"
        )
        lines.set("key", table.key)
    if genes.id is None:
        lines.ask(
            "id", INDEX, "no column identifies half of the genes", *(_told(column) for column in genes.columns[:3])
        )
        return
    best = genes.id
    release = genes.releases.row(0, named=True) if genes.releases.height else None
    told = f"; fits {release['release']} best ({release['n_found']:,} of {release['n_ids']:,})" if release else ""
    lines.set("id", best.name, f"{_told(best)}{told}")
    if genes.symbol is not None:
        lines.set("symbol", genes.symbol.name, _told(genes.symbol))
    lines.set("kind", best.kind)
    if found.is_mouse:
        told = "mouse genes, measured and targeted, become their only human ortholog; without it they have no gene"
        lines.set("translate_mouse", bool(found.is_mouse), told, is_doubtful=True)
    for column, condition in LANDMARKS.items():
        if found.gene_table is not None and column in found.gene_table.columns:
            lines.set("landmarks", condition, "the genes that were measured; the others were inferred")
    if best.n_repeated:
        lines.set("duplicates", "collapse", f"{best.n_repeated:,} are given again: counts of one gene are added")


def _types(lines: Lines, found: Inspection) -> None:
    """Say which rows of the gene table are read, or ask where it does not tell."""
    types = found.types
    if types is not None and (not types.is_rna.any() or None in types.counts):
        lines.ask("where", f"{types.column} = 'Gene Expression'", f"which rows are RNA is not told: {types.told()}")
    elif types is not None:
        lines.note(f"by '{types.column}': {types.told()}; only what is RNA is read, and makes a cell's total")
    if found.genes.n_second:
        lines.note(f"{found.genes.n_second:,} genes are of a second species: no part of a cell's total")


def _named(lines: Lines, found: Inspection, section: str, keys: Iterable[str]) -> None:
    """Write a section of columns that are known by their names."""
    guesses = {key: found.roles[key][0] for key in keys if found.roles[key]}
    if guesses:
        lines.section(section)
        for key, guess in guesses.items():
            lines.set(key, guess.column)


def _assay(found: Inspection) -> str:
    return "drug_screen" if found.responses is not None else _assay_of_genes(found)


def _assay_of_genes(found: Inspection) -> str:
    kind = found.roles["kind"][0] if found.roles.get("kind") else None
    is_l1000 = found.format.startswith(("gctx", "gct")) or found.n_genes in {978, 12_328}
    if found.entry is not None and found.entry.assay != "observational" and found.values.kind != "log2tpm1":
        return found.entry.assay
    if found.values.route in {"reported", "replicates"}:
        return "l1000" if is_l1000 else "de_table"
    if found.values.kind in {"bp_coverage", "log2tpm1"} or found.format.startswith(("archs4", QUANTIFIED)):
        return "bulk_rna_seq"
    if found.is_phenotype:
        return "crispr_screen"
    if (
        found.total is not None
        and found.total > BULK_TOTAL
        and found.values.kind in {"counts", "estimated_counts"}
        and not found.cells
    ):
        return "bulk_rna_seq"
    is_chemical = kind is not None and kind.value in {"compound", "ligand"}
    return "drug_seq" if is_chemical else "perturb_seq"


def _experiment(found: Inspection) -> str:
    entry = found.entry
    if entry is None:
        return _dataset_id(found.path)
    return read_spec(entry.spec).experiment if entry.spec is not None else entry.same_cells_as or entry.id


def _dataset_id(path: Path) -> str:
    places = path.resolve()
    stems = (place.name.split(".")[0] for place in (places, *places.parents))
    return slug(next((stem for stem in stems if not NO_NAMES.fullmatch(stem)), "dataset"))[:100]


def _told(column: object) -> str:
    name, mapped, evidence = (getattr(column, part) for part in ("name", "mapped", "evidence"))
    return f"'{name}': {evidence}, {mapped:.1%} known"


def _require_spec(text: str) -> None:
    """See to it that a draft with nothing left to fill in is a spec."""
    try:
        parse_spec(tomllib.loads(text))
    except SpecError as error:
        raise AssertionError(f"a draft is no spec: {error}") from error
