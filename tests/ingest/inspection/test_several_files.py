"""Datasets of several files, and labels that mean no gene: what is not the same everywhere is refused or asked."""

from __future__ import annotations

from contextlib import closing
from functools import partial

import numpy as np
import polars as pl
import pytest
from drafting import drafted, ingested, plain

from featurestore.errors import SpecError
from featurestore.query.warehouse import Warehouse
from ingest.inspection.sample import take_sample
from ingest.layouts import write_h5ad
from ingest.readers.open import open_source
from layouts.gct import write_gct
from layouts.mtx import write_10x
from layouts.tables import write_wide
from layouts.tenx import write_10x_h5

GENES = ["TP53", "MYC", "ABL1", "STAT1", "TYK2", "ISG15", "GAPDH", "ACTB", "KLF1", "CEBPE", "JAK2", "SET"]
COMPOUNDS = ["DMSO"] * 6 + ["JQ1"] * 12
COUNTS = np.random.default_rng(3).poisson(20, (18, len(GENES))).astype(np.float32)


def written(path, counts=COUNTS, **columns):
    n_rows = len(counts)
    keys = {"index": [f"{path.stem}{at}" for at in range(n_rows)], "cell_line": ["K562"] * n_rows}
    rows = pl.DataFrame(keys | columns, strict=False)
    return write_h5ad(path, counts, rows, pl.DataFrame({"index": GENES}), layout="dense")


def of_genes(path, names, counts=COUNTS):
    rows = {"index": [f"c{at}" for at in range(18)], "gene": np.repeat(["non-targeting", "TP53", "MYC"], 6).tolist()}
    table = pl.DataFrame(rows | {"cell_line": ["K562"] * 18})
    return write_h5ad(path, counts, table, pl.DataFrame({"index": names}), layout="dense")


def doses(*values):
    return np.repeat([0.0, *values], 6).tolist()


def of_both(text):
    return text.replace('files = ["a.h5ad"]', 'files = ["a.h5ad", "b.h5ad"]')


def test_doses__in_another_unit_in_one_of_the_files_are_refused(tmp_path):
    path = written(tmp_path / "a.h5ad", compound=COMPOUNDS, dose=doses(1, 10), dose_unit=["uM"] * 18)
    written(tmp_path / "b.h5ad", COUNTS + 1, compound=COMPOUNDS, dose=doses(1000, 10_000), dose_unit=["nM"] * 18)
    text = drafted(path).text
    assert 'dose = { column = "dose", unit = "uM" }' in text
    with pytest.raises(SpecError, match=r"b\.h5ad, columns 'dose' and 'dose_unit'\n.*unit = 'uM'.*\n.*'nM'"):
        ingested(tmp_path, of_both(text))


def test_doses__in_several_units_in_one_file_are_refused_without_a_unit(tmp_path):
    units = ["uM"] * 12 + ["nM"] * 6
    path = written(tmp_path / "a.h5ad", compound=COMPOUNDS, dose=doses(1, 1), dose_unit=units)
    text = drafted(path).text
    assert 'dose = { column = "dose" }' in text
    with pytest.raises(SpecError, match="one unit in all rows"):
        ingested(tmp_path, text)


def test_doses__in_the_unit_of_the_spec_are_read_whatever_unit_controls_have(tmp_path):
    units = ["nM"] * 6 + ["uM"] * 12
    path = written(tmp_path / "a.h5ad", compound=COMPOUNDS, dose=doses(1, 10), dose_unit=units)
    ingested(tmp_path, drafted(path).text.replace('column = "dose" }', 'column = "dose", unit = "uM" }'))
    with Warehouse(tmp_path / "warehouse") as store:
        found = store.frame("select distinct dose_um from condition where not is_control order by 1")
    assert found["dose_um"].to_list() == [1, 10]


@pytest.mark.parametrize("unit", ["", ', unit = "uM"'])
def test_doses__in_several_units_in_results_are_refused_and_can_be_left_out(unit, tmp_path):
    lines = [f"JQ1,{dose},{gene},{at}.5" for dose in ("1,uM", "100,nM") for at, gene in enumerate(GENES)]
    (tmp_path / "r.csv").write_text("\n".join(["compound,dose,dose_unit,gene,log2FoldChange", *lines]))
    text = drafted(tmp_path / "r.csv").text.replace("# FILL IN: ", "")
    text = text.replace('dose = { column = "dose" }', f'dose = {{ column = "dose"{unit} }}')
    with pytest.raises(SpecError, match=r"got +here 'nM', 'uM'"):
        ingested(tmp_path, text)
    ingested(tmp_path, text.replace("[condition]", "[condition]\nwhere = \"dose_unit = 'uM'\""))


def test_labels__joined_in_two_ways_are_to_be_checked(tmp_path):
    genes = ["non-targeting"] * 6 + ["TP53"] * 3 + ["MYC"] * 3 + ["TP53;MYC"] * 3 + ["MYC,TP53"] * 3
    draft = drafted(written(tmp_path / "a.h5ad", gene=genes))
    assert "condition.separator" in draft.doubtful
    assert "joined by another sign, each a gene of its own unless written alike: 'TP53;MYC' (3 rows)" in plain(
        draft.text
    )


