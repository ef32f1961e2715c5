"""Cells are read, refused and scored; undefined is counted, not 0."""

import json

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from cells import logged, write
from scipy import sparse

from featurestore.challenge import Cells, read_cells, score_cells
from featurestore.challenge.cells import as_cells
from featurestore.challenge.score import read_baseline
from featurestore.errors import MissingControlError, SourceFormatError, ValuesError


def test_score__counts_what_is_undefined_and_leaves_it_out_of_the_mean(answers):
    predicted, measured, _ = answers
    scores = score_cells(predicted, measured)
    table = scores.per_perturbation
    silent = table.filter(n_significant=0)
    assert silent.height == 1
    assert silent["overlap_at_n"].to_list() == [None]
    line = scores.summary.filter(metric="overlap_at_n")
    assert line["n_undefined"].item() == 1
    assert line["mean"].item() == pytest.approx(table["overlap_at_n"].drop_nulls().mean())


def test_score__of_the_measured_cells_themselves_is_the_best(answers):
    _, measured, _ = answers
    for protocol in ("2025", "2026"):
        scores = score_cells(measured, measured, protocol=protocol)
        for row in scores.summary.iter_rows(named=True):
            if row["metric"] not in {"expression_error", "ap_by_lfc", "roc_by_lfc"}:
                assert row["mean"] == pytest.approx(row["best"], abs=1e-9), row["metric"]


def test_score__of_counts_is_that_of_their_log1p_at_the_measured_median(answers):
    predicted, measured, _ = answers
    logs = [Cells(c.log1p(measured.size), c.labels, c.genes, c.control) for c in (predicted, measured)]
    a, b = score_cells(predicted, measured).means(), score_cells(*logs).means()
    assert a == pytest.approx(b, rel=1e-12)


def test_score__does_not_depend_on_the_order_of_cells(answers):
    predicted, measured, _ = answers
    order = np.random.default_rng(0).permutation(len(predicted.labels))
    shuffled = Cells(predicted.values[order], predicted.labels[order], predicted.genes)
    expected = score_cells(predicted, measured).means()
    assert score_cells(shuffled, measured).means() == pytest.approx(expected, rel=1e-9)


def test_score__is_written_and_read_as_a_baseline(answers, tmp_path):
    predicted, measured, _ = answers
    scores = score_cells(predicted, measured)
    scores.write(tmp_path / "scores")
    found = json.loads((tmp_path / "scores" / "scores.json").read_text())
    assert found["metrics"]["pds"]["n_undefined"] == 0
    assert (tmp_path / "scores" / "per_perturbation.csv").read_text().startswith("perturbation,n_cells_predicted")
    shares = scores.challenge(read_baseline(tmp_path / "scores"))
    assert shares["average"] == 0.0
    with pytest.raises(ValuesError, match=r"protocol of 2025"):
        score_cells(predicted, measured, protocol="2026").challenge({})
    with pytest.raises(SourceFormatError, match="no scores by the protocol"):
        read_baseline(tmp_path)


def test_challenge_score__of_cells_is_that_of_cell_eval(answers):
    predicted, measured, peers = answers
    theirs, n = peers["cell_eval"], len(measured.perturbations)
    names = {"mae_levels": "mae", "pds": "discrimination_score_l1", "overlap_at_n": "overlap_at_N"}
    baseline = {ours: theirs["baseline_means"][name] for ours, name in names.items()}
    baseline["pds"] = 1 - (1 - baseline["pds"]) * n / (n - 1)
    scores = score_cells(*(logged(cells, measured.size) for cells in (predicted, measured)))
    assert scores.challenge_means()["overlap_at_n"] == pytest.approx(theirs["means"]["overlap_at_N"], abs=1e-12)
    shares = scores.challenge(baseline)
    for ours, name in (names | {"average": "avg_score"}).items():
        assert shares[ours] == pytest.approx(theirs["score"][name], abs=1e-6), ours


