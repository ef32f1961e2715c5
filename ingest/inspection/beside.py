"""Tables beside a file that describe its rows or genes, found by their content: a column of theirs holds the keys."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from featurestore.errors import SourceFormatError
from ingest.conditions.side_files import read_header, with_points
from ingest.harmonise.genes import map_genes
from ingest.inspection.known import rank
from ingest.readers.barcodes import as_published, bare
from ingest.readers.damage import DAMAGE
from ingest.readers.plain_text import refuse_bomb

ENDINGS = (".txt", ".tsv", ".csv", ".txt.gz", ".tsv.gz", ".csv.gz")
MOST_FILES = 40
LARGEST = 10**9
"""Tables larger than this are not looked into. Unit: bytes."""
UNREADABLE: tuple[type[Exception], ...] = (*DAMAGE, SourceFormatError)
N_PROBED = 50
CALLS = "protospacer_calls_per_cell.csv"
"""Cell Ranger's table of the guides that it called in each cell; one without any is not in it."""
CALLED = "feature_call"
CALLS_FOLDER = "crispr_analysis"
FEWEST_GENES, MOST_NAMES = 10, 200
"""Of how many columns a table is asked whether they are genes, and how many of them are looked at."""
MOST_DESCRIBING = 1_000
"""Columns beyond which a table is a matrix, whatever they are."""
KEYS = ("id", "barcode", "cell", "sample", "run", "well", "index", "gene")
"""Words in the names of columns that may be keys."""


@dataclass(frozen=True, slots=True)
class Beside:
    """A table, its key column, and how many of the keys looked for it holds.

    ``repeated`` is a key that several different lines have: which of them is meant, the key alone does not tell.
    """

    path: Path
    key: str
    columns: tuple[str, ...]
    n_found: int
    n_probed: int
    repeated: str | None = None


def find_table(keys: pl.Series, path: Path, aside: Collection[Path], within: Path | None = None) -> Beside | None:
    """Find the table, in a file's folder or above, that describes given keys and has more to say than the key.

    One with several lines for a key is found only where no other is.

    Parameters
    ----------
    keys
        Keys of the file's rows, or of its genes.
    path
        The file.
    aside
        Files that are part of it.
    within
        The folder that was given: it is looked in, and so are those between, and where it lies. One that the file is
        not in is looked in too.
    """
    probed = keys.drop_nulls().unique(maintain_order=True)
    probed = probed.gather_every(max(1, probed.len() // N_PROBED)).head(N_PROBED)
    if not probed.len():
        return None
    found = [_probe(table, probed) for table in _tables(path, aside, within)]
    likely = [table for table in found if table is not None and 2 * table.n_found > probed.len()]
    return max(
        likely, key=lambda table: (table.repeated is None, _says_what_was_done(table), table.n_found), default=None
    )


def _says_what_was_done(table: Beside) -> bool:
    """Say whether a column is called as perturbations or guides are, as in no table of a program's own measures."""
    return any(rank(name, role) is not None for name in table.columns for role in ("perturbation", "guide"))


def find_calls(keys: pl.Series, path: Path) -> Beside | None:
    """Find Cell Ranger's table of called guides: in the file's folder, or in ``crispr_analysis`` in it or beside it."""
    folders = (path.parent, path.parent / CALLS_FOLDER, path.parent.parent / CALLS_FOLDER)
    tables = [folder / CALLS for folder in folders if (folder / CALLS).is_file()]
    return _probe(tables[0], keys.drop_nulls().unique(maintain_order=True)) if tables else None


def told_of_lines(table: Beside) -> str:
    """Say that a table has several lines for a row, and what to do."""
    told = f"{table.path.name} has several lines for one row, such as {table.repeated!r} in its column '{table.key}'"
    return f"{told}: nothing is read of it; keep one line a row, or name all columns of its key under join of [rows]"


def read_joined(table: Beside, keys: pl.Series) -> pl.DataFrame:
    """Read what a table says of the keys, one row per key, in their order; without the key."""
    content = _scan(table.path).unique(table.key, keep="first").collect()
    if read_header(table.path).separator == ";":
        content = content.with_columns(with_points(column) for column in content)
    content = content.with_columns(as_published(content[table.key], keys))
    left = keys.alias(table.key).to_frame()
    return left.join(content, on=table.key, how="left", maintain_order="left").drop(table.key)


def _tables(path: Path, aside: Collection[Path], within: Path | None) -> list[Path]:
    above = [folder for folder in path.parent.parents if within is not None and folder.is_relative_to(within)]
    origin = [] if within is None or path.is_relative_to(within) else [within]
    outside = [within.parent] if within is not None and within.is_dir() and within in path.parents else []
    folders = [path.parent, *([path] if path.is_dir() else []), *above, *origin, *outside]
    entries = (entry for folder in folders for entry in sorted(folder.iterdir()))
    beside = [entry for entry in entries if entry.name.lower().endswith(ENDINGS)]
    others = [entry for entry in beside if entry.is_file() and entry not in aside and entry.stat().st_size < LARGEST]
    return others[:MOST_FILES]


def _scan(path: Path) -> pl.LazyFrame:
    header = read_header(path)
    return pl.scan_csv(
        path,
        separator=header.separator,
        quote_char='"' if header.quote else None,
        has_header=False,
        skip_rows=1,
        new_columns=_distinct(header.names),
        infer_schema=False,
        encoding="utf8-lossy",
        truncate_ragged_lines=True,
        glob=False,
    )


def _distinct(names: Sequence[str]) -> list[str]:
    """Name columns as published, but for one that is called like another before it."""
    first = {name: at for at, name in reversed(list(enumerate(names)))}
    return [name if first[name] == at else f"{name}_{at}" for at, name in enumerate(names)]


def _probe(path: Path, keys: pl.Series) -> Beside | None:
    try:
        refuse_bomb(path)
        table = _scan(path)
        names = table.collect_schema().names()
        candidates = list(dict.fromkeys([*names[:1], *(n for n in names if any(word in n.lower() for word in KEYS))]))[
            :8
        ]
        if len(names) < 2 or _is_matrix(names):  # noqa: PLR2004
            return None
        counts = _counted(table, candidates, keys)
        short = pl.select(bare(pl.lit(keys))).to_series()
        if not any(counts.values()) and not short.is_duplicated().any():
            table, keys = table.with_columns(bare(pl.col(candidates))), short
            counts = _counted(table, candidates, keys)
        key = max(counts, key=lambda name: (counts[name] > 0, -abs(counts[name] - keys.len())))
        lines = table.filter(pl.col(key).is_in(keys.implode())).unique().collect()
    except UNREADABLE:
        return None
    n_found = lines[key].n_unique()
    repeated = lines.filter(pl.col(key).is_duplicated())[key]
    several = str(repeated[0]) if repeated.len() else None  # as the same well on several plates
    return Beside(path, key, tuple(names), int(n_found), keys.len(), several) if n_found else None


def _is_matrix(names: Sequence[str]) -> bool:
    """Say whether a table's columns are genes, so that it measures the rows too, and describes none of them."""
    if len(names) < FEWEST_GENES or len(names) > MOST_DESCRIBING:
        return len(names) > MOST_DESCRIBING
    known = map_genes(names[:MOST_NAMES]).table["gene_id"]
    return 2 * known.null_count() < known.len()


def _counted(table: pl.LazyFrame, candidates: Sequence[str], keys: pl.Series) -> dict[str, int]:
    """Count the lines that hold one of the keys, for each column that may be theirs."""
    found = table.select(pl.col(name).is_in(keys.implode()).sum().alias(name) for name in candidates)
    return found.collect().row(0, named=True)
