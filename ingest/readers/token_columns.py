"""Columns of token lists in Parquet: which hold a cell's tokens, its values and its key, and how their lists lie.

Publishers' own names are known; of others, those that the field uses. Anything else is named under ``[tokens]``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from featurestore.errors import SourceFormatError, did_you_mean
from ingest.reader import Integers

TOKENS = ("input_ids", "token_ids", "tokens", "gene_tokens", "gene_ids", "gene_id", "genes", "gene_symbols", "features")
VALUES = ("counts", "values", "expressions", "expression", "expr", "umi_counts", "gene_counts", "data")
KEYS = ("cell_id", "barcode", "cell_barcode", "cell", "obs_id", "index", "soma_joinid")
"""What others call a cell's tokens, its values and its key."""
HUGGING_FACE = b"huggingface"
"""Where the library datasets keeps what its columns are, in the schema of a file."""


@dataclass(frozen=True, slots=True)
class Names:
    """What a publisher calls the columns: a cell's tokens, its values, its key, and the vocabulary's tokens.

    ``key`` is None where cells have none. ``vocabulary`` is the table of tokens, None where it is found by its usual
    name; ``are_genes`` says that tokens are identifiers of genes themselves. ``is_published`` tells a publisher's own.
    """

    tokens: str
    values: str
    key: str | None = None
    token: str | None = None
    vocabulary: str | None = None
    are_genes: bool = False
    is_published: bool = False

    @property
    def of_cells(self) -> set[str]:
        """The columns that a file of cells has to have."""
        return {self.tokens, self.values} | ({self.key} if self.key is not None else set())


PUBLISHED = (
    Names("genes", "expressions", "BARCODE_SUB_LIB_ID", "token_id", is_published=True),
    Names("gene_token_id", "gene_expression", "cell_barcode", "gene_token_id", is_published=True),
)


def are_lists_of_tokens(schema: pa.Schema) -> bool:
    """Say whether a file has a list of whole numbers or text for each row, and another of numbers."""
    tokens = [field.name for field in schema if _is_list(field.type, _is_token)]
    values = [field.name for field in schema if _is_list(field.type, is_number)]
    return bool(tokens) and len({*tokens, *values}) > 1 and bool(values)


def find_names(schema: pa.Schema, given: Mapping[str, Any] | None, path: Path) -> Names:
    """Find the columns of tokens and values, as given, as published, or as the field calls them.

    Raises
    ------
    SourceFormatError
        A column is not there, there twice, or no list; or nothing tells which is which.
    """
    names = _named(schema, given, path) if given else _known(schema)
    if names is None:
        lists = [field.name for field in schema if pa.types.is_nested(field.type)]
        raise SourceFormatError(
            "which column holds the tokens of a cell, and which their values, is not known",
            where=str(path),
            expected=" or ".join(", ".join(sorted(names.of_cells)) for names in PUBLISHED),
            got=f"lists {', '.join(lists)}" if lists else f"columns {', '.join(schema.names)}",
            do='name them in the spec: tokens = "...", values = "..." and key = "..." under [tokens]',
        )
    _require_once(names, schema, path)
    for name, is_item in ((names.tokens, _is_token), (names.values, is_number)):
        kind = schema.field(name).type
        if not _is_list(kind, is_item):
            raise SourceFormatError(f"column '{name}' does not hold lists of numbers", where=str(path), got=str(kind))
    return names


def has_text(schema: pa.Schema, name: str) -> bool:
    """Say whether the tokens are text: identifiers of genes."""
    return bool(_is_text(schema.field(name).type.value_type))


def taken_apart(column: pa.Array) -> tuple[Integers, pa.Array]:
    """Give where each list begins in the items of all, and the items; lists of one length are taken apart too."""
    if pa.types.is_fixed_size_list(column.type):
        length = column.type.list_size
        starts = np.arange(len(column) + 1, dtype=np.int64) * length
        return starts, column.values.slice(column.offset * length, int(starts[-1]))
    starts = column.offsets.to_numpy().astype(np.int64)
    return starts - starts[0], column.values.slice(starts[0], starts[-1] - starts[0])


