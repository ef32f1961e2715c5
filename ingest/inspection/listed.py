"""Published results as a table with a row for each condition and gene, or as sets of genes: what the columns may be.

Such a table has a column of genes and one of effects, both named as publishers name them. The genes come again and
again, or beside them is what a matrix does not have: a p-value, or a perturbation that several lines share.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import islice
from pathlib import Path

import duckdb
import polars as pl

from featurestore.errors import FeatureStoreError, SourceFormatError, first_of
from ingest.catalogue.catalogue import Entry
from ingest.harmonise.contrasts import TURNED, VERSUS, is_contrast, is_turned, two_sides
from ingest.inspection.columns import ColumnSummary, summarise
from ingest.inspection.file_names import NamedContrasts, read_name
from ingest.inspection.gene_ids import judge_genes
from ingest.inspection.guesses import find_units, guess_contexts, guess_kinds
from ingest.inspection.inspection import Inspection
from ingest.inspection.known import plain
from ingest.inspection.known_results import GENES
from ingest.inspection.labels import PerturbationLabels, judge_labels
from ingest.inspection.result_columns import ResultColumns, find_columns
from ingest.inspection.roles import SURE, Guess, guess_roles
from ingest.inspection.samples_beside import samples_beside
from ingest.reader import INDEX
from ingest.readers.columns import decode
from ingest.readers.damage import DAMAGE
from ingest.readers.gene_sets import DIRECTION, read_creeds, read_gmt
from ingest.readers.header import read_header
from ingest.readers.long_text import csv_source
from ingest.readers.plain_text import first_line, is_parquet, open_text, text_lines

MOST_LINES = 200_000
MOST_COLUMNS = 200
UNREADABLE: tuple[type[Exception], ...] = (*DAMAGE, FeatureStoreError, duckdb.Error)
LINES_OF_SETS = 50
SETS = ("gmt", "creeds")
GROUPS = ("group", "cluster", "contrast", "comparison")
"""Names of columns of what was compared, which is what was perturbed if it is genes."""
AGAINST_REST = (
    "a group may have been compared with all other cells rather than with controls, which the file does not say"
)
TARGET, LINE, FILE = "target", "line", "file"
NAMED_BY_FILE = 0.6
MOST = 0.8


def inspect_listed(path: Path, entry: Entry | None) -> Inspection | None:
    """Look at a file that may be such a table; None where it is none.

    Parameters
    ----------
    path
        Delimited text, Parquet, GMT or the JSON of CREEDS, told by content; of a table, the first lines are read.
    entry
        The catalogued dataset that has a file of this name.
    """
    try:
        form, lines = _read(path)
    except UNREADABLE:
        return None
    columns = {
        name: summarise(lines[name])
        for name in lines.columns
        if not (lines[name].dtype.is_nested() or lines[name].dtype == pl.Binary)
    }
    found = find_columns(lines, columns)
    if found is None:
        return None
    described = {name: column for name, column in columns.items() if name not in found.used}
    return _inspection(path, form, lines, described, found, entry)


def _inspection(
    path: Path,
    form: str,
    lines: pl.DataFrame,
    columns: dict[str, ColumnSummary],
    found: ResultColumns,
    entry: Entry | None,
) -> Inspection:
    """Judge the columns that describe conditions, as those of a row table are; else the name of the file."""
    measured = lines[found.table["gene"]]
    roles = guess_roles(list(columns.values()), fewest_perturbations=1)
    roles["filter"] = []
    roles["perturbation"] = [
        guess
        for guess in roles["perturbation"]
        if guess.column is not None and not _is_gene_again(columns[guess.column], lines[guess.column], measured)
    ]
    if not any(guess.score >= SURE for guess in roles["perturbation"]):
        roles["perturbation"] = _groups(columns) + roles["perturbation"]
    best = next((guess for guess in roles["perturbation"] if guess.score >= SURE), None)
    roles["second perturbation"] = [
        replace(guess, score=max(guess.score, SURE))
        for guess in roles["second perturbation"]
        if best is not None and _crosses(lines, best, guess)
    ]
    family = read_name(path) if best is None and form not in SETS else None
    roles["context"] = guess_contexts(roles, columns, path, entry)
    if family is not None:
        columns = columns | {TARGET: summarise(pl.Series(TARGET, family.targets))}
        best = _by_file(family)
        roles["perturbation"] = [best]
        if len(set(family.lines)) > 1:
            roles["context"] = [Guess("context", LINE, NAMED_BY_FILE, ("in the names of the files",))]
    labels = judge_labels(columns[best.column or TARGET]) if best is not None else None
    if labels is not None:
        roles["kind"] = guess_kinds(roles, columns, labels, None, path, entry)
    found = _oriented(found, path, lines, columns, best, labels)
    genes = measured.drop_nulls().unique(maintain_order=True).cast(pl.String)
    n_conditions = lines.select(name for name in columns if best is not None and name == best.column in lines.columns)
    written = f", as {found.tool} writes it" if found.tool else ""
    return Inspection(
        path=path,
        format=f"a table with a row for each condition and gene ({form}){written}",
        files=(path,),
        n_bytes=path.stat().st_size,
        n_rows=max(n_conditions.n_unique(), 1) if n_conditions.columns else 1,
        n_genes=genes.len(),
        matrix=None,
        matrices=(),
        values=found.values,
        genes=judge_genes(genes.alias(INDEX).to_frame(), genes.len()),
        columns=tuple(lines.columns),
        roles=roles,
        labels=labels,
        units=find_units(roles, columns),
        extract={FILE: family.pattern} if family is not None and best is not None and best.column is not None else {},
        table=found.table | ({"format": form} if form in SETS else {}),
        remarks=found.remarks,
        samples=tuple(samples_beside(lines, found.used, str(measured.name)) if form not in SETS else ()),
        family=family.files if family is not None else (),
        entry=entry,
    )


def _crosses(lines: pl.DataFrame, best: Guess, other: Guess) -> bool:
    """Say whether lines of one perturbation have several values of another column."""
    pairs = lines.select(pl.col(str(best.column)).alias("label"), pl.col(str(other.column)).alias("value")).unique()
    return best.column != other.column and pairs.height > pairs["label"].n_unique()


def _oriented(
    found: ResultColumns,
    path: Path,
    lines: pl.DataFrame,
    columns: Mapping[str, ColumnSummary],
    best: Guess | None,
    labels: PerturbationLabels | None,
) -> ResultColumns:
    """Turn effects round where the file, or all of its contrasts, are named the other way round."""
    perturbed = [*(labels.targets if labels is not None else ()), *([best.value] if best and best.value else ())]
    texts = [label for column in columns.values() if column.is_text for label in column.others["label"]]
    sides = two_sides(columns)
    if sides is not None:
        both = lines.lazy().select(pl.concat_str(sides, separator=" vs ")).unique().collect()
        texts += both.to_series().drop_nulls().to_list()
    contrasts = [label for label in texts if is_contrast(label)] or [path.name]
    turned = [name for name in contrasts if is_turned(name, perturbed)]
    return found.turned(turned[0]) if len(turned) == len(contrasts) else found


def _groups(columns: Mapping[str, ColumnSummary]) -> list[Guess]:
    """Guess that groups which were compared are what was perturbed, where they are called after genes."""
    guesses = []
    for name in (name for known in GROUPS for name in columns if plain(name) == known):
        column = columns[name]
        named = (summarise(column.others["label"].str.replace(side, "")) for side in (VERSUS, TURNED))
        share = max(each.gene_share for each in named)
        if column.is_text and share >= MOST:
            told = (f"what was compared, and {share:.0%} of its labels are genes", AGAINST_REST)
            guesses.append(Guess("perturbation", name, NAMED_BY_FILE, told, is_doubtful=True))
    return guesses


def _by_file(family: NamedContrasts) -> Guess:
    """Guess that what was perturbed is the gene in the file's name, or in the names of all that are named alike."""
    names = sorted(set(family.targets))
    if len(family.targets) == 1:
        told = f"no column tells what was perturbed, and the file's name says '{names[0]}'"
        return Guess("perturbation", None, NAMED_BY_FILE, (told,), names[0], is_doubtful=True)
    told = f"the genes in the names of {len(family.targets):,} files that are named alike: {first_of(names, 3)}"
    return Guess("perturbation", TARGET, NAMED_BY_FILE, (told,), is_doubtful=True)


