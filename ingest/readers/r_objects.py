"""Objects that R saved (.rds, .RData): data frames, matrices and dgCMatrix, read by rdata, which runs no code.

R's packages keep genes in lines and cells or samples in columns, and so are matrices taken. A data frame, one of
Bioconductor too (DESeq2's results), is written as text, its row names before its columns. Anything else, such as a
Seurat object or a DESeqDataSet, has to be exported by R.
"""

from __future__ import annotations

import bz2
import gzip
import importlib
import lzma
import re
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, BinaryIO, cast

import scipy  # its modules load when they are first used

from featurestore.errors import SourceFormatError, did_you_mean, first_of
from ingest.readers.damage import telling_damage

OPENERS: dict[bytes, Callable[[Path], Any]] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ": lzma.open}
"""How to open what begins so; R compresses in each of these ways, or not."""
START = re.compile(rb"X\n\0\0\0[\2\3]|A\n[23]\n\d{6}\n|RD[XA][23]\n[XA]\n")
"""How what R saved begins, decompressed: one object, or several by name; as bytes or as text (``ascii = TRUE``)."""
LONGEST_START = 12
MOST_BYTES = 2**31
"""Of what is read, decompressed."""
BOMB_BYTES, BOMB_RATIO = 2**28, 300
READ_AT_ONCE = 2**22
SPARSE = frozenset({"i", "p", "x", "Dim", "Dimnames"})
"""The parts of a dgCMatrix."""
BY_LINE, BY_PLACE = SPARSE - {"i"} | {"j"}, SPARSE - {"p"} | {"j"}
"""Those of a dgRMatrix and of a dgTMatrix."""
DFRAME = frozenset({"listData", "rownames", "nrows"})
"""The parts of a data frame of Bioconductor, such as DESeq2's results."""
LIST_DATA = b"listData"
EXPORT = (
    "export it in R: Matrix::writeMM(counts, 'matrix.mtx'), with counts of SeuratObject::LayerData(x, 'counts') or "
    "SummarizedExperiment::assay(x); writeLines(rownames(x), 'genes.tsv'); writeLines(colnames(x), 'barcodes.tsv'); "
    "write.csv(x[[]], 'metadata.csv') or write.csv(colData(x), 'metadata.csv')"
)
EXPORT_OF = {
    "MArrayLM": "export it in R: write.csv(limma::topTable(x, coef = 1, number = Inf), 'x.csv'), a file a contrast"
}
"""How to export what certain packages make."""


def is_of_r(path: Path) -> bool:
    """Say whether the content is what R's ``saveRDS`` or ``save`` writes."""
    try:
        with _opened(path) as file:
            return START.match(file.read(LONGEST_START)) is not None
    except (OSError, EOFError, lzma.LZMAError, zlib.error, ValueError):
        return False


def read_r(path: Path, name: str | None = None) -> tuple[str, Any, tuple[str, ...]]:
    """Read an object: a data frame of pandas, an array of xarray, or the parts of a dgCMatrix.

    Parameters
    ----------
    path
        What R saved.
    name
        Of several objects, which; where None the only one that can be read.

    Returns
    -------
    Its name, empty where it is by itself; the object; and the names of all that can be read.

    Raises
    ------
    SourceFormatError
        There is none, or several and no name; it is of a package; or the file is damaged, or too large.
    """
    objects = _read(path)
    known = {each: value for each, value in objects.items() if _is_known(value)}
    if name is not None and name not in known:
        raise SourceFormatError(f"there is no object '{name}'", where=str(path), do=did_you_mean(name, known))
    if not known:
        held = [f"{each}{': ' if each else ''}{_kind(value)}" for each, value in objects.items()]
        raise SourceFormatError(
            "what R saved is no data frame and no matrix",
            where=str(path),
            expected="a data.frame, a matrix of numbers or a dgCMatrix",
            got=first_of(held, 8) or "nothing",
            do=EXPORT,
        )
    if name is None and len(known) > 1:
        raise SourceFormatError(
            "R saved several objects",
            where=str(path),
            expected="one, or its name",
            got=first_of([f"{each} ({_kind(value)})" for each, value in known.items()], 12),
            do='name the one that is meant: matrix = "..." under [dataset]',
        )
    taken = name or next(iter(known))
    return taken, known[taken], tuple(known)


def is_sparse(value: Any) -> bool:
    """Say whether an object is a dgCMatrix."""
    return set(getattr(value, "__dict__", ())) >= SPARSE


def is_frame(value: Any) -> bool:
    """Say whether an object is a data frame."""
    return hasattr(value, "columns") and hasattr(value, "iloc")


def frame_text(frame: Any, target: Path) -> None:
    """Write a data frame as text with tabs, its row names first, as R's ``write.table`` would."""
    frame.to_csv(target, sep="\t", index_label="row_names", na_rep="NA")


def saved_frame(path: Path, folder: Path) -> Path:
    """Write the one data frame that R saved as text into a folder, and return its path, called as the file.

    Raises
    ------
    SourceFormatError
        R saved a matrix, or several objects.
    """
    _, value, _ = read_r(path)
    if not is_frame(value):
        raise SourceFormatError(
            "what R saved is a matrix", where=str(path), expected="a data frame", do="leave [table] out of the spec"
        )
    target = folder / f"{path.name.split('.')[0]}.tsv"
    frame_text(value, target)
    return target


