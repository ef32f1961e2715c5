"""The notations in which genes are written: Ensembl, Entrez, HGNC, symbols, pairs of them, and things that are no gene.

Only the shape of a text is judged here; whether the identifier exists is for ``gene_lookup``.
"""

from __future__ import annotations

import functools

import polars as pl

NO_VALUE = ("", "nan", "NaN", "None", "none", "NA", "N/A", "<NA>", "null", "NULL", "*", "-", "-666", "---")
"""Texts that stand for a missing identifier."""

CONTROL_LABELS = (
    "non-targeting", "Non-Targeting", "non_targeting", "nontargeting", "NonTargeting", "NON-TARGETING",
    "negative_control", "control", "Control", "ctrl", "NT", "NTC", "DMSO", "DMSO_TF", "Vehicle", "vehicle",
    "PBS", "safe-targeting", "scramble", "scrambled", "mock", "untreated",
)  # fmt: skip
"""Labels of reference cells that the published datasets use, to the letter."""

_ENSEMBL = r"ENSG(?:R\d{10}|\d{11})(?:\.\d+)?(?:_PAR_Y)?"
_MONTH = r"(?i:jan|feb|mar|apr|may|jun|jul|aug|sep|sept|oct|nov|dec)"

TOTAL = r"(?i:(?:grand[-_. ]?)?totals?(?:[-_. ](?:counts?|reads?|umis?))?|sum|library[-_. ]size)"
"""What the sum over the genes is called, which is none of them."""
NOTATIONS = {
    "deprecated": r"^DEPRECATED_",
    "ensembl": rf"^(?i:{_ENSEMBL})$",
    "entrez": r"^(?:(?i:entrez|geneid|ncbigene):)?\d+(?:\.0+)?$",
    "hgnc": r"^(?i:HGNC):\d+$",
    "mouse_ensembl": r"^ENSMUSG\d{11}(?:\.\d+)?$",
    "replogle_control": r"^\d+_non-targeting_",
    "replogle": rf"^\d+_[^_]+_.+_{_ENSEMBL}$",
    "symbol_ensembl": rf"^.+(?: ?\(|[_|:; ]){_ENSEMBL}\)?$",
    "ensembl_symbol": rf"^{_ENSEMBL}[_|:; ].+$",
    "symbol_entrez": r"^[^/]+(?: \(\d+\)|\|\d+|\.\.\d+\.)$",
    "several": r"^[^/]+(?: ?//+ ?[^/]+)+$",
    "excel_date": (
        rf"^(?:\d{{1,2}}-{_MONTH}|{_MONTH}-\d\d|\d{{1,2}}-{_MONTH}-\d{{2,4}}"
        r"|\d{1,2}/\d{1,2}/\d{2,4}|\d{4}-\d\d-\d\d.*)$"
    ),
    "non_gene": (
        r"^(?:ERCC[-_]\d{5}|AFFX[-_].*|__?(?:no_feature|ambiguous|too_low_aQual|not_aligned|alignment_not_unique)"
        r"|N_(?:unmapped|multimapping|noFeature|ambiguous)|(?:ADT|HTO)[-_].+|.+[-_](?:ADT|HTO|TotalSeq[A-D]?)"
        r"|(?i:hashtag).*|.+[-_. ]TotalSeq.*|(?i:anti)[-_ ].+|.+[-_. ](?:[Pp]rotein|[Pp]rot|[Aa]ntibody)"
        r"|.+[-_. ]s?g\d+|.+[-_.](?i:[acgt]{17,23})|sg[A-Z].*|.*(?i:sgRNA|gRNA|guide)[-_ ]?\d*|.+_[+-]_\d+\.\d+.*"
        rf"|{TOTAL}"
        r"|E?[GBY]FP|mCherry|tdTomato|d?Cas9.*)$"
    ),
    "probe": r"^(?:\d+(?:_[a-z])?_at|.+_[asx]_at|.+_at|ILMN_\d+|A_\d+_P\d+)$",
    "transcript": r"^ENS[A-Z]{0,4}[TPE]\d{11}(?:\.\d+)?$",
    "other_species": r"^ENS[A-Z]{3,4}G\d{11}(?:\.\d+)?$",
}  # fmt: skip
"""Patterns in the order in which they are tried; what matches none is a symbol."""

_HUMAN_GENOME = r"^(?i:GRCh3[678]|hg(?:18|19|38))_+"
_OTHER_GENOME = r"^(?i:GRCm3[789]|mm(?:8|9|10|39)|rn[4-7]|mRatBN7|dm[36]|danRer\d+|sacCer\d|ce1[01])_+"
"""What Cell Ranger puts before the genes of each genome where there are several: ``GRCh38_TP53``, ``mm10___Trp53``."""

