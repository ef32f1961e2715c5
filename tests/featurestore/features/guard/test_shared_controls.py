"""Effects that were taken from the same control cells are caught under any name; other control cells are not."""

import numpy as np
import polars as pl
import pytest

from featurestore.errors import LeakageError
from featurestore.features.builder import build
from featurestore.features.plan import plan

N = 5
N_GENES = 30
CELLS = 400
ALLOW = """
[[allow]]
target = "target:CVCL_A"
source = "external:CVCL_A"
reason = "one set of controls is all there is"
"""


@pytest.fixture
def make_store(writer, make_condition):
    """Write two datasets of other perturbed cells, whose control cells express each gene as told."""
    rng = np.random.default_rng(11)

    def make_store(ours, theirs, cells=CELLS):
        for name, expressing, n in (("target", ours, CELLS), ("external", theirs, cells)):
            conditions = [make_condition(f"G{i}", "A", cells=100 + i) for i in range(N)]
            control = make_condition("control", "A", kind="control", genes=[], cells=n)
            effects = np.vstack([rng.normal(size=(N, N_GENES)), np.full(N_GENES, np.nan)])
            statistics = pl.DataFrame(
                {
                    "condition_index": np.full(N_GENES, N),
                    "gene_index": np.arange(N_GENES),
                    "n_expressing": expressing,
                }
            )
            writer.dataset(name, [*conditions, control], effects, statistics=statistics)
        return writer.open()

    return make_store


@pytest.fixture
def expressing():
    return np.random.default_rng(3).integers(40, 360, N_GENES)


def test_controls__the_same_cells_under_another_name_are_refused(make_store, make_spec, expressing):
    theirs = expressing.copy()
    theirs[0] += 1  # a gene that another annotation counts otherwise
    with make_store(expressing, theirs) as store:
        with pytest.raises(LeakageError, match="external/CVCL_A shares control cells with the target") as caught:
            build(store, make_spec())
        assert "400 cells each, and as many express 29 of 30 genes" in caught.value.got
        assert "[[allow]] target = 'target:CVCL_A', source = 'external:CVCL_A'" in caught.value.do


def test_controls__the_plan_withholds_the_source_and_says_why(make_store, make_spec, expressing):
    with make_store(expressing, expressing) as store:
        (row,) = plan(store, make_spec()).sources.iter_rows(named=True)
        assert row["withheld"] == "Source external/CVCL_A shares control cells with the target."


def test_controls__an_allowed_pair_is_built(make_store, make_spec, expressing):
    with make_store(expressing, expressing) as store:
        guard = build(store, make_spec(split=ALLOW)).manifest["guard"]
        assert guard["controls"] == [{"source": "signature/external/CVCL_A", "n_compared": 0, "n_shared": 0}]


def test_controls__other_cells_of_the_same_line_are_welcome(make_store, make_spec, expressing):
    rng = np.random.default_rng(4)
    ours, theirs = rng.binomial(CELLS, expressing / CELLS, (2, N_GENES))
    with make_store(ours, theirs) as store:
        guard = build(store, make_spec()).manifest["guard"]
        assert guard["controls"] == [{"source": "signature/external/CVCL_A", "n_compared": 1, "n_shared": 0}]


def test_controls__genes_that_all_or_no_cells_express_prove_nothing(make_store, make_spec):
    everywhere = np.where(np.arange(N_GENES) % 2, CELLS, 0)
    with make_store(everywhere, everywhere) as store:
        assert build(store, make_spec()).manifest["guard"]["controls"][0]["n_shared"] == 0


def test_controls__another_number_of_cells_is_not_compared(make_store, make_spec, expressing):
    with make_store(expressing, expressing, cells=CELLS - 30) as store:
        assert build(store, make_spec()).manifest["guard"]["controls"][0]["n_compared"] == 0