def class_labels(schema: pa.Schema) -> dict[str, list[str]]:
    """Read the names of labels that are stored as numbers, by the library datasets; none where it gave them none."""
    try:
        features = json.loads((schema.metadata or {}).get(HUGGING_FACE, b"{}"))["info"]["features"]
        labels = {name: each["names"] for name, each in features.items() if each.get("_type") == "ClassLabel"}
    except (KeyError, TypeError, AttributeError, ValueError):
        return {}
    return {name: [str(label) for label in names] for name, names in labels.items() if isinstance(names, list)}


def named_labels(column: pl.Series, names: list[str], place: str) -> pl.Series:
    """Write labels by their names; -1 is missing.

    Raises
    ------
    SourceFormatError
        A number has no name.
    """
    present = column.drop_nulls()
    if not column.dtype.is_integer() or present.is_empty():
        return column
    if int(present.min()) < -1 or int(present.max()) >= len(names):  # type: ignore[arg-type]
        raise SourceFormatError(
            f"labels of '{column.name}' have no name",
            where=place,
            expected=f"numbers from 0 to {len(names) - 1}, by the names in the file's schema",
            got=f"{present.min()!r} to {present.max()!r}",
            do="write the file again with all names",
        )
    codes = column.cast(pl.Int64)
    return pl.Series(column.name, names, dtype=pl.String).gather(codes.set(codes < 0, None))


def places_of(tokens: pa.Array, genes: pl.Series) -> Integers:
    """Give the place of tokens among the genes; one past the last where they are none of them."""
    import pyarrow.compute as pc  # noqa: PLC0415, every ingest imports the readers, and few need it

    found = pc.index_in(tokens.cast(pa.large_string()), value_set=genes.to_arrow().cast(pa.large_string()))
    return np.asarray(found.fill_null(genes.len()).to_numpy(zero_copy_only=False), np.int64)


def _named(schema: pa.Schema, given: Mapping[str, Any], path: Path) -> Names:
    for key in ("tokens", "values", "key"):
        if given.get(key) is not None and given[key] not in schema.names:
            raise SourceFormatError(
                f"there is no column '{given[key]}'",
                where=f"{path}, {key} under [tokens]",
                do=did_you_mean(given[key], schema.names),
            )
    return Names(**{key: value for key, value in given.items() if value is not None})


def _known(schema: pa.Schema) -> Names | None:
    published = next((names for names in PUBLISHED if names.of_cells <= set(schema.names)), None)
    if published is not None:
        return published
    named = {field.name.lower(): field for field in schema}
    tokens = [named[word].name for word in TOKENS if word in named and _is_list(named[word].type, _is_token)]
    values = [named[word].name for word in VALUES if word in named and _is_list(named[word].type, is_number)]
    keys = [named[word].name for word in KEYS if word in named and not pa.types.is_nested(named[word].type)]
    return Names(tokens[0], values[0], next(iter(keys), None)) if tokens and values else None


def _require_once(names: Names, schema: pa.Schema, path: Path) -> None:
    twice = sorted(name for name in names.of_cells if schema.names.count(name) > 1)
    if twice:
        raise SourceFormatError(
            f"column '{twice[0]}' is there more than once",
            where=str(path),
            expected="one column of each name",
            got=f"{schema.names.count(twice[0])} columns '{twice[0]}'",
            do="write the file anew without the others",
        )


def _is_list(kind: pa.DataType, is_item: Any) -> bool:
    is_one = pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    return bool(is_one and is_item(kind.value_type))


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _is_token(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind)) or _is_text(kind)


def is_number(kind: pa.DataType) -> bool:
    """Say whether values of a type are numbers."""
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))
