"""Tables of a dataset published as a table with a row for each condition and gene: effects, calls, gene sets.

Only what is listed is written: a pair without a line is unknown, and has no row. The files are asked one after another,
so memory is a file's sorted lines at most, whatever the number of files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa

from featurestore.errors import SourceFormatError
from featurestore.storage.addresses import plain_path
from ingest.conditions.axis import GeneAxis, read_axis
from ingest.conditions.given import GivenRows, Integers, gather_rows
from ingest.conditions.label import Labels, label_rows
from ingest.conditions.lookups import Lookups
from ingest.conditions.roles import named_rows
from ingest.conditions.rows import RowTables
from ingest.conditions.side_tables import SideTable
from ingest.conditions.unit_columns import require_units
from ingest.reader import INDEX
from ingest.readers.ahead import one_ahead
from ingest.release.tables import RowWriter
from ingest.reported.listed_names import NameChoice, best_between, ranked_names, shared_conditions, with_left_out
from ingest.reported.listed_rows import one_row_each
from ingest.reported.long_table import LongTable
from ingest.reported.orientation import perturbed_names, require_orientation
from ingest.reported.significance import SignificantGenes

COUNTED = frozenset({"condition_index", "gene_index", "effect", "q_value"})


@dataclass(frozen=True, slots=True)
class Listed:
    """A long table, its names harmonised.

    Parameters
    ----------
    tables
        The files.
    lines
        For each file ``condition_index``, and the columns by which a line is found to be of that condition.
    given, labels
        Rows and conditions, one each.
    axis
        The genes of all files, whose ``names`` are as published.
    """

    tables: Sequence[LongTable]
    lines: list[pl.DataFrame]
    given: GivenRows
    labels: Labels
    axis: GeneAxis
    names: pl.Series


def read_listed(
    tables: Sequence[LongTable],
    row_tables: RowTables,
    gene_tables: Sequence[SideTable],
    lookups: Lookups,
) -> Listed:
    """Harmonise the conditions and genes that the files list.

    Conditions are named by what is published of them, so lines of one condition in several files are of one condition.

    Raises
    ------
    FeatureStoreError
        Spec or files are at fault.
    """
    spec = row_tables.spec
    require_units(tables, row_tables)
    found = [named_rows(row_tables.read(table), spec) for table in tables]
    where = ", ".join(table.path.name for table in tables)
    given, place = one_row_each(gather_rows([pl.concat(found, how="vertical_relaxed")], spec), where=where)
    labels = label_rows(given, spec, lookups, where=where)
    if spec.table is not None:
        require_orientation(tables, spec.table, perturbed_names(given, spec))
    firsts = np.cumsum([0, *(rows.height for rows in found)])
    lines = [
        _lines(table, rows, labels.rows.condition[place[first : first + rows.height]])
        for table, rows, first in zip(tables, found, firsts, strict=False)
    ]
    genes = pl.concat([table.genes()[INDEX] for table in tables]).unique().sort()
    axis = read_axis(tables[0].listing(genes), gene_tables, spec, lookups.online)
    return Listed(tables, lines, given, labels, axis, genes)


def _lines(table: LongTable, rows: pl.DataFrame, condition: Integers) -> pl.DataFrame:
    own = [name for name in rows.columns if name != INDEX and name in table.row_columns()]
    taken = rows.select(pl.Series("condition_index", condition), *own).filter(pl.col("condition_index") >= 0)
    return taken.unique(maintain_order=True)


def write_listed(
    folder: Path,
    listed: Listed,
    effect_kind: str,
    advance: Callable[[int], None],
    significant: SignificantGenes | None,
) -> GeneAxis:
    """Write the signature table: a row for each line, ordered as tiles are within each file.

    Where lines of one condition name a gene in several ways, the value of the best name is taken.

    Parameters
    ----------
    folder
        The staged release.
    listed
        The table.
    effect_kind
        What the effects are.
    advance
        Called with the number of files done.
    significant
        What counts the genes that each condition changes.

    Returns
    -------
    The genes, with a note in the ledger for names of which values were left out.

    Raises
    ------
    SourceFormatError
        Two rows are of one condition and gene, by one name.
    """
    names = ranked_names(listed.names, listed.axis)
    choice = NameChoice(names.height, best_between(listed.tables, listed.lines, names))
    with RowWriter(folder, "signature", {"effect_kind": effect_kind}) as writer:
        for number in range(len(listed.tables)):
            for rows in one_ahead(_chosen(listed, number, names, choice, significant)):
                writer.write(rows)
            advance(1)
    if len(listed.tables) > 1:
        _refuse_repeats_between(folder, listed)
    return replace(listed.axis, mapping=with_left_out(listed.axis.mapping, names, choice.left_out))


def _chosen(
    listed: Listed, number: int, names: pl.DataFrame, choice: NameChoice, significant: SignificantGenes | None
) -> Iterator[pa.RecordBatch]:
    """Yield the lines of a file that are taken, counted."""
    table = listed.tables[number]
    choice.start()
    for batch in table.effects(listed.lines[number], names):
        taken, repeated = choice.take(batch)
        if repeated is not None:
            raise _repeated(*repeated, listed, table.path)
        if significant is not None:
            _count(taken, significant)
        yield taken


def _count(rows: pa.RecordBatch, significant: SignificantGenes) -> None:
    numbers = {name: pl.Series(rows.column(name)).to_numpy() for name in rows.schema.names if name in COUNTED}
    effect, q_value = (numbers.get(name) for name in ("effect", "q_value"))
    significant.add(numbers["condition_index"], numbers["gene_index"], effect, q_value)


def _refuse_repeats_between(folder: Path, listed: Listed) -> None:
    """Refuse two lines of one condition and gene in different files, looking at conditions that several files have."""
    numbers = shared_conditions(listed.lines)
    if numbers.is_empty():
        return
    with duckdb.connect(":memory:") as connection:
        connection.register("shared", numbers.to_frame().to_arrow())
        source = f"{plain_path(str(folder))}/signature/*.parquet"
        twice = connection.execute(
            "select condition_index, gene_index from read_parquet($1, hive_partitioning = false) "
            "semi join shared using (condition_index) group by all having count(*) > 1 limit 1",
            [source],
        ).fetchone()
    if twice is not None:
        condition, gene = twice
        raise _repeated(condition, gene, listed, listed.tables[0].path.parent)


def _repeated(condition: int, gene: int, listed: Listed, path: Path) -> SourceFormatError:
    name = listed.labels.condition.filter(pl.col("condition_index") == condition)["condition_id"][0]
    symbol = listed.axis.genes.filter(pl.col("gene_index") == gene)["gene_symbol"][0]
    return SourceFormatError(
        "Two rows are of one condition and gene.",
        where=str(path),
        got=f"{symbol} in {name}",
        do="name the column that tells them apart (batch, dose, time, cluster) under [condition], or leave rows out "
        "with where under [table]",
    )
