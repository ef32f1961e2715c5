"""Published results as a table with a line for each condition and gene, or as sets of genes: what the columns may be.

Such a table has a column of genes and one of effects, both named as publishers name them. The genes come again and
again, or beside them is what a matrix does not have: a p-value, or a perturbation that several lines share.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from pathlib import Path

import polars as pl

from featurestore.errors import FeatureStoreError
from ingest.catalogue.catalogue import Entry
from ingest.inspection.columns import Column, summarise
from ingest.inspection.gene_ids import judge_genes
from ingest.inspection.guesses import find_units, guess_contexts, guess_kinds
from ingest.inspection.inspection import Inspection
from ingest.inspection.known import plain, rank
from ingest.inspection.labels import judge_labels
from ingest.inspection.roles import SURE, guess_roles
from ingest.inspection.values import Values
from ingest.reader import INDEX
from ingest.readers.columns import decode
from ingest.readers.damage import DAMAGE
from ingest.readers.gene_sets import DIRECTION, read_creeds, read_gmt
from ingest.readers.plain_text import first_line, first_lines, open_text, text_lines

MOST_LINES = 200_000
PARQUET = b"PAR1"
FEWEST_A_GENE = 1.2
"""How often a gene is listed at least, on average."""
HALF = 0.5
UNREADABLE: tuple[type[Exception], ...] = (*DAMAGE, FeatureStoreError)
LINES_OF_SETS = 50
GENES = ("gene", "genes", "gene_name", "gene_symbol", "names", "symbol", "gene_id", "ensembl_id", "ensembl", "feature")
EFFECTS: dict[str, tuple[str, float]] = {
    **dict.fromkeys(
        ("log2foldchange", "log2_fold_change", "log2fc", "log2_fc", "avg_log2fc"), ("log2_fold_change", 0.9)
    ),
    **dict.fromkeys(("logfoldchanges", "logfc", "log_fc", "lfc", "fold_change", "effect"), ("log2_fold_change", 0.6)),
    **dict.fromkeys(("sign_log10_pval", "signed_log10_p"), ("signed_log10_p", 0.9)),
    **dict.fromkeys(("label", "direction", "de", "is_de", "call"), ("de_call", 0.7)),
    **dict.fromkeys(("modz", "zscore_level5", "moderated_z"), ("moderated_z", 0.8)),
}
"""Names of columns of effects, the kind of values that they hold, and how sure that is."""
STATISTICS: dict[str, tuple[str, ...]] = {
    "standard_error": ("lfcse", "se", "standard_error", "std_err"),
    "z": ("stat", "z", "zscore", "z_score", "t"),
    "p_value": ("pvalue", "p_value", "pval", "pvals", "p_val"),
    "q_value": ("padj", "p_adj", "adj_p_value", "pvals_adj", "p_val_adj", "fdr", "qvalue", "q_value"),
}


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
    effect = _effect(columns)
    if effect is None:
        return None
    kind, score = EFFECTS[plain(effect)]
    gene = _gene(columns, is_result=_is_tested(columns) or (kind != "de_call" and _has_contrasts(columns)))
    if gene is None or gene == effect:
        return None
    statistics = {name: found for name, known in STATISTICS.items() if (found := _named(columns, known))}
    table = {"gene": gene, "effect": effect} | statistics
    described = {name: column for name, column in columns.items() if name not in table.values()}
    return _inspection(
        path, form, lines, described, table, Values(kind, score, (f"the column is called '{effect}'",)), entry
    )


def _inspection(
    path: Path,
    form: str,
    lines: pl.DataFrame,
    columns: dict[str, Column],
    table: dict[str, str],
    values: Values,
    entry: Entry | None,
) -> Inspection:
    """Judge the columns that describe conditions, as those of a row table are."""
    measured = lines[table["gene"]]
    roles = guess_roles(list(columns.values()), fewest_perturbations=1)
    roles["filter"] = []
    roles["perturbation"] = [
        guess
        for guess in roles["perturbation"]
        if guess.column is not None and not _is_gene_again(columns[guess.column], lines[guess.column], measured)
    ]
    best = next((guess for guess in roles["perturbation"] if guess.score >= SURE), None)
    labels = judge_labels(columns[str(best.column)]) if best is not None else None
    if labels is not None:
        roles["kind"] = guess_kinds(roles, columns, labels, None, path, entry)
    roles["context"] = guess_contexts(roles, columns, path, entry)
    genes = measured.drop_nulls().unique(maintain_order=True).cast(pl.String)
    return Inspection(
        path=path,
        format=f"a table with a line for each condition and gene ({form})",
        files=(path,),
        n_bytes=path.stat().st_size,
        n_rows=lines.select(name for name in columns if best is None or name == best.column).n_unique(),
        n_genes=genes.len(),
        matrix=None,
        matrices=(),
        values=values,
        genes=judge_genes(genes.alias(INDEX).to_frame(), genes.len()),
        columns=tuple(lines.columns),
        roles=roles,
        labels=labels,
        units=find_units(roles, columns),
        table=table | ({"format": form} if form in {"gmt", "creeds"} else {}),
        entry=entry,
    )


def _read(path: Path) -> tuple[str, pl.DataFrame]:
    """Read the first lines, whatever the file is."""
    with path.open("rb") as file:
        if file.read(len(PARQUET)) == PARQUET:
            return "parquet", pl.scan_parquet(path).head(MOST_LINES).collect()
    beginning = first_line(path)
    if beginning[:1] in {b"[", b"{"}:
        return "creeds", read_creeds(path)
    if _are_sets(path):
        return "gmt", read_gmt(path)
    separator = "\t" if b"\t" in beginning else ","
    lines = first_lines(path, MOST_LINES + 1)
    return "csv", pl.read_csv(lines, separator=separator, n_rows=MOST_LINES, infer_schema_length=10_000)


def _are_sets(path: Path) -> bool:
    """Say whether the first lines are gene sets, some of them named as one side of a comparison."""
    with open_text(path) as file:
        lines = islice(text_lines(file, path), LINES_OF_SETS)
        fields = [decode(line).rstrip("\r\n").split("\t") for line in lines]
    return all(len(line) > 2 for line in fields) and any(DIRECTION.search(line[0]) for line in fields)  # noqa: PLR2004


def _gene(columns: Mapping[str, Column], *, is_result: bool) -> str | None:
    """Find the column of genes, the best named first; in what may be no result they are listed again and again."""
    named = sorted((GENES.index(plain(name)), name) for name in columns if plain(name) in GENES)
    for _, name in named:
        column = columns[name]
        is_listed = column.n_rows - column.n_missing > FEWEST_A_GENE * column.n_labels
        if column.is_text and column.gene_share > HALF and (is_listed or is_result):
            return name
    return None


def _is_tested(columns: Mapping[str, Column]) -> bool:
    """Say whether there is a column of p-values or of what corrects them."""
    return any(_named(columns, STATISTICS[name]) for name in ("p_value", "q_value"))


def _has_contrasts(columns: Mapping[str, Column]) -> bool:
    """Say whether there is a column of perturbations, each in several lines."""
    return any(
        column.is_text and column.n_labels < column.n_rows - column.n_missing
        for name, column in columns.items()
        if plain(name) not in GENES and rank(name, "perturbation") is not None
    )


def _is_gene_again(column: Column, values: pl.Series, measured: pl.Series) -> bool:
    """Say whether a column is the measured gene under another name: it is named so and has one label for each gene."""
    pairs = pl.DataFrame([measured.alias("gene"), values.alias("other")])
    is_named = plain(column.name) in GENES and column.n_labels > 1
    return is_named and pairs.n_unique() == measured.n_unique() == values.n_unique()


def _effect(columns: Mapping[str, object]) -> str | None:
    order = list(EFFECTS)
    found = sorted((order.index(plain(name)), name) for name in columns if plain(name) in EFFECTS)
    return found[0][1] if found else None


def _named(columns: Mapping[str, Column], known: tuple[str, ...]) -> str | None:
    found = sorted((known.index(plain(name)), name) for name in columns if plain(name) in known)
    return next((name for _, name in found if not columns[name].is_text), None)
