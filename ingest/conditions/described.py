"""Open the files of a spec: of a table, the columns of numbers that the spec names, or that are no genes, describe."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from featurestore.errors import SourceFormatError, SpecError
from ingest.conditions.rows import FILE, columns_of
from ingest.harmonise.describing import describing, is_gene_among
from ingest.reader import INDEX, Reader
from ingest.readers.open import open_source
from ingest.readers.quantified import QuantifiedReader
from ingest.readers.star import Stranded, likely_strand
from ingest.readers.transcripts import GenesOfTranscripts
from ingest.spec import DatasetSpec

DESCRIBED = "described_by"
"""What decided, in the ledger, of a column that describes."""


def open_matrix(path: Path, spec: DatasetSpec, transcripts: Path | None = None) -> Reader:
    """Open a file of a dataset, with the counts of transcripts summed to genes where a table says of which they are.

    Raises
    ------
    SourceFormatError
        It is of no known format, not of the one that the spec declares, or damaged.
    """
    given = spec.dataset

    def describes(names: Sequence[str]) -> list[str]:
        named = named_columns(spec)
        others = unasked([name for name in names if name not in named], spec)
        return [name for name in names if name in named or name in others]

    reader = open_source(path, format=given.format, matrix=given.matrix, layout=spec.layout, describes=describes)
    refuse_gene_as_key(reader)
    if given.matrix is None:
        refuse_strands(reader)
    return reader if transcripts is None else GenesOfTranscripts(reader, transcripts)


def refuse_strands(reader: Reader) -> None:
    """Refuse STAR's counts where nothing says which strand's to take: the three are of the same reads.

    Raises
    ------
    SpecError
        None of them is named.
    """
    if isinstance(reader, QuantifiedReader) and isinstance(reader.program, Stranded):
        strand, told = likely_strand(reader.files)
        raise SpecError(
            "STAR counts each sample three times: unstranded, and on the strand of the gene and the other.",
            where=str(reader.path),
            expected=f"one of {', '.join(reader.matrices)}, as the library was made",
            got=told,
            do=f'set matrix = "{strand}" under [dataset], if that is how it was made',
        )


def refuse_gene_as_key(reader: Reader) -> None:
    """Refuse a table of which the first column, the key of its lines, is named like a gene and holds numbers.

    Raises
    ------
    SourceFormatError
        The gene would be lost.
    """
    name = getattr(reader, "key_of_numbers", None)
    if name and is_gene_among(name, reader.genes()[INDEX].to_list()):
        reader.close()
        raise SourceFormatError(
            f"The first column holds numbers and is named like a gene, '{name}', as the others are.",
            where=str(reader.path),
            expected="a first column that names the rows: cells or samples",
            do="put the column of their names, or one that numbers them, before the genes",
        )


def named_columns(spec: DatasetSpec) -> set[str]:
    """Return the columns that a spec names of what a table's lines are: of its rows, or of its genes."""
    if spec.dataset.genes_in == "rows":
        genes = spec.genes
        named = [genes.id, genes.symbol, *genes.notes, *columns_of(genes.where), *columns_of(genes.landmarks)]
        return {name for name in named if name is not None}
    condition = spec.condition
    conditions = (*columns_of(condition.where), *columns_of(condition.control_where))
    return {*spec.row_columns(), *spec.label_columns(), *conditions, *spec.rows.extract} - {FILE}


def unasked(names: Sequence[str], spec: DatasetSpec) -> list[str]:
    """Find the columns of numbers that describe though the spec does not say so: those not named like genes.

    A phenotype's columns are perturbations; and a spec with a ``described_by``, be it empty, says it all.
    """
    is_said = spec.dataset.described_by is not None or spec.dataset.genes_in == "rows" or spec.is_phenotype
    return [] if is_said else describing(names)