def _read(path: Path) -> tuple[str, pl.DataFrame]:
    """Read the first lines, whatever the file is."""
    if is_parquet(path):
        return "parquet", pl.scan_parquet(path, glob=False).head(MOST_LINES).collect()
    beginning = first_line(path)
    if beginning[:1] in {b"[", b"{"}:
        return "creeds", read_creeds(path)
    if _are_sets(path):
        return "gmt", read_gmt(path)
    if len(read_header(path).names) > MOST_COLUMNS:
        raise SourceFormatError("a table of more columns than a result has", where=str(path))
    return "csv", _first_lines(f"{csv_source(path, MOST_LINES)} limit {MOST_LINES}")


def _first_lines(source: str) -> pl.DataFrame:
    with duckdb.connect(":memory:") as connection:
        connection.execute("set python_enable_replacements = false")
        lines: pl.DataFrame = connection.sql(f"from {source}").pl()
    return lines


def _are_sets(path: Path) -> bool:
    """Say whether the first lines are gene sets, some of them named as one side of a comparison."""
    with open_text(path) as file:
        lines = islice(text_lines(file, path), LINES_OF_SETS)
        fields = [decode(line).rstrip("\r\n").split("\t") for line in lines]
    return all(len(line) > 2 for line in fields) and any(DIRECTION.search(line[0]) for line in fields)  # noqa: PLR2004


def _is_gene_again(column: ColumnSummary, values: pl.Series, measured: pl.Series) -> bool:
    """Say whether a column is the measured gene under another name: it is named so and has one label for each gene."""
    pairs = pl.DataFrame([measured.alias("gene"), values.alias("other")])
    is_named = plain(column.name) in GENES and column.n_labels > 1
    return is_named and pairs.n_unique() == measured.n_unique() == values.n_unique()
