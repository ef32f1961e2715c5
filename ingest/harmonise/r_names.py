"""Undo what R does to the names of columns: ``HLA-A`` is ``HLA.A``, ``7SK`` is ``X7SK``, ``7157`` is ``X7157``.

One name does not tell: ``NKX6.1`` is an alias of NKX6-2, and what R makes of NKX6-1. So it is asked of a whole list
whether R rewrote it: every name is one that R can leave, and some are no genes until they are undone.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from ingest import reference

SYNTACTIC = r"^(?:[A-Za-z]|\.[A-Za-z._])[A-Za-z0-9._]*$"
"""What ``make.names`` can leave of a text."""
MADE = r"\.|^X"
"""What a name has that ``make.names`` changed."""
NUMBER = r"^X(\d+)$"
REPEATED = r"^(.+)\.(\d+)$"
"""What R's ``make.unique`` makes of a name that comes again."""
MOST_NUMBERS = 0.9
BY_FORM = {r"^X(\d{1,2})\.([A-Z][a-z]{2})$": "$1-$2", r"^ERCC\.(\d{5})$": "ERCC-$1"}
"""Texts that are no labels of genes: dates that a spreadsheet made, and spike-ins."""
OF_MOUSE = "ENSMUSG"
FEWEST = 3
"""How many names there are at least for a list to be one."""
DOUBTFUL = {"name": pl.String(), "rivals": pl.List(pl.String())}


@dataclass(frozen=True, slots=True)
class Undone:
    """A list of names before R rewrote it.

    Parameters
    ----------
    names
        In order; as they are where R did not rewrite the list, or where it could have made one of several names.
    is_of_r
        Whether R did.
    doubtful
        Names of which it is open whose they are, and the genes: in a list that does not tell whether it is R's, labels
        of one gene that are R's name of another; in one of R's, names that R makes of labels of several.
    """

    names: pl.Series
    is_of_r: bool
    doubtful: pl.DataFrame


def undo_r_names(names: pl.Series) -> Undone:
    """Bring a list of identifiers back to what it was before R's ``make.names``, if that rewrote it."""
    present = names.drop_nulls()
    can_be_of_r = present.len() >= FEWEST and present.str.contains(SYNTACTIC).all() and present.str.contains(MADE).any()
    if not can_be_of_r:
        return Undone(names, is_of_r=False, doubtful=pl.DataFrame(schema=DOUBTFUL))
    is_number = present.str.contains(NUMBER)
    if is_number.sum() >= MOST_NUMBERS * present.len():
        return Undone(names.str.replace(NUMBER, "$1"), is_of_r=True, doubtful=pl.DataFrame(schema=DOUBTFUL))
    wanted = names.to_frame("name")
    found = wanted.join(_before(), on="name", how="left", maintain_order="left")
    is_found = found.select((pl.col("label") != pl.col("name")).fill_null(value=False)).to_series()
    if not (is_found & ~found["is_label"].fill_null(value=True)).any():
        return Undone(names, is_of_r=False, doubtful=_rivals().join(wanted.unique(), on="name", how="semi"))
    undone = _repeated(found["label"], names)
    for form, before in BY_FORM.items():
        undone = undone.str.replace(form, before)
    return Undone(undone.alias(names.name), is_of_r=True, doubtful=_open().join(wanted.unique(), on="name", how="semi"))


def _repeated(labels: pl.Series, names: pl.Series) -> pl.Series:
    """Write names that come again as what they repeat, with their number; those of no label stay as they are."""
    before = pl.DataFrame({"of": names, "label_of": labels}).drop_nulls().unique("of")
    parts = names.str.extract_groups(REPEATED).struct.rename_fields(["of", "number"]).struct.unnest()
    table = parts.with_columns(names.alias("name"), labels.alias("label"))
    table = table.join(before, on="of", how="left", maintain_order="left")
    repeated = pl.format("{}.{}", "label_of", "number")
    return table.select(pl.coalesce("label", repeated, "name")).to_series()


@reference.cached
def _labels() -> pl.DataFrame:
    """List every label of a gene, and what R makes of it: label, gene_id, rank (the better the lower), name."""
    human = reference.table("gene_label").select("label", "gene_id", rank=pl.col("kind").to_physical().cast(pl.Int32))
    orthologs = reference.table("ortholog_human_mouse")
    mouse = orthologs.select(pl.col("mouse_symbol").alias("label"), pl.col("mouse_gene_id").alias("gene_id"))
    labels = pl.concat([human, mouse.unique().drop_nulls().with_columns(rank=pl.lit(0, pl.Int32))])
    written = pl.col("label").str.replace_all(r"[^A-Za-z0-9._]", ".")
    is_name = written.str.contains(SYNTACTIC)
    return labels.with_columns(name=pl.when(is_name).then(written).otherwise(pl.lit("X") + written))


@reference.cached
def _claims() -> pl.DataFrame:
    """List the most authoritative labels of each name that R makes of a label which is not that name.

    Columns: name, label (the name itself, if it is one of them), n_labels, genes, is_label (whether it is a label).
    """
    own = pl.col("label") == pl.col("name")
    changed = _labels().filter((~own).any().over("name")).with_columns(is_label=own.any().over("name"))
    best = changed.filter(pl.col("rank") == pl.col("rank").min().over("name"))
    return best.group_by("name").agg(
        pl.when(own.any()).then(pl.col("name").first()).otherwise(pl.col("label").min()).alias("label"),
        pl.col("label").n_unique().alias("n_labels"),
        pl.col("gene_id").unique().sort().alias("genes"),
        pl.col("is_label").first(),
    )


@reference.cached
def _before() -> pl.DataFrame:
    """List what each of R's names was, where that is one label, or of one gene: name, label, is_label."""
    one = _claims().filter((pl.col("n_labels") == 1) | (pl.col("genes").list.len() == 1))
    return one.select("name", "label", "is_label")


@reference.cached
def _open() -> pl.DataFrame:
    """List R's names that were labels of different genes with equal claims: name, rivals (genes)."""
    several = _claims().join(_before(), on="name", how="anti")
    return several.select("name", rivals="genes")


@reference.cached
def _rivals() -> pl.DataFrame:
    """List names that are labels of one gene and R's of another that has a better claim: name, rivals (genes)."""
    own = _labels().filter(pl.col("label") == pl.col("name")).select("name", "gene_id")
    before = _before().filter("is_label", pl.col("label") != pl.col("name"))
    other = before.join(_labels(), on=["name", "label"]).select("name", other="gene_id")
    is_one_species = pl.col("gene_id").str.starts_with(OF_MOUSE) == pl.col("other").str.starts_with(OF_MOUSE)
    pairs = own.join(other, on="name").filter(is_one_species, pl.col("gene_id") != pl.col("other"))
    return pairs.group_by("name").agg(rivals=pl.concat_list("other", "gene_id").sort().first())
