"""Numbers against exact arithmetic: sums in rationals, logarithms and signatures in 60 digits, bounds stated here.

Every cell's logarithm is kept in units of 2**-28, so a sum over n cells is off by n * 2**-29 at most, and by nothing
that depends on order, blocks, threads or files.
"""

from __future__ import annotations

import statistics
from fractions import Fraction

import mpmath
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from featurestore.errors import ValuesError
from featurestore.query.warehouse import Warehouse
from ingest.kernel import UNIT
from ingest.layouts import write_h5ad
from ingest.pipeline import ingest_dataset
from ingest.reader import INDEX, CscBlock, CsrBlock, DenseBlock
from ingest.signatures.contrast import Control, match, standard_error
from ingest.signatures.moments import Moments
from ingest.sums import accumulate as accumulating
from ingest.sums import group_sums
from ingest.sums.accumulate import accumulate
from ingest.sums.group_sums import GroupSums
from ingest.sums.values import ValueCheck

mpmath.mp.dps = 60
HALF_UNIT = 0.5 / UNIT
SLACK = 1.0 + 1e-3
"""Logarithms are taken in double precision, which adds a thousandth of a unit."""
LARGEST = 2**31


class InMemory:
    """A matrix given out in blocks of some rows, or of some genes."""

    path = "memory"

    def __init__(self, matrix: np.ndarray, layout: str = "dense", length: int = 5) -> None:
        self.matrix, self.layout, self.length = matrix, layout, length
        self.n_rows, self.n_genes = matrix.shape

    def blocks(self, block_bytes: int = 0):
        side = 1 if self.layout == "csc" else 0
        for start in range(0, self.matrix.shape[side], self.length):
            part = self.matrix[:, start : start + self.length].T if side else self.matrix[start : start + self.length]
            if self.layout == "dense":
                yield DenseBlock(start, part)
            else:
                major, minor = np.nonzero(part)
                indptr = np.searchsorted(major, np.arange(len(part) + 1))
                kind = CscBlock if side else CsrBlock
                yield kind(start, indptr, minor.astype(np.int32), np.ascontiguousarray(part[major, minor]))


def sums_of(matrix: np.ndarray, groups: np.ndarray, layout: str = "dense", length: int = 5) -> GroupSums:
    sums = GroupSums.zeros(int(groups.max()) + 1, matrix.shape[1], has_counts=True)
    reader = InMemory(matrix, layout, length)
    slots = np.arange(matrix.shape[1], dtype=np.int32)
    totals = np.zeros(len(matrix), np.float32)
    accumulate(
        reader, groups.astype(np.int32)[:, None], slots, sums, totals, ValueCheck("counts", reader.path), lambda _: None
    )
    return sums


def exact_logs(cell: np.ndarray) -> list[mpmath.mpf]:
    total = sum(int(value) for value in cell)
    logs = [Fraction(10_000 * int(value), total) if total else Fraction(0) for value in cell]
    return [mpmath.log1p(mpmath.mpf(each.numerator) / each.denominator) for each in logs]


COUNTS = st.one_of(st.just(0), st.integers(0, 5), st.integers(200, 300), st.integers(0, LARGEST))
MATRICES = st.lists(st.lists(COUNTS, min_size=3, max_size=3), min_size=1, max_size=12)


@settings(max_examples=60)
@given(cells=MATRICES, layout=st.sampled_from(["dense", "csr", "csc"]), length=st.integers(1, 13))
def test_sums__are_exact_to_half_a_unit_a_cell(cells, layout, length):
    matrix = np.array(cells, np.float64)
    sums = sums_of(matrix, np.zeros(len(matrix), int), layout, length)
    logs = [exact_logs(cell) for cell in matrix]
    for gene in range(3):
        assert int(sums.count[0, gene]) == sum(int(cell[gene]) for cell in cells)
        assert int(sums.expressing[0, gene]) == sum(cell[gene] > 0 for cell in cells)
        bound = len(cells) * HALF_UNIT * SLACK
        values = [each[gene] for each in logs]
        assert abs(mpmath.mpf(int(sums.log_sum[0, gene])) / UNIT - mpmath.fsum(values)) <= bound
        squares = mpmath.fsum(value**2 for value in values)
        assert abs(mpmath.mpf(int(sums.square_sum[0, gene])) / UNIT - squares) <= bound


