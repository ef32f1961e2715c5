"""Look at a published file: what it is, what its numbers are, and what its columns may mean, each with the evidence.

The matrix is looked at no further than its beginning, the row table column by column, so a file of any size takes
seconds and little memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path

from ingest.conditions.described import refuse_gene_as_key
from ingest.harmonise.describing import describing
from ingest.inspection.catalogued import catalogued
from ingest.inspection.inspection import Inspection
from ingest.inspection.listed import inspect_listed
from ingest.inspection.look import Look
from ingest.inspection.responses import inspect_responses
from ingest.inspection.screens import MAGECK_EFFECT, judge_names
from ingest.inspection.transcripts import are_transcripts, with_genes
from ingest.inspection.workbook import inspect_frame, inspect_workbook
from ingest.readers.columns import none_describes
from ingest.readers.hdf5 import is_hdf5
from ingest.readers.open import open_source, sources_in
from ingest.readers.quantified import QuantifiedReader
from ingest.readers.r_objects import is_of_r
from ingest.readers.sheets import is_workbook
from ingest.readers.star import Stranded, likely_strand

TABLES = "table"
PARTS = {
    part: other
    for pair in (("spliced", "unspliced"), ("exonic", "intronic"), ("exon", "intron"), ("mature", "nascent"))
    for part, other in (pair, pair[::-1])
}
"""What matrices of a part of the counts are called, and those of the other part."""
GUESSED, SURELY = (None, "zscore", "log2_fold_change"), 0.7
"""What values below 0 are guessed to be, and how sure another guess has to be: logarithms say more than scaled ones."""


def inspect_file(path: Path, *, matrix: str | None = None, within: Path | None = None) -> Inspection:
    """Inspect a file of any format that is known.

    Parameters
    ----------
    path
        The file, or the folder that holds it.
    matrix
        Which matrix to look at, in a file that holds several; where None the first, or the one that holds counts.
    within
        A folder that the file is in, of which tables that describe its rows may be in any on the way; or the folder of
        what the file was written from.

    Raises
    ------
    SourceFormatError
        The file is of no known format, or damaged.
    """
    if path.is_dir() and (sources := sources_in(path)) != [path]:
        passed_over = tuple(source.relative_to(path).as_posix() for source in sources[1:])
        return replace(inspect_file(sources[0], matrix=matrix, within=path), passed_over=passed_over)
    beside = partial(inspect_file, within=path.parent)
    if matrix is None and path.is_file() and is_workbook(path):
        return inspect_workbook(path, beside)
    saved = inspect_frame(path, beside) if matrix is None and path.is_file() and is_of_r(path) else None
    return saved or _inspect_file(path, matrix, within)


def _inspect_file(path: Path, matrix: str | None, within: Path | None) -> Inspection:
    is_text = matrix is None and path.is_file() and not is_hdf5(path)
    responses = inspect_responses(path, catalogued(path)) if is_text else None
    if responses is not None:
        return responses
    judged = judge_names(path) if is_text else None
    listed = inspect_listed(path, catalogued(path)) if is_text and judged is None else None
    if listed is not None:
        return listed
    first = _inspect(path, matrix, within)
    if judged is not None and first.format.startswith(TABLES):
        row = MAGECK_EFFECT if judged.is_known else None
        return replace(_inspect(path, matrix, within, "rows"), values=judged, phenotype_row=row)
    if first.format.startswith(TABLES):
        first = _oriented(first, _inspect(path, matrix, within, "rows"))
        if first.genes_in == "rows":
            return first
    return first if matrix is not None else _with_best_values(path, first, within)


def _with_best_values(path: Path, first: Inspection, within: Path | None) -> Inspection:
    """Take the matrix of counts; where there is none, logarithms rather than what is guessed to be scaled."""
    if first.values.kind == "counts":
        return replace(first, lacks=_part_lacking(path, first, within))
    others = []
    for name in first.matrices[1:]:
        others.append(_inspect(path, name, within))
        if others[-1].values.kind == "counts":
            return replace(others[-1], lacks=_other_part(name, first.matrices))
    if first.values.kind not in GUESSED or first.values.score >= SURELY:
        return first
    return next((other for other in others if other.values.kind == "log1p" and other.values.score >= SURELY), first)


def _other_part(name: str, matrices: Sequence[str]) -> str | None:
    """Name the matrix that has the other part of the counts of one of a part: unspliced ones of spliced ones."""
    of_part = {matrix.rpartition("/")[2].lower(): matrix for matrix in matrices}
    return of_part.get(PARTS.get(name.rpartition("/")[2].lower(), ""))


def _part_lacking(path: Path, first: Inspection, within: Path | None) -> str | None:
    """Name the matrix of counts that the first one lacks, where it has the total of the one of the other part."""
    for name in first.matrices[1:]:
        other = _other_part(name, first.matrices)
        if other is not None and first.total is not None and _inspect(path, name, within).total == first.total:
            return other
    return None


def _oriented(wide: Inspection, turned: Inspection) -> Inspection:
    """Say whether the columns of a table are the genes, or its lines.

    Samples may be named after their targets, so that both are: then controls are among the samples, or samples are
    numbered or come again. Where neither is so, the longer side is taken, in doubt.
    """
    columns, lines = wide.genes.id, turned.genes.id
    if columns is None or lines is None:
        return wide if lines is None else turned
    if (columns.n_controls > 0) != (lines.n_controls > 0):
        return turned if columns.n_controls else wide
    if columns.are_changed != lines.are_changed:
        return turned if columns.are_changed else wide
    if turned.n_genes > wide.n_genes:
        return replace(turned, is_orientation_doubtful=True)
    return replace(wide, genes_in="columns", is_orientation_doubtful=True)


def _inspect(path: Path, matrix: str | None, within: Path | None, genes_in: str | None = None) -> Inspection:
    layout = None if genes_in is None else {"genes_in": genes_in}
    describes = describing if genes_in is None else none_describes
    with closing(open_source(path, matrix=matrix, layout=layout, describes=describes)) as reader:
        refuse_gene_as_key(reader)
        if matrix is None and isinstance(reader, QuantifiedReader) and isinstance(reader.program, Stranded):
            strand, told = likely_strand(reader.files)
            return replace(_inspect(path, strand, within), strands=told)
        if not are_transcripts(reader):
            return Look(reader, matrix, genes_in, within).inspection()
        source = with_genes(reader)
        return replace(Look(source, matrix, genes_in, within).inspection(), is_of_transcripts=True)
