"""A published table with a row for each condition and gene, asked with DuckDB whatever its size.

What a spec says of it are columns, or SQL over its columns; that SQL sees the one file and nothing else. Lines are
sorted tile by tile, see :mod:`ingest.reported.tile_order`.
"""

from __future__ import annotations

import copy
import shutil
import tempfile
import weakref
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

import duckdb
import polars as pl
import pyarrow as pa

from featurestore.errors import SourceFormatError, SpecError, did_you_mean
from featurestore.storage.addresses import plain_path
from ingest.harmonise.contrasts import is_contrast, two_sides
from ingest.reader import INDEX
from ingest.readers.ahead import one_ahead
from ingest.readers.gene_sets import read_creeds, read_gmt
from ingest.readers.long_text import FILE, csv_source, literal, quoted_name
from ingest.readers.plain_text import is_parquet
from ingest.readers.r_objects import is_of_r, saved_frame
from ingest.readers.sheets import is_workbook, sheet_text
from ingest.readers.workbook import WorkbookFormat
from ingest.reported.tile_order import TileOrder
from ingest.reported_sections import EffectsSection

MOST_CHARACTERS = 300
FIRST_LINES = 1_000
TEXT = "VARCHAR"
"""What DuckDB calls text."""
MEMORY = "2GB"
LEAN = ("threads = 1", "disable_parquet_prefetching = true")
"""How Parquet is read: a page at a time, while what was read is sorted; as fast, and in a third of the memory."""
LINES_AT_ONCE = 250_000
STATISTICS = ("effect", "standard_error", "z", "p_value", "q_value")
OWN = "listed:"
"""What the names of the view's own columns begin with, so that a file may have columns called ``gene`` or ``Z``."""
SETS = {"gmt": read_gmt, "creeds": read_creeds}
R_OBJECT = "r"
FORMATS = ("csv", "parquet", WorkbookFormat.name, R_OBJECT, *SETS)


class Sheet(NamedTuple):
    """Which sheet of a workbook, and the row of its header, counted from 1, where it does not tell itself."""

    name: str | None = None
    header: int | None = None