def test_sums__of_a_thousand_million_counts_are_exact():
    n_cells = 60_000
    counts = np.random.default_rng(1).integers(15_000, 20_000, (n_cells, 2)).astype(np.float32)
    groups = np.zeros(n_cells, int)
    sums = sums_of(counts, groups, "dense", 7001)
    assert sums.count.sum() > 10**9
    assert sums.count[0].tolist() == [sum(int(value) for value in column) for column in counts.T]
    by_fsum = np.log1p(counts.astype(np.float64) / counts.sum(axis=1, keepdims=True, dtype=np.float64) * 1e4)
    for gene in range(2):
        whole = mpmath.fsum(mpmath.mpf(value) for value in by_fsum[:, gene])
        assert abs(mpmath.mpf(int(sums.log_sum[0, gene])) / UNIT - whole) <= n_cells * HALF_UNIT * SLACK


def test_sums__that_would_overflow_are_refused(monkeypatch):
    monkeypatch.setattr(group_sums, "OVERFLOW", 2**40)
    with pytest.raises(ValuesError, match="too large to be summed exactly"):
        sums_of(np.full((50, 1), 3.0), np.zeros(50, int))


@settings(max_examples=20)
@given(
    order=st.permutations(range(40)),
    cut=st.integers(0, 40),
    n_threads=st.integers(1, 7),
    layout=st.sampled_from(["dense", "csr", "csc"]),
    length=st.integers(1, 41),
)
def test_sums__are_the_same_for_any_order_split_threads_and_blocks(order, cut, n_threads, layout, length):
    matrix = np.random.default_rng(2).poisson(2.0, (40, 5)) * np.array([1, 1, 40, 1000, 10**6])
    matrix, groups = matrix.astype(np.float64), np.arange(40) % 3
    groups[:3] = [0, 1, 2]
    whole = sums_of(matrix, groups)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(accumulating, "N_CORES", n_threads)
        pieces = []
        for part in (order[:cut], order[cut:]):
            cells = groups[list(part)] if part else np.zeros(0, int)
            piece = GroupSums.zeros(3, 5, has_counts=True)
            reader = InMemory(matrix[list(part)], layout, length)
            slots = np.arange(5, dtype=np.int32)
            check = ValueCheck("counts", reader.path)
            totals = np.zeros(len(cells), np.float32)
            accumulate(reader, cells.astype(np.int32)[:, None], slots, piece, totals, check, lambda _: None)
            pieces.append(piece)
    merged = pieces[0] + pieces[1]
    for name in ("count", "log_sum", "square_sum", "expressing"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(merged, name))


def in_fixed_point(groups: list[list[float]]) -> Moments:
    """Moments of one gene as a release has them, from sums in units of 2**-28."""
    n = np.array([len(group) for group in groups], float)
    total = [[sum(int(value * UNIT + 0.5) for value in group) / UNIT] for group in groups]
    square = [[sum(int(value * value * UNIT + 0.5) for value in group) / UNIT] for group in groups]
    return Moments.from_sums(n, np.array(total), np.array(square))


def effect_and_error(treated: list[float], control: list[float]) -> tuple[float, float]:
    whole = in_fixed_point([control])
    reference = Control(whole, whole)
    matched = match(reference, np.array([[float(len(treated))]]))
    own = in_fixed_point([treated])
    return (own.mean - matched.mean).item(), standard_error(own, reference, matched).item()


EFFECTS = [1e-9, 1e-6, 1e-3, 0.1, 1.0, 5.0, 9.0]