_PAIRED = {
    "replogle": rf"^\d+_(?<symbol>[^_]+)_.+_(?<id>{_ENSEMBL})$",
    "symbol_ensembl": rf"^(?<symbol>.+?)(?: ?\(|[_|:; ])(?<id>{_ENSEMBL})\)?$",
    "ensembl_symbol": rf"^(?<id>{_ENSEMBL})[_|:; ](?<symbol>.+)$",
    "symbol_entrez": r"^(?<symbol>[^/]+?)(?: \(|\||\.\.)(?<id>\d+)[).]?$",
}
_RENAMED = {
    "replogle": "symbol_ensembl",
    "ensembl_symbol": "symbol_ensembl",
    "replogle_control": "control",
    "deprecated": "non_gene",
}
_IDS = ("ensembl", "entrez", "hgnc", "mouse_ensembl", "symbol_ensembl", "symbol_entrez")


def parse_notation(originals: pl.Series) -> pl.DataFrame:
    """Read each text as an identifier, a symbol, or both.

    Returns
    -------
    One row per text: ``id_kind``; ``id`` without version, ``_PAR_Y`` and decorations (null for symbols); ``symbol``
    (null for bare ids); ``normalised``, which of the two the text stands for.
    """
    text = pl.col("text")
    written = originals.cast(pl.String).str.strip_chars().str.replace(_HUMAN_GENOME, "")
    is_other = written.str.contains(_OTHER_GENOME).fill_null(value=False)
    rows = pl.DataFrame({"text": written.str.replace(_OTHER_GENOME, "")}).with_columns(notation=_notation())
    named = pl.lit(is_other) & (pl.col("notation") == "symbol")
    rows = rows.with_columns(pl.when(named).then(pl.lit("other_species")).otherwise("notation").alias("notation"))
    rows = _split_pairs(rows.with_row_index("row"))
    id_kind = pl.col("notation").replace(_RENAMED)
    return rows.select(
        id_kind=id_kind,
        id=pl.when(id_kind.is_in(_IDS)).then(_plain_id(pl.col("id"))),
        symbol=pl.when(id_kind == "symbol").then(text).otherwise(pl.col("symbol")),
        text=text,
    ).select("id_kind", "id", "symbol", pl.coalesce("id", "text").alias("normalised"))


@functools.cache
def _notation() -> pl.Expr:
    """Name the notation of a text."""
    text = pl.col("text")
    shapes = {"missing": text.is_null() | text.is_in(NO_VALUE), "control": text.is_in(CONTROL_LABELS)}
    shapes |= {name: text.str.contains(pattern) for name, pattern in NOTATIONS.items()}
    return pl.coalesce(*(pl.when(shape).then(pl.lit(name)) for name, shape in shapes.items()), pl.lit("symbol"))


def _split_pairs(rows: pl.DataFrame) -> pl.DataFrame:
    found = set(rows["notation"].unique())
    paired = [
        rows.filter(pl.col("notation") == notation)
        .select("row", pl.col("text").str.extract_groups(pattern))
        .unnest("text")
        for notation, pattern in _PAIRED.items()
        if notation in found
    ]
    if not paired:
        return rows.with_columns(symbol=pl.lit(None, pl.String), id=pl.col("text"))
    split = pl.concat([frame.select("row", "symbol", "id") for frame in paired])
    return rows.join(split, on="row", how="left", maintain_order="left").with_columns(
        pl.coalesce("id", "text").alias("id")
    )


def _plain_id(identifier: pl.Expr) -> pl.Expr:
    """Upper case, without version, ``_PAR_Y`` or prefix; ``ENSGR`` of the Y copies becomes ``ENSG0``."""
    return (
        identifier.str.to_uppercase()
        .str.replace(r"_PAR_Y$", "")
        .str.replace(r"^(?:ENTREZ|GENEID|NCBIGENE):", "")
        .str.replace(r"\.\d+$", "")
        .str.replace(r"^ENSGR", "ENSG0")
    )


def is_mouse_cased(symbol: pl.Expr) -> pl.Expr:
    """Whether a symbol is written as mouse symbols are: ``Trp53``, ``mt-Nd1``, ``0610005C13Rik``; not ``C1orf43``."""
    written = symbol.str.contains(r"^(?:[A-Z][a-z0-9]*[a-z][a-z0-9.-]*|mt-[A-Z][a-z0-9]*|[0-9A-Z]+Rik)$")
    return written & ~symbol.str.contains(r"^C(?:\d+|X|Y)orf\d")
