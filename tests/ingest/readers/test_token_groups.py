"""Row groups of token lists read page by page: what Arrow reads of the same file, or nothing at all."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.readers.page_values import unsigned
from ingest.readers.token_columns import Names
from ingest.readers.token_groups import read_groups

PUBLISHED = (pa.int64(), pa.float32())
NAMES = Names("tokens", "counts")
N_GENES = 300
FIRST = 7
"""The token of the first gene; every tenth token is of none."""
POSITION = np.full(FIRST + N_GENES + 1, -1, np.int32)
KNOWN = np.array([token for token in range(FIRST, FIRST + N_GENES) if token % 10])
POSITION[KNOWN] = np.arange(KNOWN.size)


def cells(rng, n_cells, *, are_marked=False):
    """Draw distinct tokens of each cell, some of no gene, and their counts; a marker comes first."""
    tokens = [rng.permutation(FIRST + N_GENES + 40)[: rng.integers(1, 200)] for _ in range(n_cells)]
    counts = [rng.integers(1, 9, each.size) for each in tokens]
    if are_marked:
        counts = [np.append(-2, each[1:]) for each in counts]
    return tokens, counts


def write(path, tokens, counts, kinds=PUBLISHED, *, may_lack=True, **options):
    fields = [pa.list_(pa.field("item", kind, may_lack)) for kind in kinds]
    schema = pa.schema(
        [pa.field(name, kind, may_lack) for name, kind in zip(("tokens", "counts"), fields, strict=True)]
    )
    columns = [pa.array(list(map(list, each)), kind) for each, kind in zip((tokens, counts), fields, strict=True)]
    pq.write_table(pa.table(columns, schema=schema), path, **options)
    return path


def read(path, groups=None, start=0):
    metadata = pq.read_metadata(path)
    return read_groups(
        path, metadata, NAMES, list(range(metadata.num_row_groups)) if groups is None else groups, start, POSITION
    )


def expected(tokens, counts):
    """Work out by hand what is to be found: markers and unknown tokens are left out, and the latter counted."""
    rows, unknown = [], {}
    for token, count in zip(tokens, counts, strict=True):
        row = []
        for k, (t, c) in enumerate(zip(token.tolist(), count.tolist(), strict=True)):
            if k == 0 and c < 0:
                continue
            gene = POSITION[t] if t < POSITION.size else -1
            if gene < 0:
                unknown[t] = unknown.get(t, 0) + 1
            else:
                row.append((int(gene), c))
        rows.append(row)
    return rows, unknown


def rows_of(placed):
    _, indptr, genes, values, _ = placed
    pairs = list(zip(genes.tolist(), values.tolist(), strict=True))
    return [pairs[begin:end] for begin, end in pairwise(indptr)]


@pytest.mark.parametrize(
    ("content", "stop", "expected"),
    [
        ([0], 1, (0, 1)),
        ([127, 1], 2, (127, 1)),
        ([0xAC, 0x02], 2, (300, 2)),
        ([0xFF, 0xFF, 0xFF, 0xFF, 0x7F], 5, (2**35 - 1, 5)),
        ([0xAC, 0x02], 1, (-1, 0)),
        ([], 0, (-1, 0)),
        ([0x80] * 5 + [0x01], 6, (-1, 0)),
    ],
)
def test_number__of_seven_bits_a_byte_ends_or_is_none(content, stop, expected):
    assert unsigned(np.array(content, np.uint8), 0, stop) == expected


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 1000),
    n_cells=st.integers(1, 40),
    row_group_size=st.integers(1, 50),
    compression=st.sampled_from(["snappy", "zstd", "gzip", "none"]),
    data_page_size=st.sampled_from([50, 1000, 2**20]),
    kinds=st.sampled_from([(pa.int64(), pa.float32()), (pa.int32(), pa.int64()), (pa.uint16(), pa.float64())]),
    are_marked=st.booleans(),
    may_lack=st.booleans(),
)
def test_groups__hold_what_was_written(
    tmp_path_factory, seed, n_cells, row_group_size, compression, data_page_size, kinds, are_marked, may_lack
):
    tokens, counts = cells(np.random.default_rng(seed), n_cells, are_marked=are_marked)
    path = tmp_path_factory.mktemp("groups") / "x.parquet"
    options = {"row_group_size": row_group_size, "compression": compression, "data_page_size": data_page_size}
    write(path, tokens, counts, kinds, may_lack=may_lack, write_batch_size=16, **options)
    placed = read(path)
    assert placed is not None
    rows, unknown = expected(tokens, counts)
    assert rows_of(placed) == rows
    assert placed[4] == unknown
    assert (placed[2].dtype, placed[3].dtype) == (np.int32, kinds[1].to_pandas_dtype())


def test_groups__some_of_them_begin_at_their_first_cell(tmp_path):
    tokens, counts = cells(np.random.default_rng(0), 30)
    placed = read(write(tmp_path / "x.parquet", tokens, counts, row_group_size=10), groups=[1, 2], start=10)
    assert placed[0] == 10
    assert rows_of(placed) == expected(tokens[10:], counts[10:])[0]


@pytest.mark.parametrize(
    ("tokens", "counts", "options"),
    [
        ([[8, 9], []], [[1, 2], []], {}),
        ([[8, 9], None], [[1, 2], None], {}),
        ([[8, None]], [[1, 2]], {}),
        ([[8, 9], [8]], [[1, 2, 3], [1]], {}),
        ([[8, 9], [8]], [[1], [1, 2]], {}),
        ([[8, 9, 8]], [[1, 2, 3]], {}),
        ([[8, 9]], [[1, 2]], {"use_dictionary": False}),
        ([[8, 9]], [[1, 2]], {"data_page_version": "2.0"}),
        (
            [[token] for token in range(FIRST, FIRST + 200)],
            [[1]] * 200,
            {"dictionary_pagesize_limit": 8, "write_batch_size": 8},
        ),
    ],
)
def test_groups__of_another_kind_are_left_to_arrow(tmp_path, tokens, counts, options):
    path = tmp_path / "x.parquet"
    kinds = [pa.list_(kind) for kind in (pa.int64(), pa.float32())]
    columns = [pa.array(each, kind) for each, kind in zip((tokens, counts), kinds, strict=True)]
    pq.write_table(pa.table(columns, names=["tokens", "counts"]), path, **options)
    assert read(path) is None


def test_groups__lists_of_one_length_are_left_to_arrow(tmp_path):
    path = tmp_path / "x.parquet"
    lists = [pa.array([[8, 9], [8, 0]], pa.list_(kind, 2)) for kind in (pa.int64(), pa.float32())]
    pq.write_table(pa.table(lists, names=["tokens", "counts"]), path)
    assert read(path) is None


@pytest.mark.parametrize("compression", ["snappy", "none"])
def test_groups__damaged_bytes_give_cells_of_known_genes_or_nothing(tmp_path, compression):
    tokens, counts = cells(np.random.default_rng(1), 12)
    path = write(
        tmp_path / "x.parquet", tokens, counts, compression=compression, data_page_size=200, write_batch_size=16
    )
    whole, metadata = path.read_bytes(), pq.read_metadata(path)
    end = metadata.row_group(0).column(1).dictionary_page_offset + metadata.row_group(0).column(1).total_compressed_size
    rng, n_left = np.random.default_rng(2), 0
    for place in rng.integers(4, end, 400):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << rng.integers(8)
        path.write_bytes(damaged)
        placed = read_groups(path, metadata, NAMES, [0], 0, POSITION)
        n_left += placed is None
        if placed is not None:
            _, indptr, genes, _, _ = placed
            assert indptr[0] == 0
            assert (np.diff(indptr) >= 0).all()
            assert genes.size == 0 or (genes.min() >= 0 and genes.max() < KNOWN.size)
    assert n_left
    path.write_bytes(whole[: end // 2])
    assert read_groups(path, metadata, NAMES, [0], 0, POSITION) is None