def _read(path: Path) -> dict[str, Any]:
    try:
        import rdata  # noqa: PLC0415, an extra
    except ImportError:
        raise SourceFormatError(
            "what R saved is read by rdata, which is not installed",
            where=str(path),
            do="pip install 'perturbation-featurestore[r]', or in R write.csv(x, 'x.csv') and Matrix::writeMM",
        ) from None
    with telling_damage(path, "what R saved"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a class without a constructor is a plain object, which is looked at
        try:
            parsed = rdata.parser.parse_data(_whole(path))
        except (AttributeError, AssertionError, lzma.LZMAError, RecursionError) as error:
            raise ValueError(str(error) or type(error).__name__) from error
        _refuse_repeated_columns(parsed.object, path)
        try:
            converted = rdata.conversion.convert(parsed)
        except (AttributeError, AssertionError, NotImplementedError, RecursionError) as error:
            raise _unreadable(parsed.object, path) from error
        except ValueError as error:
            if _class(parsed.object) in {None, "data.frame"}:
                raise
            raise _unreadable(parsed.object, path) from error
    objects = cast("dict[str, Any]", converted) if isinstance(converted, dict) else {"": converted}
    with telling_damage(path, "what R saved"):
        return {name: _plain(value) for name, value in objects.items()}


def _plain(value: Any) -> Any:
    """Give a data frame of Bioconductor as one of pandas, and any sparse matrix by column."""
    parts = getattr(value, "__dict__", {})
    if set(parts) >= DFRAME and isinstance(value.listData, dict):
        frames: Any = importlib.import_module("pandas")  # as what reads R
        columns = {str(name): column for name, column in value.listData.items()}
        names = None if value.rownames is None else [str(name) for name in value.rownames]
        return frames.DataFrame(columns, index=names)
    if not set(parts) >= BY_LINE & BY_PLACE or not _are_named(value):
        return value
    if set(parts) >= BY_LINE:
        matrix = scipy.sparse.csr_array((value.x, value.j, value.p), shape=tuple(value.Dim)).tocsc()
    elif set(parts) >= BY_PLACE:
        matrix = scipy.sparse.coo_array((value.x, (value.i, value.j)), shape=tuple(value.Dim)).tocsc()
    else:
        return value
    matrix.sum_duplicates()
    return SimpleNamespace(**(parts | {"i": matrix.indices, "p": matrix.indptr, "x": matrix.data}))


def _are_named(matrix: Any) -> bool:
    """Say whether a sparse matrix has a name for each line and column, and so no more of them than the file holds."""
    return all(
        names is not None and len(names) == n for names, n in zip(matrix.Dimnames, tuple(matrix.Dim), strict=True)
    )


def _unreadable(parsed: Any, path: Path) -> SourceFormatError:
    """Say that R saved what is more than numbers and words, such as the functions that a DESeqDataSet holds."""
    named = _class(parsed)
    return SourceFormatError(
        "what R saved holds functions, or other parts than data",
        where=str(path),
        expected="a data.frame, a matrix of numbers or a dgCMatrix",
        got=named or "an object of a package",
        do=EXPORT_OF.get(named or "", EXPORT),
    )


def _class(parsed: Any) -> str | None:
    """Name the class of a parsed object; None where it has none."""
    named = _attribute(parsed, b"class")
    return None if named is None else str(named.value[0].value.decode("utf-8", "replace"))


def _whole(path: Path) -> bytes:
    """Decompress a file, which has to be held as a whole.

    Raises
    ------
    SourceFormatError
        It holds more than can be.
    """
    most = min(MOST_BYTES, max(BOMB_BYTES, BOMB_RATIO * path.stat().st_size))
    content = bytearray()
    with _opened(path) as file:
        while piece := file.read(READ_AT_ONCE):
            content += piece
            if len(content) > most:
                raise SourceFormatError(
                    "what R saved is too large to be read as a whole",
                    where=str(path),
                    expected=f"at most {most:,} bytes",
                    do=EXPORT,
                )
    return bytes(content)


def _opened(path: Path) -> BinaryIO:
    with path.open("rb") as file:
        beginning = file.read(6)
    opener = next((opener for start, opener in OPENERS.items() if beginning.startswith(start)), None)
    return cast("BinaryIO", opener(path)) if opener is not None else path.open("rb")


def _refuse_repeated_columns(parsed: Any, path: Path) -> None:
    """Refuse a data frame two columns of which have one name: rdata keeps the last and says nothing.

    Raises
    ------
    SourceFormatError
        It is one.
    """
    names = _names_of(parsed) + _names_of(_attribute(parsed, LIST_DATA))
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise SourceFormatError(
            "two columns of a data frame, or elements of a list, have one name",
            where=str(path),
            expected="a name for each",
            got=repr(twice),
            do="rename one in R: names(x) <- make.unique(names(x))",
        )


def _names_of(parsed: Any) -> list[bytes]:
    """List the names that a parsed object gives its elements."""
    named = _attribute(parsed, b"names")
    return [each.value for each in named.value] if named is not None else []


def _attribute(parsed: Any, name: bytes) -> Any:
    """Return an attribute of a parsed object, or a part of one of a package; None where it has none."""
    node = getattr(parsed, "attributes", None)
    while node is not None and getattr(node, "tag", None) is not None:
        tag, value = node.tag, node.value
        symbol = getattr(getattr(tag, "referenced_object", None) or tag, "value", None)
        if getattr(symbol, "value", None) == name:
            return value[0]
        node = value[1] if isinstance(value, tuple) and len(value) > 1 else None
    return None


def _is_known(value: Any) -> bool:
    is_matrix = hasattr(value, "coords") and value.ndim == 2 and value.dtype.kind in "iuf"  # noqa: PLR2004
    return is_frame(value) or is_sparse(value) or is_matrix


def _kind(value: Any) -> str:
    """Name what an object is, as R does where it says."""
    named = getattr(value, "class", None)
    if named is not None:
        return str(named[0])
    if is_frame(value):
        return "data.frame"
    return "matrix" if hasattr(value, "coords") else type(value).__name__
