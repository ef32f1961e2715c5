"""The ``[genes]`` of a draft: what identifies them, which rows are RNA, and what else was counted beside it."""

from __future__ import annotations

from pathlib import Path

from ingest.conditions.counted_beside import GUIDE_CALL, LEAST_COUNT, OF, TAG_CALL
from ingest.inspection.draft_condition import relative
from ingest.inspection.draft_lines import Lines, to_toml
from ingest.inspection.inspection import Inspection
from ingest.inspection.known import PROBES
from ingest.reader import INDEX
from ingest.readers.feature_words import are_few, is_guides, is_tags

LANDMARKS = {"pr_is_lm": "pr_is_lm = 1", "feature_space": "feature_space = 'landmark'"}
"""Columns of gene tables of L1000, and the condition that tells landmark genes."""


def draft_gene_ids(lines: Lines, found: Inspection, folder: Path) -> None:
    """Draft which column identifies the genes, of the file or of a table beside it."""
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
    lines.set("id", best.name, f"{_told(best)}{told}", best.doubt, is_doubtful=bool(best.doubt))
    if genes.symbol is not None:
        said = (_told(genes.symbol), genes.conflict)
        lines.set("symbol", genes.symbol.name, *said, is_doubtful=bool(genes.conflict))
    lines.set("kind", best.kind)
    if found.is_mouse:
        told = "mouse genes, measured and targeted, become their only human ortholog; without it they have no gene"
        lines.set("translate_mouse", bool(found.is_mouse), told, is_doubtful=True)
    for column, condition in LANDMARKS.items():
        if found.gene_table is not None and column in found.gene_table.columns:
            lines.set("landmarks", condition, "the genes that were measured; the others were inferred")
    if best.n_repeated:
        lines.set("duplicates", "collapse", f"{best.n_repeated:,} are given again: counts of one gene are added")


def draft_feature_types(lines: Lines, found: Inspection) -> None:
    """Say which rows of the gene table are read, or ask where it does not tell."""
    types = found.types
    if types is not None and (not types.is_rna.any() or None in types.counts):
        lines.ask("where", f"{types.column} = 'Gene Expression'", f"which rows are RNA is not told: {types.told()}")
    elif types is not None:
        lines.note(f"by '{types.column}': {types.told()}; only what is RNA is read, and makes a cell's total")
    if found.n_unfiltered:
        told = f"{found.n_unfiltered:,} probes did not pass Cell Ranger's filter, which its matrix of genes is without"
        lines.set("where", PROBES, told, is_doubtful=True)
    if found.genes.n_second:
        lines.note(f"{found.genes.n_second:,} genes are of a second species: no part of a cell's total")


def _told(column: object) -> str:
    name, mapped, evidence = (getattr(column, part) for part in ("name", "mapped", "evidence"))
    return f"'{name}': {evidence}, {mapped:.1%} known"


def draft_counted(lines: Lines, found: Inspection) -> None:
    """Call guides where nothing else is known of the cells, and offer what else was counted beside RNA."""
    kinds = [*found.modalities, *(name for name in (found.types.counts if found.types else ()) if name is not None)]
    for kind in filter(are_few, kinds):
        if is_guides(kind) and found.guides is None:
            lines.note(
                f"also there, not used: guides counted in {kind!r}; perturbation = {to_toml(GUIDE_CALL)} calls them, "
                f"with min_count = {LEAST_COUNT} under [guides]"
            )
        elif is_tags(kind):
            lines.note(
                f"also there, not used: hashtags counted in {kind!r}; batch = {to_toml(TAG_CALL)} calls them, with a "
                "min_count under [tags]"
            )
        elif not is_guides(kind):
            lines.note(
                f"also there, not used: counts of {kind!r}, each a column of the cells: {kind}{OF}NAME, as in "
                f"where = '\"{kind}{OF}NAME\" > 100'"
            )
    if found.guides is not None:
        lines.section("guides")
        lines.set("min_count", LEAST_COUNT, found.guides, is_doubtful=True)
