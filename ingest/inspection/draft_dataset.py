"""The ``[dataset]`` of a draft: files, matrix, values and assay, and what the catalogue knows of it."""

from __future__ import annotations

import re
from pathlib import Path

from ingest.harmonise.slugs import slug
from ingest.inspection.draft_condition import relative
from ingest.inspection.draft_lines import Lines
from ingest.inspection.inspect import PARTS
from ingest.inspection.inspection import Inspection
from ingest.inspection.roles import SURE
from ingest.spec import read_spec

QUANTIFIED = "quantified"
"""The format of quantified samples."""
BULK_TOTAL = 500_000
"""Counts of a row above which it is a bulk sample rather than a cell."""
STORED_WHOLE = ("reported", "replicates", "phenotypes")
"""Ways of values of which each has to be stored: one that is not may be missing rather than 0."""
NO_NAMES = re.compile(
    r"(matrix|(sample_)?(filtered|raw)_feature_bc_matrix|counts?(_(un)?filtered|_matrix)?|data|cells|x|outs"
    r"|cells_x_genes|cellranger|adata|quants_mat|alevin|dge(_(un)?filtered)?|all-sample|uniqueandmult-\w+"
    r"|filtered|raw|gene(full)?|solo|abundance|quant)?",
    re.IGNORECASE,
)
"""Names of files and folders that say nothing; the name of the next folder above them is used."""


def draft_dataset(lines: Lines, found: Inspection, folder: Path) -> None:
    """Draft what is read, of which kind it is, and where it was published."""
    entry = found.entry
    lines.section("dataset")
    lines.set("id", entry.id if entry else _dataset_id(found.path))
    files = [relative(found.path.with_name(name), folder) for name in found.family or (found.path.name,)]
    missed = _other_file(found.path)
    told = f"without the counts of '{missed}', which a cell's total has too" if missed else ""
    lines.set("files", files, f"told by its content: {found.format}", told, is_doubtful=bool(missed))
    if found.table is not None and "format" in found.table:
        lines.set("format", found.table["format"])
    if found.sheet is not None:
        lines.set("sheet", found.sheet, f"of {', '.join(found.sheets)}" if found.sheets[1:] else "")
        lines.set("header", found.header, "the row of the header")
    if found.is_orientation_doubtful:
        told = "both rows and columns are named like genes; the longer axis is taken"
        lines.set("genes_in", found.genes_in, told, is_doubtful=True)
    elif found.genes_in is not None:
        lines.set("genes_in", found.genes_in, "the first column holds the genes")
    if found.described_by:
        lines.set(
            "described_by", list(found.described_by), "columns of numbers not named like genes, as the others are"
        )
    _matrix(lines, found)
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


def _other_file(path: Path) -> str | None:
    """Name the file beside with the other part of counts that are of spliced reads, or of those that are not."""
    for part, other in PARTS.items():
        twin = re.sub(rf"(?<![a-z]){part}(?=\.mtx)", other, path.name)
        if twin != path.name and path.with_name(twin).is_file():
            return twin
    return None


def _matrix(lines: Lines, found: Inspection) -> None:
    """Name the matrix that is read, where there are several; of STAR's counts those of a strand."""
    if found.strands:
        told = f"STAR counts reads thrice, {', '.join(found.matrices)}: take those that fit how the library was made"
        lines.set("matrix", found.matrix, found.strands, told, is_doubtful=True)
    elif found.matrix is not None or found.lacks is not None:
        why = f"of {', '.join(found.matrices)}, the one of {found.values.kind}"
        told = f"without the counts of '{found.lacks}', which a cell's total has too" if found.lacks else ""
        lines.set("matrix", found.matrix or found.matrices[0], why, told, is_doubtful=found.lacks is not None)


def _values(lines: Lines, found: Inspection) -> None:
    """Say what the numbers are; of logarithms, also what rows were scaled to, where the file does not tell."""
    values = found.values
    if values.is_known:
        why = f"[{values.score:.2f}] {'; '.join(values.evidence)}"
        is_sparse = values.route in STORED_WHOLE and found.is_sparse
        told = "the matrix is sparse, and of these values each has to be stored: write it anew as a dense one"
        is_doubtful = values.score < SURE or is_sparse
        lines.set("values", values.kind, why, told if is_sparse else "", is_doubtful=is_doubtful)
        if values.untold is not None and values.may_be_usual:
            lines.set("logarithm", {"total": 10_000}, values.untold, is_doubtful=True)
        elif values.untold is not None:
            told = 'what rows were scaled to is not told; total = "unknown" takes values as they are'
            lines.ask("logarithm", {"total": 1_000_000}, values.untold, told)
    else:
        what = f"looks like {values.kind}, which cannot be ingested" if values.kind else "not told"
        example = "counts" if found.table is None else "log2_fold_change"
        lines.ask("values", example, f"{what}: {'; '.join(values.evidence)}")


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
