"""Tables of numbers as programs and portals write them: delimited text in many habits, Parquet, HDF5 with names."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import h5py
import numpy as np
import numpy.typing as npt
import polars as pl

from ingest.reader import INDEX

Matrix = npt.NDArray[np.number[Any]]
Habit = Literal["plain", "r", "featurecounts", "htseq", "recount3"]
Release = Literal["18q3", "22q2", "23q2", "24q4", "25q3"]

AFTER_HTSEQ = ("__no_feature", "__ambiguous", "__too_low_aQual", "__not_aligned", "__alignment_not_unique")
BEFORE = {
    "featurecounts": [
        '# Program:featureCounts v2.0.3; Command:"featureCounts" "-a" "genes.gtf" "-o" "counts.txt" "a.bam" '
    ],
    "recount3": ["##annotation=G026", "##date.generated=2020-03-01"],
}
FIRST = {"plain": "gene", "r": "", "featurecounts": "Geneid", "htseq": "", "recount3": "gene_id"}
DEPMAP_FIRST = {"18q3": "Broad_ID", "22q2": "DepMap_ID", "23q2": "ModelID", "24q4": "", "25q3": ""}


def write_wide(path: Path, matrix: Matrix, rows: pl.DataFrame, genes: pl.DataFrame) -> Path:
    """Write samples by genes, with the columns that describe the samples before the genes; missing is empty."""
    header = [*rows.columns, *genes[INDEX]]
    lines = [[*described, *_numbers(values)] for described, values in zip(_text(rows), matrix, strict=True)]
    return _write(path, [header, *lines])


def write_genes_by_samples(
    path: Path, matrix: Matrix, samples: Sequence[str], genes: pl.DataFrame, habit: Habit
) -> Path:
    """Write genes by samples, a matrix of shape (samples, genes), as a program does that counts reads."""
    described = ["Chr", "Start", "End", "Strand", "Length"] if habit == "featurecounts" else []
    header = [FIRST[habit], *described, *samples]
    lines = [
        [gene, *(["chr1", "1", "900", "+", "900"] if described else []), *_numbers(values)]
        for gene, values in zip(genes[INDEX], matrix.T, strict=True)
    ]
    if habit == "htseq":
        lines += [[name, *["100000"] * len(samples)] for name in AFTER_HTSEQ]
    before = [[line] for line in BEFORE.get(habit, [])]
    return _write(path, [*before, header[1:] if habit == "r" else header, *lines])


def write_depmap(path: Path, matrix: Matrix, models: Sequence[str], labels: Sequence[str], release: Release) -> Path:
    """Write cell lines by genes as a release of DepMap does; from 25Q3 on, the second line of a model is another."""
    header = [DEPMAP_FIRST[release], *labels]
    lines = [[model, *_numbers(values)] for model, values in zip(models, matrix, strict=True)]
    if release == "25q3":
        header[1:1] = ["SequencingID", "ModelID", "IsDefaultEntryForModel", "ModelConditionID", "IsDefaultEntryForMC"]
        other = [models[0], *_numbers(matrix[0] + 1.0)]
        lines = [
            [str(at), f"CDS-{at:06d}", line[0], "No" if at == 1 else "Yes", f"MC-{at:06d}", "Yes", *line[1:]]
            for at, line in enumerate([lines[0], other, *lines[1:]])
        ]
    return _write(path, [header, *lines])


def write_chronos(path: Path, matrix: Matrix, models: Sequence[str], labels: Sequence[str]) -> Path:
    """Write cell lines by genes as Chronos does."""
    with h5py.File(path, "w") as file:
        file["data"] = np.asarray(matrix, np.float64)
        for name, values in (("dim_0", models), ("dim_1", labels)):
            file.create_dataset(name, data=list(values), dtype=h5py.string_dtype())
    return path


def write_archs4(path: Path, matrix: Matrix, rows: pl.DataFrame, genes: pl.DataFrame, *, version: int = 2) -> Path:
    """Write counts as ARCHS4 does, a matrix of shape (samples, genes); version 1 is the other way round on disk."""
    with h5py.File(path, "w") as file:
        with np.errstate(invalid="ignore"):
            stored = np.asarray(matrix, np.uint32)
        if not np.array_equal(stored, matrix):
            message = "ARCHS4 holds whole numbers from 0 to 2**32 - 1"
            raise ValueError(message)
        stored = stored.T if version > 1 else stored
        chunks = (min(8, stored.shape[0]), min(4, stored.shape[1]))
        file.create_dataset("data/expression", data=stored, chunks=chunks, compression="gzip")
        for table, group, key in ((rows, "samples", "geo_accession"), (genes, "genes", "ensembl_gene")):
            for column in table:
                name = key if column.name == INDEX else column.name
                values = column.to_list()
                dtype = h5py.string_dtype() if column.dtype == pl.String else None
                file.create_dataset(f"meta/{group}/{name}", data=values, dtype=dtype)
    return path


def write_wide_parquet(path: Path, matrix: Matrix, rows: pl.DataFrame, genes: pl.DataFrame) -> Path:
    """Write samples by genes as a Parquet table without a key, as OP3's ``de_train.parquet``."""
    numbers = pl.DataFrame(np.asarray(matrix, np.float64), schema=genes[INDEX].to_list(), nan_to_null=True)
    pl.concat([rows, numbers], how="horizontal").write_parquet(path)
    return path


def _text(table: pl.DataFrame) -> list[tuple[str, ...]]:
    return table.cast(pl.String).fill_null("").rows()


def _numbers(values: Matrix) -> list[str]:
    return ["" if np.isnan(value) else f"{value:.12g}" for value in np.asarray(values, np.float64)]


def _write(path: Path, lines: list[list[str]]) -> Path:
    separator = "," if ".csv" in path.name else "\t"
    raw = "".join(separator.join(line) + "\n" for line in lines).encode()
    path.write_bytes(gzip.compress(raw) if path.suffix == ".gz" else raw)
    return path