@pytest.mark.parametrize("effect", EFFECTS)
@pytest.mark.parametrize(("n_treated", "n_control"), [(2, 2), (5, 40), (300, 1000)])
@pytest.mark.parametrize("spread", [1e-2, 0.3])
def test_effect__and_its_error_agree_with_60_digits(effect, n_treated, n_control, spread):
    rng = np.random.default_rng(n_control)
    groups = [np.abs(rng.normal(0.2, spread, n) + shift).tolist() for n, shift in ((n_treated, effect), (n_control, 0))]
    (mean, own), (other, within) = (
        (mpmath.fsum(group) / len(group), mpmath.mpf(statistics.variance(map(Fraction, group)))) for group in groups
    )
    error = mpmath.sqrt(max(own, within) / n_treated + within / n_control)
    found, found_error = effect_and_error(*groups)
    assert abs(found - (mean - other)) <= 2 * HALF_UNIT * SLACK + 1e-14
    assert abs(found_error / error - 1) < 1e-5


@settings(max_examples=200)
@given(
    value=st.floats(0.0, 9.2103),
    other=st.floats(0.0, 9.2103),
    n=st.integers(1, 300),
    n_control=st.integers(2, 300),
)
def test_error__is_none_where_nothing_varies(value, other, n, n_control):
    effect, error = effect_and_error([value] * n, [other] * n_control)
    assert abs(effect - (value - other)) <= 2 * HALF_UNIT * SLACK + 1e-14
    assert np.isnan(error)


@settings(max_examples=50)
@given(values=st.lists(st.floats(0.0, 9.2103), min_size=2, max_size=40))
def test_effect__of_identical_groups_is_none(values):
    assert effect_and_error(values, values)[0] == 0.0


def test_error__of_one_cell_is_that_of_a_control_cell():
    effect, error = effect_and_error([3.0], [1.0, 2.0, 3.0])
    assert effect == 1.0
    assert error == pytest.approx(np.sqrt(1.0 * (1 + 1 / 3)))


def test_release__is_the_same_for_any_split_of_files_and_order_of_rows(tmp_path):
    """The same cells in one file, in three, and shuffled: every table of the release is the same, digit by digit."""
    rng = np.random.default_rng(6)
    n, genes = 90, ["ENSG00000141510", "ENSG00000146648", "ENSG00000136997"]
    counts = rng.poisson(2.0, (n, 3)).astype(np.float32)
    counts[:, 2] = 7.0
    rows = pl.DataFrame(
        {
            INDEX: [f"c{at}" for at in range(n)],
            "gene": ["non-targeting", "TP53", "MYC"] * (n // 3 - 1) + ["non-targeting", "non-targeting", "EGFR"],
            "batch": [f"b{at // 3 % 2}" for at in range(n)],
        }
    )
    spec = (
        '[dataset]\nid = "same"\nfiles = ["x*.h5ad"]\nvalues = "counts"\nassay = "perturb_seq"\n[condition]\n'
        'perturbation = "gene"\nkind = "crispri"\ncontrols = ["non-targeting"]\ncontext = { value = "K562" }\n'
        'batch = "batch"\n'
    )
    shuffled = rng.permutation(n)
    ways = {"one": [np.arange(n)], "three": np.split(np.arange(n), [1, 50]), "shuffled": np.split(shuffled, [31])}
    tables: dict[str, list[pl.DataFrame]] = {}
    for name, parts in ways.items():
        folder = tmp_path / name
        folder.mkdir()
        (folder / "same.toml").write_text(spec)
        for at, part in enumerate(parts):
            layout = "csr" if at % 2 else "dense"
            write_h5ad(
                folder / f"x{at}.h5ad", counts[part], rows[part.tolist()], pl.DataFrame({INDEX: genes}), layout=layout
            )
        ingest_dataset(folder / "same.toml", folder / "warehouse")
        with Warehouse(folder / "warehouse") as store:
            views = ("condition", "statistics", "signature", "quality")
            tables[name] = [store.frame(f"select * from {view} order by all") for view in views]
    for name in ("three", "shuffled"):
        for left, right in zip(tables["one"], tables[name], strict=True):
            assert left.equals(right)