@pytest.mark.parametrize("second", ["non-targeting", "TP53"])
@pytest.mark.parametrize("sign", ["|", ";"])
def test_labels__of_two_guides_each_have_the_controls_that_both_are(sign, second, tmp_path):
    labels = np.repeat([f"non-targeting{sign}non-targeting", f"TP53{sign}{second}", f"TP53{sign}MYC"], 6)
    draft = drafted(written(tmp_path / "a.h5ad", gene=labels.tolist()))
    assert f'separator = "{sign}"' in draft.text
    assert 'controls = ["non-targeting"]\n' in draft.text
    ingested(tmp_path, draft.text)
    values = np.log1p(COUNTS / COUNTS.sum(1, keepdims=True) * 1e4)
    with Warehouse(tmp_path / "warehouse") as store:
        found = store.frame("select perturbation, gene, effect from effects")
    assert set(found["perturbation"]) == {"TP53", "MYC+TP53"}
    for name, rows in (("TP53", slice(6, 12)), ("MYC+TP53", slice(12, 18))):
        effects = dict(found.filter(perturbation=name).select("gene", "effect").iter_rows())
        expected = values[rows].mean(0) - values[:6].mean(0)
        np.testing.assert_allclose([effects[gene] for gene in GENES], expected, rtol=2e-5, atol=1e-5)


@pytest.mark.parametrize(("label", "is_doubtful"), [("0", True), ("JAK2", False)])
def test_number_among_genes__is_to_be_checked(label, is_doubtful, tmp_path):
    genes = ["non-targeting"] * 6 + ["TP53"] * 6 + ["MYC"] * 3 + [label] * 3
    draft = drafted(written(tmp_path / "a.h5ad", gene=genes))
    assert ("condition.perturbation" in draft.doubtful) == is_doubtful
    assert ("unless unassigned has them: '0' (3 rows)" in plain(draft.text)) == is_doubtful


def test_whole_numbers__too_large_for_counts_are_to_be_checked(tmp_path):
    genes = ["non-targeting"] * 6 + ["TP53"] * 6 + ["MYC"] * 6
    draft = drafted(written(tmp_path / "a.h5ad", np.floor(COUNTS * 3e7), gene=genes))
    assert "dataset.values" in draft.doubtful
    assert "as no counts of reads are: intensities?" in plain(draft.text)


@pytest.mark.parametrize(
    ("names", "what"),
    [
        (["chr1:1000-1500", "chrX-2000-2500"], "2 of 12 are peaks, such as 'chr1:1000-1500'"),
        (["CD3_TotalSeqB", "CD4-TotalSeqB"], "2 of 12 are antibodies or tags, such as 'CD3_TotalSeqB'"),
    ],
)
def test_names__of_what_is_no_rna_are_to_be_checked_and_can_be_left_out(names, what, tmp_path):
    draft = drafted(of_genes(tmp_path / "a.h5ad", [*GENES[:10], *names]))
    assert "genes.id" in draft.doubtful
    said = plain(draft.text)
    assert what in said
    where = said.split('where = "')[1].split('" leaves')[0]
    ingested(tmp_path, f'{draft.text}\nwhere = "{where}"\n')
    values = np.log1p(COUNTS[:, :10] / COUNTS[:, :10].sum(1, keepdims=True) * 1e4)
    with Warehouse(tmp_path / "warehouse") as store:
        found = store.frame("select gene, effect from effects where perturbation = 'TP53'")
    expected = values[6:12].mean(0) - values[:6].mean(0)
    effects = dict(found.iter_rows())
    np.testing.assert_allclose([effects[gene] for gene in GENES[:10]], expected, rtol=2e-5, atol=1e-5)


def test_zscores__stored_sparse_are_to_be_checked(tmp_path):
    values = np.random.default_rng(0).normal(size=(18, 12)).astype(np.float32)
    rows = pl.DataFrame({"index": [f"c{at}" for at in range(18)], "gene": ["TP53", "MYC", "ABL1"] * 6})
    path = write_h5ad(tmp_path / "a.h5ad", values, rows, pl.DataFrame({"index": GENES}), layout="csr")
    draft = drafted(path)
    assert "dataset.values" in draft.doubtful
    assert "write it anew as a dense one" in plain(draft.text)


@pytest.mark.parametrize(
    ("write", "name", "is_sparse"),
    [
        (partial(write_h5ad, layout="csc"), "a.h5ad", True),
        (partial(write_h5ad, layout="dense"), "a.h5ad", False),
        (write_10x_h5, "a.h5", True),
        (write_10x, "a", True),
        (write_wide, "a.csv", False),
        (write_gct, "a.gct", False),
    ],
)
def test_sparse__is_what_the_file_stores_not_what_its_format_is_called(write, name, is_sparse, tmp_path):
    rows = pl.DataFrame({"index": [f"c{at}" for at in range(18)]})
    write(tmp_path / name, COUNTS, rows, pl.DataFrame({"index": GENES, "gene_name": GENES}))
    with closing(open_source(tmp_path / name)) as reader:
        assert take_sample(reader).is_sparse == is_sparse
