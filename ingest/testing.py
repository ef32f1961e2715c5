"""Checks that any reader of a file format has to pass, one of featurestore's own or a third party's.

In the tests of a package that ships a format, on the smallest file of each of its layouts::

    @pytest.mark.parametrize("check", CHECKS)
    def test_my_format(check, tmp_path):
        check(Case(MyFormat, write_my_file(tmp_path)))

:func:`check_reader` runs them all. A check raises AssertionError that says what the reader did and what it should do.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl
import scipy.sparse

from featurestore.errors import SourceFormatError
from ingest.reader import BLOCK_BYTES, INDEX, Block, CscBlock, CsrBlock, DenseBlock, Format, Reader

Content: TypeAlias = tuple[pl.DataFrame, pl.DataFrame, list[Block]]
"""All that a file holds: its rows, its genes, and its matrix."""

NO_COLUMN = "no such column"
BLOCK_SIZES = (1, 4096, BLOCK_BYTES)
CUTS = (0.02, 0.3, 0.6, 0.95)
"""Where a file is cut off, as shares of its length."""
N_OVERWRITTEN = 12
MOST_DAMAGED = 12
"""How many files of a folder are damaged, one at a time, always the same."""
SCRAMBLED = b"\xff\x00\xa5"


@dataclass(frozen=True, slots=True)
class Case:
    """A format and a file of it.

    Parameters
    ----------
    kind
        The class that is registered under the entry point ``featurestore.readers``.
    path
        A small file, or a folder that is one matrix, of at least two genes, and of two rows where the format is not of
        one sample.
    matrix
        Which matrix of the file to read.
    knows_its_end
        Whether a file that was cut off can be told. A table of text that does not say how long it is cannot.
    """

    kind: type[Format]
    path: Path
    matrix: str | None = None
    knows_its_end: bool = True

    def open(self, path: Path | None = None) -> closing[Reader]:
        """Open the file, or another of the same layout, for a ``with`` block."""
        return closing(self.kind.open(path or self.path, matrix=self.matrix))


def check_reader(kind: type[Format], path: Path, *, matrix: str | None = None, knows_its_end: bool = True) -> None:
    """Check a format on one of its files, in every way there is.

    Raises
    ------
    AssertionError
        The reader does not keep what the protocol promises; the message says which promise.
    """
    for check in CHECKS:
        check(Case(kind, path, matrix, knows_its_end))


def check_recognition(case: Case) -> None:
    """Require that a format knows its own file by content, and takes no other for one."""
    name = case.kind.name
    _require(bool(name) and name == name.strip(), f"a format has a name; got {name!r}")
    _require(case.kind.recognises(case.path), f"{name} does not recognise {case.path.name}")
    with tempfile.TemporaryDirectory() as scratch:
        renamed = _copy(case, Path(scratch) / "renamed") if _is_alone(case) else case.path
        unsuffixed = renamed.rename(renamed.with_name("file.of_no_suffix")) if renamed != case.path else renamed
        _require(case.kind.recognises(unsuffixed), f"{name} goes by the suffix of a file, not by its content")
        for what, path in _strangers(Path(scratch), case.path.name):
            _require(not case.kind.recognises(path), f"{name} recognises {what}")


def check_attributes(case: Case) -> None:
    """Require that an open file says what it is, how large it is, and which files it was read from."""
    with case.open() as reader:
        _require(reader.path == case.path, f"path is {reader.path}, opened was {case.path}")
        _require(
            reader.format.startswith(case.kind.name),
            f"format is the name '{case.kind.name}', with its variant: got {reader.format!r}",
        )
        for attribute, least in (("n_rows", 1), ("n_genes", 2)):
            size = getattr(reader, attribute)
            _require(isinstance(size, int) and size >= least, f"{attribute} is a number from {least}: got {size!r}")
        if case.path.is_dir():
            are_within = all(file.is_relative_to(case.path) for file in reader.files)
            _require(are_within and bool(reader.files), "files are those of the folder that was opened")
        else:
            _require(reader.files[0] == case.path, "the first of files is the file that was opened")
        _require(all(file.is_file() for file in reader.files), f"each of files exists: got {reader.files}")
        _require(len(set(reader.files)) == len(reader.files), f"files are distinct: got {reader.files}")


def check_tables(case: Case) -> None:
    """Require tables of rows and genes that are as long as the matrix, keyed by ``index``, and typed."""
    with case.open() as reader:
        names = reader.row_columns()
        rows, genes = reader.rows(), reader.genes()
        _require(rows.columns == names, f"rows() has the columns {rows.columns}, row_columns() lists {names}")
        for what, table, height in (("rows", rows, reader.n_rows), ("genes", genes, reader.n_genes)):
            _require(table.height == height, f"{what}() has {table.height} lines, the matrix {height}")
            _require(table.columns[0] == INDEX, f"the first column of {what}() is {table.columns[0]!r}")
            key = table[INDEX]
            is_text = key.dtype == pl.String and key.null_count() == 0
            _require(is_text, f"the key of {what}() is text, none missing: got {key.dtype}")
            for column in table:
                _check_column(column, f"column '{column.name}' of {what}()")
        for name in names:
            part = reader.rows([name])
            _require(part.equals(rows.select(name)), f"rows([{name!r}]) differs from that column of rows()")
        _require(reader.rows(names[::-1]).columns == names[::-1], "rows(columns) keeps the order asked for")


def check_blocks(case: Case) -> None:
    """Require blocks that cover the matrix once, in order, whatever their size and however often they are asked for."""
    with case.open() as reader:
        matrices = [assemble(reader, block_bytes) for block_bytes in (*BLOCK_SIZES, BLOCK_BYTES)]
        next(iter(reader.blocks(1)))
        matrices.append(assemble(reader))
        for matrix in matrices[1:]:
            same = np.array_equal(matrix, matrices[0], equal_nan=True)
            _require(same, "the matrix depends on the size of blocks, or on whether it was read before")


def check_refusals(case: Case) -> None:
    """Require that what is not in the file is refused by name, and that a file can be closed twice."""
    with case.open() as reader:
        error = _refusal(lambda: reader.rows([NO_COLUMN]))
        _require(
            error is not None and NO_COLUMN in str(error),
            f"rows([{NO_COLUMN!r}]) raises a SourceFormatError that names the column: got {error!r}",
        )
        reader.close()
    error = _refusal(lambda: case.kind.open(case.path, matrix="no/such/matrix").close())
    _require(error is not None, "opening a matrix that is not there raises a SourceFormatError")


def check_damage(case: Case) -> None:
    """Require that a file that was cut off or overwritten raises a SourceFormatError, never another error."""
    with case.open() as reader:
        files = reader.files if case.path.is_dir() else (case.path,)
    rng = np.random.default_rng(0)
    if len(files) > MOST_DAMAGED:
        files = tuple(files[at] for at in rng.permutation(len(files))[:MOST_DAMAGED].tolist())
    content = _read_all(case, case.path)
    for file in files:
        whole = file.read_bytes()
        for cut in CUTS:
            found = _damaged(case, file, whole[: int(len(whole) * cut)])
            if case.knows_its_end:
                is_told = isinstance(found, SourceFormatError) or (case.path.is_dir() and _are_same(found, content))
                _require(is_told, f"{file.name} cut off at {cut:.0%} of its length is read as if it were whole")
        for place in rng.integers(0, max(1, len(whole) - len(SCRAMBLED)), -(-N_OVERWRITTEN // len(files))).tolist():
            _damaged(case, file, whole[:place] + SCRAMBLED + whole[place + len(SCRAMBLED) :])


CHECKS: tuple[Callable[[Case], None], ...] = (
    check_recognition,
    check_attributes,
    check_tables,
    check_blocks,
    check_refusals,
    check_damage,
)


def assemble(reader: Reader, block_bytes: int = BLOCK_BYTES) -> npt.NDArray[np.float64]:
    """Put a matrix together from its blocks, checking what the protocol promises of each; shape (rows, genes).

    Raises
    ------
    AssertionError
        A block is out of turn, too large, empty, or not what it says it is.
    """
    matrix = np.full((reader.n_rows, reader.n_genes), np.nan)
    done, kinds = 0, set()
    for block in reader.blocks(block_bytes):
        kinds.add(type(block))
        _require(block.start == done, f"a block begins at {block.start}, the one before it ended at {done}")
        part = _part(block, reader, block_bytes)
        if isinstance(block, CscBlock):
            matrix[:, done : done + len(part)] = part.T
        else:
            matrix[done : done + len(part)] = part
        done += len(part)
    _require(len(kinds) == 1, f"all blocks are of one class: got {kinds}")
    end = reader.n_genes if kinds == {CscBlock} else reader.n_rows
    _require(done == end, f"blocks end at {done} of {end}")
    return matrix


def _part(block: Block, reader: Reader, block_bytes: int) -> npt.NDArray[np.float64]:
    """Check a block and give its rows, or its genes, in full."""
    if isinstance(block, DenseBlock):
        values, height, held = np.asarray(block.values), len(block.values), block.values.nbytes
        width = reader.n_genes
        _require(values.shape == (height, width), f"a dense block has shape {values.shape}, {width} genes wide")
        room = block_bytes
    else:
        values, height = block.data, len(block.indptr) - 1
        held = sum(array.nbytes for array in (block.data, block.indices, block.indptr))
        room = block_bytes + block.indptr.itemsize
    _require(values.dtype.kind in "iuf" and values.dtype.isnative, f"values are native numbers: got {values.dtype}")
    _require(height > 0, "no block is empty")
    _require(held <= room or height == 1, f"a block of {height} holds {held} bytes; {block_bytes} were allowed")
    return np.asarray(values, np.float64) if isinstance(block, DenseBlock) else _full(block, reader)


def _full(block: CsrBlock | CscBlock, reader: Reader) -> npt.NDArray[np.float64]:
    shape = (len(block.indptr) - 1, reader.n_genes if isinstance(block, CsrBlock) else reader.n_rows)
    part = scipy.sparse.csr_array((block.data, block.indices, block.indptr), shape=shape)
    try:
        part.check_format(full_check=True)
    except ValueError as error:
        raise AssertionError(f"a sparse block is not one: {error}") from error
    sorted_part = part.sorted_indices()
    _require(bool(sorted_part.has_canonical_format), "a sparse block gives no value twice")
    return np.asarray(part.toarray(), np.float64)


def _check_column(column: pl.Series, where: str) -> None:
    is_known = column.dtype in {pl.String, pl.Boolean} or column.dtype.is_numeric()
    _require(is_known, f"{where} is text, truth values or numbers: got {column.dtype}")
    if column.dtype.is_float():
        _require(not column.is_nan().any(), f"{where} gives NaN for missing; null is meant")


def _require(condition: bool, promise: str) -> None:  # noqa: FBT001
    if not condition:
        raise AssertionError(promise)


def _refusal(action: Callable[[], Any]) -> SourceFormatError | None:
    try:
        action()
    except SourceFormatError as error:
        return error
    return None


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


def _is_alone(case: Case) -> bool:
    with case.open() as reader:
        return len(reader.files) == 1 or case.path.is_dir()


def _copy(case: Case, folder: Path) -> Path:
    """Copy a file, and those that go with it, into a folder."""
    folder.mkdir()
    with case.open() as reader:
        for file in reader.files:
            target = folder / file.relative_to(case.path.parent)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)
    return folder / case.path.name


def _damaged(case: Case, file: Path, content: bytes) -> Content | SourceFormatError:
    """Read all there is to read of a copy of which one file is damaged, or return what is said of it."""
    with tempfile.TemporaryDirectory() as scratch:
        path = _copy(case, Path(scratch) / "damaged")
        (path.parent / file.relative_to(case.path.parent)).write_bytes(content)
        try:
            return _read_all(case, path)
        except SourceFormatError as error:
            return error


def _read_all(case: Case, path: Path) -> Content:
    if not case.kind.recognises(path):
        raise SourceFormatError("no longer recognised", where=str(path))
    with case.open(path) as reader:
        return reader.rows(), reader.genes(), list(reader.blocks())


def _are_same(one: Content | SourceFormatError, other: Content) -> bool:
    """Say whether two readings are of the same content; a part of a folder may not be needed."""
    if isinstance(one, SourceFormatError) or not (one[0].equals(other[0]) and one[1].equals(other[1])):
        return False
    pairs = [
        (getattr(block, name), getattr(like, name))
        for block, like in zip(one[2], other[2], strict=True)
        for name in ("indptr", "indices", "data", "values")
        if hasattr(block, name)
    ]
    return all(np.array_equal(*pair, equal_nan=pair[0].dtype.kind == "f") for pair in pairs)
