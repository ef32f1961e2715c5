"""Which columns of a published result are its genes, effects and statistics: by their names, and by their numbers.

A name alone is not believed: a statistic has the sign of its effect or is none of it, a p-value lies between 0 and 1,
what is a fixed multiple of the p-value is Bonferroni's, and a fold change that is never below 0 is a ratio.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import polars as pl

from ingest.harmonise.genes import detect_kind, map_genes
from ingest.inspection.columns import ColumnSummary
from ingest.inspection.known import plain, rank
from ingest.inspection.known_results import (
    CORRECTED,
    EFFECTS,
    GENES,
    NATURAL,
    OF_LOGARITHMS,
    PROBABILITIES,
    RATIOS,
    STATISTICS,
    TOOLS,
)
from ingest.inspection.probabilities import find_probabilities
from ingest.inspection.roles import HALF
from ingest.inspection.values import Values
from ingest.readers.long_text import quoted_name

FEWEST_A_GENE = 1.2
"""How often a gene is listed at least, on average."""
ONE_SIGN = 0.99
SAME_RATIO = 1e-4
FEWEST_RATIOS = 3
LOG2 = "log2_fold_change"
CALLED = "the column is called '{}'"


@dataclass(frozen=True, slots=True)
class Remark:
    """What is said beside a line of a draft, and whether the line is no more than a guess."""

    text: str
    is_doubtful: bool = False


@dataclass(frozen=True, slots=True)
class ResultColumns:
    """The columns of a result.

    Parameters
    ----------
    table
        By what ``[table]`` calls them: a column, or SQL over one.
    used
        The columns that these are.
    values
        What the effects are.
    remarks
        What is to be said of a key of the table, also of one that it lacks.
    tool
        What wrote it, as far as the names of its columns tell.
    """

    table: dict[str, str]
    used: frozenset[str]
    values: Values
    remarks: dict[str, Remark]
    tool: str | None

    def turned(self, named: str) -> ResultColumns:
        """Turn effects round that are of a contrast named the other way round."""
        told = f"turned round: '{named}' is named after the control against what was perturbed"
        signed = {key: self.table[key] for key in ("effect", "z") if key in self.table}
        table = self.table | {key: f"-({text})" if text not in self.used else f"-{quoted_name(text)}"
                              for key, text in signed.items()}  # fmt: skip
        said = [self.remarks["effect"].text] if "effect" in self.remarks else []
        effect = Remark("; ".join([*said, told]), is_doubtful=True)
        return replace(self, table=table, remarks=self.remarks | ({"effect": effect} if "effect" in table else {}))


def find_columns(lines: pl.DataFrame, columns: Mapping[str, ColumnSummary]) -> ResultColumns | None:
    """Find what a result has: genes, and an effect or a p-value; None where this is none.

    Parameters
    ----------
    lines
        The first lines.
    columns
        Their columns, summarised.
    """
    plains = {plain(name) for name in columns}
    tool = next((tool for tool, names in TOOLS.items() if names <= plains), None)
    effect = _effect(columns)
    probabilities = find_probabilities(columns, lines)
    believed = {key: each for key, each in probabilities.items() if each.values is not None}
    if effect is None and not believed:
        return None
    kind, score = EFFECTS[plain(effect)] if effect is not None else (None, 0.0)
    gene = _gene(columns, is_result=bool(believed) or (kind not in {None, "de_call"} and _has_contrasts(columns)))
    if gene is None or gene == effect:
        return None
    used, remarks = {"gene": gene}, dict[str, Remark]()
    table = {"gene": gene}
    if effect is not None:
        used["effect"] = effect
        table["effect"], remarks["effect"] = _scaled(effect, lines, tool)
    for key, names in STATISTICS.items():
        found = None if key in PROBABILITIES else _named(columns, names)
        if found is not None:
            used[key] = table[key] = found
    for key, each in probabilities.items():
        if each.text is not None:
            used[key], table[key] = each.name, each.text
        remarks[key] = Remark(each.told, each.is_doubtful)
    p_values = [each.values.alias(each.name) for each in believed.values() if each.values is not None]
    remarks |= _disbelieved(table, used, columns, lines.with_columns(p_values), tool)
    if kind is not None:
        of_tool = f", and its columns are those of {tool}" if tool is not None else ""
        values = Values(kind, max(score, 0.9) if tool else score, (CALLED.format(effect) + of_tool,))
    else:
        values = Values(None, 0.0, ("p-values of genes; no column is known to be the effect",))
    return ResultColumns(table, frozenset(used.values()), values, {k: r for k, r in remarks.items() if r.text}, tool)


def _scaled(name: str, lines: pl.DataFrame, tool: str | None) -> tuple[str, Remark]:
    """Bring an effect to log2, by its name and by what its numbers can be."""
    number = quoted_name(name)
    if plain(name) in NATURAL or tool == OF_LOGARITHMS:
        of = "presto's, where its matrix was" if tool == OF_LOGARITHMS else "Seurat's before version 4"
        return f"{number} / ln(2)", Remark(f"natural logarithms, as {of}", is_doubtful=True)
    values = lines[name].cast(pl.Float64, strict=False).drop_nulls()
    if plain(name) not in RATIOS:
        is_one_sided = len(values) >= FEWEST_RATIOS and EFFECTS[plain(name)][0] == LOG2 and (values >= 0).all()
        told = "never below 0, though called a logarithm: a ratio, or genes that rise alone" if is_one_sided else ""
        return name, Remark(told, is_doubtful=bool(told))
    if (values >= 0).all():
        is_ratio = _is_one_more_than_a_change(name, lines)
        told = "1 more than percent_change" if is_ratio else "never below 0"
        remark = Remark(f"a ratio, for it is {told}; its logarithm is the effect", is_doubtful=not is_ratio)
        return f"log2(nullif({number}, 0))", remark
    if (values.abs() >= 1).all():
        told = "ratios, those below 1 as the negative of their inverse: none lies between -1 and 1"
        return f"sign({number}) * log2(abs({number}))", Remark(told, is_doubtful=True)
    told = "called a fold change, but some lie between -1 and 0: logarithms; to which base, it is not said"
    return name, Remark(told, is_doubtful=True)


def _is_one_more_than_a_change(name: str, lines: pl.DataFrame) -> bool:
    change = next((each for each in lines.columns if plain(each) == "percent_change"), None)
    return change is not None and bool(
        lines.select((pl.col(name) - pl.col(change) - 1).abs().max() < SAME_RATIO).item()
    )


def _disbelieved(
    table: dict[str, str],
    used: dict[str, str],
    columns: Mapping[str, ColumnSummary],
    lines: pl.DataFrame,
    tool: str | None,
) -> dict[str, Remark]:
    """Take out of a table what its numbers belie; say what was taken out, and why."""
    remarks = {}
    if "z" in used and "effect" in used and not _have_one_sign(lines, used["effect"], used["z"]):
        remarks["z"] = Remark(f"'{used['z']}' has not the sign of the effect: it is no z")
        del table["z"], used["z"]
    corrected = used.get("q_value") or next((name for name in columns if CORRECTED.search(plain(name))), None)
    why = _corrected(corrected, used.get("p_value"), lines, tool) if corrected is not None else ""
    if why:
        text = table.pop("q_value", corrected)
        rate = f"to count genes by it nevertheless: q_value = {text!r}"
        remarks["q_value"] = Remark(f"'{corrected}' is {why}, which is not the false discovery rate; {rate}")
    return remarks


def _corrected(name: str, p_value: str | None, lines: pl.DataFrame, tool: str | None) -> str:
    """Say how a column is corrected for the chance of a single false positive; nothing where it is not."""
    if CORRECTED.search(plain(name)):
        return "corrected for the chance of a single false positive, as its name says"
    if tool == "Seurat" and plain(name) == "p_val_adj":
        return "Bonferroni's, as Seurat writes it"
    if p_value is None or lines[name].dtype == pl.String:
        return ""
    p, q = pl.col(p_value).cast(pl.Float64), pl.col(name).cast(pl.Float64)
    ratios = lines.filter(p > 0, q > 0, q < 1).select(p=p, ratio=q / p)
    low, high = ratios["ratio"].min(), ratios["ratio"].max()
    if ratios["p"].n_unique() < FEWEST_RATIOS or not isinstance(low, float) or not isinstance(high, float):
        return ""
    is_fixed = low > 1 + SAME_RATIO and high - low <= SAME_RATIO * high
    return f"Bonferroni's: {low:,.0f} times '{p_value}' in every row" if is_fixed else ""


def _have_one_sign(lines: pl.DataFrame, effect: str, statistic: str) -> bool:
    both = lines.select(pl.col(effect, statistic).cast(pl.Float64, strict=False).sign()).drop_nulls()
    told = both.filter(pl.all_horizontal(pl.all() != 0))
    return (told[effect] == told[statistic]).sum() >= ONE_SIGN * told.height


def _gene(columns: Mapping[str, ColumnSummary], *, is_result: bool) -> str | None:
    """Find the column of genes, the best named first; in what may be no result they are listed again and again."""
    named = sorted((GENES.index(plain(name)), name) for name in columns if plain(name) in GENES)
    for _, name in named:
        column = columns[name]
        is_listed = column.n_rows - column.n_missing > FEWEST_A_GENE * column.n_labels
        if (is_listed or is_result) and (column.gene_share > HALF or _are_entrez(column)):
            return name
    return None


def _are_entrez(column: ColumnSummary) -> bool:
    """Say whether a column of whole numbers is Entrez ids, and no numbering of lines."""
    if not column.dtype.is_integer() or detect_kind(column.labels["label"]).kind != "entrez":
        return False
    table = map_genes(column.labels["label"], kind="entrez").table
    return table["gene_id"].null_count() <= (1 - HALF) * table.height


def _has_contrasts(columns: Mapping[str, ColumnSummary]) -> bool:
    """Say whether there is a column of perturbations, each in several lines."""
    return any(
        column.is_text and column.n_labels < column.n_rows - column.n_missing
        for name, column in columns.items()
        if plain(name) not in GENES and rank(name, "perturbation") is not None
    )


def _effect(columns: Mapping[str, ColumnSummary]) -> str | None:
    order = list(EFFECTS)
    found = sorted((order.index(plain(name)), name) for name in columns if plain(name) in EFFECTS)
    return found[0][1] if found else None


def _named(columns: Mapping[str, ColumnSummary], known: tuple[str, ...]) -> str | None:
    found = sorted((known.index(plain(name)), name) for name in columns if plain(name) in known)
    return next((name for _, name in found if not columns[name].is_text), None)
