"""A folder given where a file is: the one matrix in it, as the programs that count reads leave their folders.

Of what such a program writes twice one is taken: filtered rather than raw cells, the sparse matrix of kb-python,
alevin-fry and Parse rather than their AnnData, Cell Ranger's HDF5 rather than the folder of the same name, STARsolo's
unique counts rather than those of reads that map to several genes, Parse's cells of all samples, a sum rather than its
parts. What is left open is refused.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TypeAlias

from featurestore.errors import SourceFormatError, first_of

MOST_ENTRIES = 5000
"""Of a folder, with those in it; one that holds more is no output of one program."""
DEEPEST = 6
ASIDE = re.compile(
    r"(molecule_info\.h5|.*\.(bam|bai|fastq|fq|cloupe|bus|log|html|pdf|png|svg|idx|json|summary)(\.gz)?)"
)
"""Names of files, often large, that hold no matrix and need not be opened."""
RAW = re.compile(
    r"(^|/)(sample_)?raw(_feature_bc_matrix|_gene_bc_matrices\w*)?(/|\.h5$)|(^|/)[^/]*_unfiltered[^/]*/", re.IGNORECASE
)
"""Places of all barcodes, with and without a cell."""
NO_GENES = re.compile(
    r"(^|/)((SJ|Velocyto)/|cells_x_tcc\.|matrix\.(abundance(\.gene)?\.tpm|abundance|efflens)\.mtx$)", re.IGNORECASE
)
"""STARsolo's junctions and parts of genes, and kb-python's classes, transcripts and lengths: no counts of genes."""
PART = re.compile(r"(cells_x_genes\.)?(mature|nascent|spliced|unspliced|ambiguous)\.mtx(\.gz)?")
WHOLE = re.compile(r"cells_x_genes\.(cell|nucleus|total)\.mtx(\.gz)?")
"""What kb-python and STARsolo call the counts of spliced and of other reads, and kb-python sums of them."""
OF_PARTS = (
    "give their sum, which kb count writes with --sum=cell (spliced and ambiguous) or --sum=total, and STARsolo as "
    "Gene or GeneFull; to take one part alone, name it"
)
AGAIN = {
    **dict.fromkeys(("adata.h5ad", "adata.loom"), ("cells_x_",)),
    "quants.h5ad": ("quants_mat.mtx",),
    "anndata.h5ad": ("count_matrix.mtx", "DGE.mtx"),
}
"""What kb-python, simpleaf and split-pipe call the AnnData or loom of counts, and how the matrix beside it begins."""
Recognises: TypeAlias = Callable[[Path], bool]
"""Says whether a path is of a format that holds a matrix."""


def matrices_in(folder: Path, recognises: Recognises) -> list[Path]:
    """List what a folder holds that can be read as a matrix, first the one that it is about; nothing if it has none.

    Parameters
    ----------
    folder
        The folder, as a program left it.
    recognises
        Says whether a file, or a folder in it, can be read as a matrix.

    Raises
    ------
    SourceFormatError
        It is about several, or holds more than one program leaves.
    """
    paths = list(islice(_entries(folder, recognises), MOST_ENTRIES + 1))
    if len(paths) > MOST_ENTRIES:
        raise SourceFormatError(
            "the folder holds too many files to look for a matrix in",
            where=str(folder),
            expected=f"at most {MOST_ENTRIES:,}",
            do="name the file itself",
        )
    found = sorted(path for path in paths if recognises(path))
    taken = _preferred(found, folder)
    if len(taken) > 1:
        raise SourceFormatError(
            "the folder holds several matrices",
            where=str(folder),
            expected="one",
            got=first_of([path.relative_to(folder).as_posix() for path in taken], 8),
            do=OF_PARTS
            if all(PART.fullmatch(path.name) for path in taken)
            else "name the one that is meant; a spec may name several under files, also by a pattern such as "
            "'*/matrix.mtx'",
        )
    return [*taken, *(path for path in found if path not in taken)]


def _entries(folder: Path, recognises: Recognises) -> Iterator[Path]:
    """Give the files in a folder and those below, and folders that are one matrix; links out of it are not followed."""
    for place, folders, files in os.walk(folder):
        here = Path(place)
        depth = len(here.relative_to(folder).parts)
        whole = [name for name in folders if recognises(here / name)]
        folders[:] = sorted(set(folders) - set(whole) if depth < DEEPEST else ())
        folders[:] = [name for name in folders if not name.startswith((".", "_"))]
        yield from (here / name for name in sorted(whole))
        yield from (here / name for name in sorted(files) if not (name.startswith(".") or ASIDE.fullmatch(name)))


def _preferred(found: Sequence[Path], folder: Path) -> list[Path]:
    """Leave out what is there again, or is less than another."""
    kept = list(found)
    names = {path: path.relative_to(folder).as_posix() for path in found}
    for pattern in (RAW, NO_GENES):
        kept = [path for path in kept if not pattern.search(names[path])] or kept
    for is_less in (_is_of_one_sample, _is_again):
        left = [names[path] for path in kept]
        kept = [path for path in kept if not is_less(names[path], left)] or kept
    return kept


def _is_of_one_sample(name: str, others: Sequence[str]) -> bool:
    """Say whether split-pipe wrote this for one sample, beside what it wrote for all."""
    return any(re.match(r"(.*/)?all-(sample|well)/", other) for other in others) and "all-" not in name


def _is_again(name: str, others: Sequence[str]) -> bool:
    """Say whether the same cells are there in a better form."""
    place, _, last = name.rpartition("/")
    beside = {other.rpartition("/")[2] for other in others if other.rpartition("/")[0] == place}
    is_em = last.startswith("UniqueAndMult-") and bool(beside & {"matrix.mtx", "matrix.mtx.gz"})
    is_part = bool(PART.fullmatch(last)) and any(WHOLE.fullmatch(other) for other in beside)
    is_other_form = last in AGAIN and any(other.startswith(AGAIN[last]) for other in beside)
    is_for_others = place.endswith("cellranger") and any(
        other.startswith(f"{place.removesuffix('cellranger')}cells_x_") for other in others
    )
    return is_em or is_part or is_other_form or is_for_others or f"{place}.h5" in others
