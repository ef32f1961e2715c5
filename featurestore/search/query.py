"""What is searched for: a signature with values, or one or two sets of genes."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl

from featurestore.errors import QueryError, first_of
from featurestore.features.effects.similarity import FEWEST_GENES, Rows, encoded
from featurestore.features.identifiers import harmonise
from featurestore.gene_sets import read_gmt, read_names
from featurestore.search.block import SignatureBlock

if TYPE_CHECKING:
    from featurestore.query.warehouse import Warehouse

MOST_IN_SET = 150
"""Genes of a set that is cut from a signature, as CMap takes; of few genes, one in :data:`_SHARE_IN_SET`."""
_SHARE_IN_SET = 20
_SET_OF_GMT = ".gmt:"
"""What stands between a file and the name of one of its sets."""
GeneNames: TypeAlias = "str | Path | Sequence[str]"
Key: TypeAlias = tuple[str, str]


@dataclass(frozen=True)
class Query:
    """A question: which signatures are like this one.

    Parameters
    ----------
    name
        What it is called in the answer.
    genes, values
        gene_ids in order, and a value for each; of sets, 1 for a gene that goes up and -1 for one that goes down.
    is_sets
        Whether genes that are not named did not change, rather than were not measured.
    own
        dataset_id and condition_id of the conditions it is made of, which are not searched.
    unknown
        Genes that were given and are none of the warehouse's, or could be several.
    """

    name: str
    genes: npt.NDArray[np.str_]
    values: Rows
    is_sets: bool = False
    own: frozenset[Key] = frozenset()
    unknown: tuple[str, ...] = field(default=())

    def on(self, block: SignatureBlock) -> Rows:
        """Return the values for the genes of a block, encoded."""
        at = block.columns_of(self.genes)
        found = np.full(len(block.genes), 0.0 if self.is_sets else np.nan)
        found[at[at >= 0]] = self.values[at >= 0]
        return encoded(found)

    def members(self, block: SignatureBlock) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        """Return the columns of a block that are in the up set and in the down set; of a signature, its extremes."""
        at = block.columns_of(self.genes)
        columns, values = at[at >= 0], self.values[at >= 0]
        if self.is_sets:
            return columns[values > 0], columns[values < 0]
        order = np.argsort(-values, kind="stable")
        n = min(MOST_IN_SET, max(FEWEST_GENES, len(order) // _SHARE_IN_SET), len(order) // 2)
        up, down = order[:n], order[len(order) - n :]
        return columns[up[values[up] > 0]], columns[down[values[down] < 0]]


def set_query(warehouse: Warehouse, up: GeneNames | None, down: GeneNames | None, name: str = "") -> Query:
    """Make a query of genes that go up and genes that go down, of any identifiers.

    Raises
    ------
    QueryError
        No gene is known, or one is in both.
    """
    sides = [gene_names(up), gene_names(down)]
    ledger = harmonise(warehouse, [*sides[0], *sides[1]])
    sign = np.repeat(np.array([1.0, -1.0]), [len(side) for side in sides])
    frame = ledger.with_columns(value=pl.Series(sign))
    both = frame.filter(_is_gene()).group_by("target_id").agg(pl.col("value").n_unique(), pl.col("original").first())
    if (both["value"] > 1).any():
        names = first_of(both.filter(pl.col("value") > 1)["original"].sort().to_list())
        raise QueryError("A gene is in both sets.", got=names, do="leave it out of one")
    return _of_ledger(frame, name or "sets", is_sets=True)


def signature_query(warehouse: Warehouse, genes: Sequence[str], values: npt.ArrayLike, name: str = "") -> Query:
    """Make a query of a value for each gene, of any identifiers; of genes that are named twice, the mean.

    Raises
    ------
    QueryError
        There is not one value for each gene, or no gene is known.
    """
    numbers = np.asarray(values, np.float64).ravel()
    if len(numbers) != len(genes):
        raise QueryError(
            "A signature needs one value for each gene.", expected=f"{len(genes):,} values", got=f"{len(numbers):,}"
        )
    frame = harmonise(warehouse, list(map(str, genes))).with_columns(value=pl.Series(numbers))
    frame = frame.filter(pl.col("value").is_finite())
    return _of_ledger(frame, name or "signature", is_sets=False)


def combined_query(blocks: Collection[SignatureBlock], own: Collection[Key], name: str) -> Query:
    """Make a query of conditions of the warehouse: the mean of their prepared signatures, gene by gene.

    Raises
    ------
    QueryError
        None of them has a signature.
    """
    wanted = pl.DataFrame(sorted(own), schema=["dataset_id", "condition_id"], orient="row")
    parts = []
    for block in blocks:
        at = block.conditions.with_row_index("at").join(wanted, on=["dataset_id", "condition_id"], how="semi")["at"]
        rows = block.rows[at.to_numpy()]
        if rows.size:
            n = (rows != 0).sum(axis=0)
            parts.append(pl.DataFrame({"gene": block.genes, "total": rows.sum(axis=0, dtype=np.float64), "n": n}))
    if not parts:
        raise QueryError(f"There is no signature of {name}.", do="see quality.reason of its conditions")
    total = pl.concat(parts).group_by("gene").sum().filter(pl.col("n") > 0).sort("gene")
    values = encoded((total["total"] / total["n"]).to_numpy())
    return Query(name, total["gene"].to_numpy().astype(np.str_), values, own=frozenset(own))


def gene_names(given: GeneNames | None) -> list[str]:
    """Read a list of genes: names, ``A,B,C``, a file of one a line, or a set of a GMT file, ``FILE.gmt:NAME``.

    A GMT file of one set needs no name.

    Raises
    ------
    QueryError
        A file of that name cannot be read, or has no such set.
    """
    if given is None:
        return []
    if not isinstance(given, str | Path):
        return [name for name in map(str.strip, map(str, given)) if name]
    file, mark, name = str(given).partition(_SET_OF_GMT)
    file += mark[:-1]
    path = Path(file)
    is_named_as_file = isinstance(given, Path) or bool(mark) or ("," not in file and path.suffix[1:].isalpha())
    if not is_named_as_file and not os.path.isfile(file):  # noqa: PTH113, a long list is no error to it
        return [name for name in map(str.strip, file.split(",")) if name]
    if path.suffix.lower() == ".gmt":
        return _set_of_gmt(read_gmt(path), name, where=file)
    return read_names(path)


def _set_of_gmt(sets: Mapping[str, Sequence[str]], name: str, where: str) -> list[str]:
    if not name and len(sets) != 1:
        got, do = f"{len(sets)} sets, such as {first_of(sorted(sets))}", f"name one: {where}:NAME"
        raise QueryError("A GMT file holds several sets, or none.", where=where, got=got, do=do)
    if name and name not in sets:
        raise QueryError(f"There is no set '{name}'.", where=where, got=first_of(sorted(sets)))
    return list(sets[name] if name else next(iter(sets.values())))


def _is_gene() -> pl.Expr:
    return pl.col("target_id").is_not_null() & (pl.col("entity") == "gene")


def _of_ledger(frame: pl.DataFrame, name: str, *, is_sets: bool) -> Query:
    unknown = frame.filter(~_is_gene().fill_null(value=False))["original"].to_list()
    known = frame.filter(_is_gene()).group_by(gene="target_id").agg(pl.col("value").mean()).sort("gene")
    if known.is_empty():
        raise QueryError(
            "None of the genes is known to the warehouse.",
            got=first_of(unknown) or "none",
            do="see what became of them: featurestore genes FILE",
        )
    values = encoded(known["value"].to_numpy())
    return Query(name, known["gene"].to_numpy().astype(np.str_), values, is_sets=is_sets, unknown=tuple(unknown))
