"""What a reader keeps of a whole file: its recognition, attributes, tables, blocks and refusals."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl

from ingest.reader import BLOCK_BYTES, INDEX
from ingest.testing.case import Case, copied, read_files, refusal, require
from ingest.testing.matrix import assemble

NO_COLUMN = "no such column"
BLOCK_SIZES = (1, 4096, BLOCK_BYTES)


def check_recognition(case: Case) -> None:
    """Require that a format knows its own file by content, and takes no other for one."""
    name = case.kind.name
    require(bool(name) and name == name.strip(), f"a format has a name; got {name!r}")
    require(case.kind.recognises(case.path), f"{name} does not recognise {case.path.name}")
    with tempfile.TemporaryDirectory() as scratch:
        files = read_files(case)
        is_alone = len(files) == 1 or case.path.is_dir()
        renamed = copied(case, Path(scratch) / "renamed", files) if is_alone else case.path
        unsuffixed = renamed.rename(renamed.with_name("file.of_no_suffix")) if renamed != case.path else renamed
        require(case.kind.recognises(unsuffixed), f"{name} goes by the suffix of a file, not by its content")
        for what, path in _strangers(Path(scratch), case.path.name):
            require(not case.kind.recognises(path), f"{name} recognises {what}")


def check_attributes(case: Case) -> None:
    """Require that an open file says what it is, how large it is, and which files it was read from."""
    with case.open() as reader:
        require(reader.path == case.path, f"path is {reader.path}, opened was {case.path}")
        require(
            reader.format.startswith(case.kind.name),
            f"format is the name '{case.kind.name}', with its variant: got {reader.format!r}",
        )
        for attribute, least in (("n_rows", 1), ("n_genes", 2)):
            size = getattr(reader, attribute)
            require(isinstance(size, int) and size >= least, f"{attribute} is a number from {least}: got {size!r}")
        if case.path.is_dir():
            are_within = all(file.is_relative_to(case.path) for file in reader.files)
            require(are_within and bool(reader.files), "files are those of the folder that was opened")
        else:
            require(reader.files[0] == case.path, "the first of files is the file that was opened")
        require(all(file.is_file() for file in reader.files), f"each of files exists: got {reader.files}")
        require(len(set(reader.files)) == len(reader.files), f"files are distinct: got {reader.files}")


def check_tables(case: Case) -> None:
    """Require tables of rows and genes that are as long as the matrix, keyed by ``index``, and typed."""
    with case.open() as reader:
        names = reader.row_columns()
        rows, genes = reader.rows(), reader.genes()
        require(rows.columns == names, f"rows() has the columns {rows.columns}, row_columns() lists {names}")
        for what, table, height in (("rows", rows, reader.n_rows), ("genes", genes, reader.n_genes)):
            require(table.height == height, f"{what}() has {table.height} lines, the matrix {height}")
            require(table.columns[0] == INDEX, f"the first column of {what}() is {table.columns[0]!r}")
            key = table[INDEX]
            is_text = key.dtype == pl.String and key.null_count() == 0
            require(is_text, f"the key of {what}() is text, none missing: got {key.dtype}")
            for column in table:
                _check_column(column, f"column '{column.name}' of {what}()")
        for name in names:
            part = reader.rows([name])
            require(part.equals(rows.select(name)), f"rows([{name!r}]) differs from that column of rows()")
        require(reader.rows(names[::-1]).columns == names[::-1], "rows(columns) keeps the order asked for")


def check_blocks(case: Case) -> None:
    """Require blocks that cover the matrix once, in order, whatever their size and however often they are asked for."""
    with case.open() as reader:
        matrices = [assemble(reader, block_bytes) for block_bytes in (*BLOCK_SIZES, BLOCK_BYTES)]
        next(iter(reader.blocks(1)))
        matrices.append(assemble(reader))
        for matrix in matrices[1:]:
            same = np.array_equal(matrix, matrices[0], equal_nan=True)
            require(same, "the matrix depends on the size of blocks, or on whether it was read before")


def check_refusals(case: Case) -> None:
    """Require that what is not in the file is refused by name, and that a file can be closed twice."""
    with case.open() as reader:
        error = refusal(lambda: reader.rows([NO_COLUMN]))
        require(
            error is not None and NO_COLUMN in str(error),
            f"rows([{NO_COLUMN!r}]) raises a SourceFormatError that names the column: got {error!r}",
        )
        reader.close()
    error = refusal(lambda: case.kind.open(case.path, matrix="no/such/matrix").close())
    require(error is not None, "opening a matrix that is not there raises a SourceFormatError")


def _check_column(column: pl.Series, where: str) -> None:
    is_known = column.dtype in {pl.String, pl.Boolean} or column.dtype.is_numeric()
    require(is_known, f"{where} is text, truth values or numbers: got {column.dtype}")
    if column.dtype.is_float():
        require(not column.is_nan().any(), f"{where} gives NaN for missing; null is meant")


def _strangers(folder: Path, name: str) -> Iterator[tuple[str, Path]]:
    """Give files that are of no format, under the name of one that is."""
    contents = {
        "an empty file": b"",
        "plain text": b"The quick brown fox\njumps over the lazy dog\n",
        "random bytes": np.random.default_rng(1).bytes(4096),
        "a gzip header with nothing after it": b"\x1f\x8b\x08\x00",
    }
    for number, (what, content) in enumerate(contents.items()):
        path = folder / str(number) / name
        path.parent.mkdir()
        path.write_bytes(content)
        yield what, path
    yield "a folder", folder
    yield "a path where nothing is", folder / "nothing"