def test_score__refuses_other_genes_other_perturbations_and_logs_by_the_protocol_of_2026(answers):
    predicted, measured, _ = answers
    other = Cells(predicted.values, predicted.labels, ("X", *predicted.genes[1:]))
    with pytest.raises(SourceFormatError, match=r"same genes(.|\n)*missing: G00000; unknown: X"):
        score_cells(other, measured)
    fewer = predicted.labels != "pool"
    other = Cells(predicted.values[fewer], predicted.labels[fewer], predicted.genes)
    with pytest.raises(SourceFormatError, match=r"same perturbations(.|\n)*missing: pool"):
        score_cells(other, measured)
    with pytest.raises(ValuesError, match="2026 scores counts"):
        score_cells(logged(predicted, 1e4), measured, protocol="2026")


def test_score__says_whose_own_targets_are_not_known_and_refuses_where_none_is(answers):
    predicted, measured, _ = answers
    assert score_cells(predicted, measured, protocol="2026").without_gene == ("pool",)
    guides = [
        Cells(c.values, np.where(c.labels == c.control, c.control, np.char.add(c.labels, "-1")), c.genes)
        for c in (predicted, measured)
    ]
    with pytest.raises(SourceFormatError, match="called like one of the genes"):
        score_cells(*guides, protocol="2026")
    assert len(score_cells(*guides, protocol="2025").without_gene) == len(measured.perturbations)


def test_score__leaves_own_targets_out_where_genes_are_ids_and_perturbations_symbols(answers):
    predicted, measured, _ = answers
    expected = score_cells(predicted, measured, protocol="2026")

    def with_ids(cells):
        ids = [f"ENSG{at:011d}" for at in range(len(cells.genes))]
        var = pd.DataFrame({"length": range(len(ids)), "gene_name": cells.genes}, index=ids)
        return as_cells(
            ad.AnnData(
                cells.values,
                pd.DataFrame({"target_gene": cells.labels}, index=[f"c{at}" for at in range(len(cells.labels))]),
                var,
            )
        )

    found = score_cells(with_ids(predicted), with_ids(measured), protocol="2026")
    assert found.without_gene == expected.without_gene
    assert found.means() == pytest.approx(expected.means(), nan_ok=True)


def test_cells__are_read_from_h5ad_and_faults_are_named(answers, tmp_path):
    _, measured, _ = answers
    write(measured, tmp_path / "cells.h5ad")
    found = read_cells(tmp_path / "cells.h5ad")
    np.testing.assert_array_equal(found.values.toarray(), measured.values.toarray())
    assert found.perturbations == measured.perturbations
    with pytest.raises(SourceFormatError, match=r"no column 'target'(.|\n)*did you mean 'target_gene'"):
        read_cells(tmp_path / "cells.h5ad", column="target")
    with pytest.raises(MissingControlError, match=r"'NTC' among(.|\n)*--control"):
        read_cells(tmp_path / "cells.h5ad", control="NTC")
    (tmp_path / "text.h5ad").write_text("no matrix")
    with pytest.raises(SourceFormatError, match="cannot be read"):
        read_cells(tmp_path / "text.h5ad")


def test_dense_cells__are_cells_too(answers, tmp_path):
    _, measured, _ = answers
    found = ad.AnnData(measured.values.toarray())
    found.obs_names = [str(i) for i in range(found.n_obs)]
    found.var_names = list(measured.genes)
    found.obs["target_gene"] = measured.labels
    found.write_h5ad(tmp_path / "dense.h5ad")
    np.testing.assert_array_equal(read_cells(tmp_path / "dense.h5ad").values.toarray(), measured.values.toarray())


@pytest.mark.parametrize("values", [[0.5, 20.0], [-1.0, 2.0], [np.nan, 1.0]], ids=["mixed", "negative", "missing"])
def test_values__that_are_neither_counts_nor_log1p_are_refused(values):
    cells = Cells(sparse.csr_array([values]), np.array(["non-targeting"]), ("a", "b"))
    with pytest.raises(ValuesError, match="neither counts nor log1p"):
        _ = cells.is_counts