class LongTable:
    """One file of such a table.

    Parameters
    ----------
    path
        Delimited text, Parquet, an Excel workbook, GMT or the JSON of CREEDS.
    section
        What the spec says of it.
    texts
        Columns that are text, whatever they look like: those of conditions and genes.
    file_format
        One of ``FORMATS``; told from the content where it is None.
    sheet
        Of a workbook, the sheet, where there are several.

    Raises
    ------
    SourceFormatError
        The file cannot be read as a table, or not as one of that format.
    SpecError
        A column or expression of the spec is wrong.
    """

    def __init__(
        self,
        path: Path,
        section: EffectsSection,
        texts: Sequence[str],
        file_format: str | None,
        sheet: Sheet | None = None,
    ) -> None:
        self.path = path
        self.files: tuple[Path, ...] = (path,)
        self.listed: pl.Series | None = None
        self.whole: LongTable | None = None
        self._section, self._texts = section, frozenset(texts)
        self._kind = _kind(path, file_format)
        self._content = path
        if self._kind == WorkbookFormat.name:
            folder = tempfile.mkdtemp(prefix="sheet-")
            weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
            self._content = sheet_text(path, Path(folder), *(sheet or Sheet()))
        if self._kind == R_OBJECT:
            folder = tempfile.mkdtemp(prefix="frame-")
            weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
            self._content = saved_frame(path, Path(folder))
        self.format = f"long table ({self._kind})"
        with self._lines() as connection:
            lines = connection.sql("from lines")
            self._columns = [name for name in lines.columns if not name.startswith(OWN)]
            self._of_text = {name for name, kind in zip(lines.columns, lines.types, strict=True) if str(kind) == TEXT}

    def listing(self, genes: pl.Series) -> LongTable:
        """Return the same table with the genes of all files of the dataset."""
        known = copy.copy(self)
        known.listed, known.whole = genes, self
        return known

    def row_columns(self) -> list[str]:
        """Names of the columns, ``index`` first."""
        return [INDEX, *self._columns]

    def rows(self, columns: list[str] | None = None) -> pl.DataFrame:
        """Read the distinct values of some columns, numbered."""
        wanted = [name for name in (columns or self.row_columns()) if name != INDEX]
        distinct = f"select distinct {', '.join(map(quoted_name, wanted)) or '1'} from lines order by all"  # noqa: S608, quoted
        with self._lines() as connection, self._telling():
            table: pl.DataFrame = connection.sql(distinct).pl()
        return table.select(pl.int_range(pl.len()).cast(pl.String).alias(INDEX), *wanted)

    def genes(self) -> pl.DataFrame:
        """Read the distinct genes."""
        if self.listed is not None:
            return pl.DataFrame({INDEX: self.listed})
        with self._lines() as connection, self._telling():
            table: pl.DataFrame = connection.sql(
                f"select distinct {_own('gene')} from lines where {_own('gene')} is not null order by 1"  # noqa: S608, own
            ).pl()
        return table.select(pl.col(table.columns[0]).alias(INDEX))

    def contrasts(self) -> dict[str, list[str]]:
        """Read the names of contrasts: of each column, in SQL, that has some in the first lines, and of two sides."""
        columns = [quoted_name(name) for name in self._columns if name != FILE and name in self._of_text]
        sides = two_sides(self._columns)
        columns += [" || ' vs ' || ".join(map(quoted_name, sides))] if sides is not None else []
        found = {}
        with self._lines() as connection, self._telling():
            for column in columns:
                if _contrasts(connection.sql("from lines").limit(FIRST_LINES).select(column).pl()):
                    found[column] = _contrasts(connection.sql("from lines").select(column).distinct().pl())
        return found

    def effects(self, conditions: pl.DataFrame, genes: pl.DataFrame) -> Iterator[pa.RecordBatch]:
        """Stream what is listed, in the order of tiles.

        Parameters
        ----------
        conditions
            ``condition_index``, and the columns of the table by which a line is found to be of that condition; without
            any, all lines are of the one condition.
        genes
            ``gene_index``, ``gene`` as published, and ``rank``: of several names of a gene the better is lower.

        Returns
        -------
        Batches of ``condition_index``, ``gene_index``, ``rank`` and the statistics that are given; what is infinite is
        missing.
        """
        keys = [name for name in conditions.columns if name != "condition_index"]
        same = " and ".join(f"l.{quoted_name(key)} is not distinct from c.{quoted_name(key)}" for key in keys) or "true"
        given = [name for name in STATISTICS if name in self._section.statistics()]
        own = {name: f"l.{_own(name)}" for name in ("gene", *given)}
        columns = ["c.condition_index", "g.gene_index", "g.rank"]
        columns += [f"case when isfinite({own[name]}) then {own[name]} else 'nan' end as {name}" for name in given]
        query = (
            f"select {', '.join(columns)} from lines l "  # noqa: S608, quoted
            f"join conditions c on {same} join genes g on {own['gene']} = g.gene"
        )
        n_conditions, n_genes = (
            int(numbers.to_numpy().max(initial=0)) + 1
            for numbers in (conditions["condition_index"], genes["gene_index"])
        )
        with closing(TileOrder(n_conditions, n_genes, given)) as order:
            with self._lines() as connection, self._telling():
                connection.register("conditions", conditions.to_arrow())
                connection.register("genes", genes.to_arrow())
                for batch in one_ahead(connection.sql(query).to_arrow_reader(LINES_AT_ONCE)):
                    order.add(batch)
            yield from one_ahead(order.batches())

    def close(self) -> None:
        """Do nothing: the file is open only while it is asked."""

    @contextmanager
    def _lines(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open the file as the view ``lines``: the wanted lines, with its columns, the gene and the statistics."""
        with tempfile.TemporaryDirectory(prefix="long-table-") as folder, duckdb.connect(":memory:") as connection:
            connection.execute(f"set memory_limit = '{MEMORY}'")
            if self._kind == "parquet":
                for setting in LEAN:
                    connection.execute(f"set {setting}")
            connection.execute(f"set temp_directory = {literal(folder)}")
            connection.execute(f"set allowed_paths = [{literal(str(self._content))}]")
            if self._kind in SETS:
                connection.register("content", SETS[self._kind](self.path).to_arrow())
            connection.execute("set enable_external_access = false")
            connection.execute("set python_enable_replacements = false")
            connection.execute("set lock_configuration = true")
            with self._telling():
                columns = connection.sql(f"from {self._source()} limit 0").columns
            try:
                connection.execute(self._view(columns))
            except duckdb.Error as error:
                raise SpecError(
                    "The table does not have what the spec names.",
                    where=f"[table], for {self.path}",
                    expected="columns, or SQL over them: " + ", ".join(columns),
                    got=str(error).splitlines()[0],
                ) from None
            yield connection

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except duckdb.Error as error:
            got = " ".join(str(error).split())
            raise SourceFormatError(
                "the table cannot be read as the spec says", where=str(self.path), got=got[:MOST_CHARACTERS]
            ) from None

    def _source(self) -> str:
        if self._kind in SETS:
            return "content"
        if self._kind == "parquet":
            return f"read_parquet({literal(plain_path(str(self.path)))})"
        return csv_source(self._content)

    def _view(self, columns: Sequence[str]) -> str:
        """Write the view: columns that the spec makes, then gene and statistics, which may use them."""
        section = self._section
        file = "" if FILE in columns else f", {literal(self.path.name)} as {FILE}"
        made = [f"{_expression(text, columns)} as {quoted_name(name)}" for name, text in section.columns.items()]
        known = list(dict.fromkeys([*columns, FILE, *section.columns]))
        kept = [quoted_name(name) for name in known if name not in section.columns]
        inner = f"select {', '.join([*kept, *made])} from (select *{file} from {self._source()})"  # noqa: S608, confined
        numbers = {name: _expression(text, known) for name, text in section.statistics().items()}
        outer = [
            f"cast({quoted_name(name)} as varchar) as {quoted_name(name)}" if name in self._texts else quoted_name(name)
            for name in known
        ]
        outer.append(f"cast({_expression(section.gene, known)} as varchar) as {_own('gene')}")
        outer += [f"cast({numbers.get(name, 'null')} as double) as {_own(name)}" for name in STATISTICS]
        where = f" where {_expression(section.where, ())}" if section.where else ""
        return f"create view lines as select {', '.join(outer)} from ({inner}){where}"  # noqa: S608, confined


def _contrasts(lines: pl.DataFrame) -> list[str]:
    column = lines.to_series()
    names = column.drop_nulls().unique().sort().to_list() if column.dtype == pl.String else ()
    return [name for name in names if is_contrast(name)]


def _kind(path: Path, file_format: str | None) -> str:
    if file_format is not None and file_format not in FORMATS:
        raise SourceFormatError(
            f"there is no format '{file_format}' of tables with a row for each condition and gene",
            where=str(path),
            do=did_you_mean(file_format, FORMATS),
        )
    found = "parquet" if is_parquet(path) else "csv"
    if is_workbook(path):
        found = WorkbookFormat.name
    return file_format or (R_OBJECT if is_of_r(path) else found)


def _expression(text: str, columns: Sequence[str]) -> str:
    """Take a column by its name, whatever signs it holds; anything else is SQL, one expression of it.

    Raises
    ------
    duckdb.Error
        It is not.
    """
    if text in columns:
        return quoted_name(text)
    if len(duckdb.extract_statements(f"select ({text})")) != 1:
        raise duckdb.ParserException(f"not one expression: {text}")
    return f"({text})"


def _own(name: str) -> str:
    return quoted_name(f"{OWN}{name}")
