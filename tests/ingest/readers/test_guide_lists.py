"""Dictionaries of guides as Dixit et al. 2016 published them: a line a guide, with the list of its cells."""

from __future__ import annotations

import gzip

import numpy as np
import polars as pl
import pytest

from featurestore.errors import SourceFormatError
from featurestore.query.warehouse import Warehouse
from ingest.inspection.draft import draft_spec
from ingest.inspection.inspect import inspect_file
from ingest.pipeline import ingest_dataset
from ingest.readers.open import open_source
from ingest.testing import assemble
from layouts.mtx import write_mtx

IDS = {"TP53": "ENSG00000141510", "MYC": "ENSG00000136997", "STAT1": "ENSG00000115415", "GAPDH": "ENSG00000111640"}
NAME = "GSM2396858_k562_tfs_7"
GUIDES = ["p_INTERGENIC393453", "p_INTERGENIC1216445", "p_sgTP53_1", "p_sgTP53_3", "p_sgMYC_2"]
N = 40
CELLS = [f"{'ACGT'[at % 4]}AACAT{at:04d}GTCC_p7d_B{1 + at % 3}" for at in range(N)]
OF_CELL = [[GUIDES[at % 5]] if at != 7 else ["p_sgTP53_1", "p_sgMYC_2"] for at in range(N - 1)] + [[]]
COUNTS = np.random.default_rng(5).poisson(4.0, (N, len(IDS)))


def write(folder, kinds=("",), name=NAME, *, swapped=False):
    """Write counts, cells, genes and dictionaries; the last cell has no guide, the eighth two."""
    folder.mkdir(exist_ok=True)
    path = write_mtx(folder / f"{name}.mtx.txt", COUNTS)
    of_genes = "".join(f"{at},{gene}_{symbol}\n" for at, (symbol, gene) in enumerate(IDS.items()))
    (folder / f"{name}_genenames.csv").write_text(f",0\n{of_genes}")
    (folder / f"{name}_cellnames.csv").write_text(",0\n" + "".join(f"{at},{cell}\n" for at, cell in enumerate(CELLS)))
    for kind in kinds:
        cells = {guide: [c for c, of in zip(CELLS, OF_CELL, strict=True) if guide in of] for guide in GUIDES}
        lines = [(guide, f'"{", ".join(of)}"') for guide, of in cells.items()]
        text = "".join(f"{','.join(line[::-1] if swapped else line)}\n" for line in lines)
        (folder / f"{name}_cbc_gbc_dict{kind}.csv.gz").write_bytes(gzip.compress(text.encode()))
    return path


@pytest.mark.parametrize("swapped", [False, True])
def test_guides__of_each_cell_are_those_that_list_it(tmp_path, swapped):
    reader = open_source(write(tmp_path, swapped=swapped))
    assert reader.rows()["guides"].to_list() == ["|".join(of) or None for of in OF_CELL]
    assert reader.rows()["index"].to_list() == CELLS
    assert reader.genes()["index"].to_list() == [f"{gene}_{symbol}" for symbol, gene in IDS.items()]
    assert f"{NAME}_cbc_gbc_dict.csv.gz" in {file.name for file in reader.files}
    np.testing.assert_array_equal(assemble(reader), COUNTS)


def test_guides__of_several_calls_and_samples_are_told_apart_by_name(tmp_path):
    path = write(tmp_path, kinds=("_strict", "_lenient"))
    write(tmp_path, name="GSM2396856_dc_3hr")
    assert open_source(path).row_columns() == ["index", "guides_lenient", "guides_strict"]


def test_draft__knows_guides_and_controls_and_ingests_to_the_sums_of_numpy(tmp_path):
    draft = draft_spec(inspect_file(write(tmp_path)), tmp_path)
    assert (draft.missing, draft.doubtful) == ((), ("condition.kind",)), draft.text
    (tmp_path / "spec.toml").write_text(draft.text)
    ingest_dataset(tmp_path / "spec.toml", tmp_path / "warehouse")
    query = """select perturbation, gene_symbol, count from statistics
        join condition using (dataset_id, condition_id) join gene using (gene_id)"""
    with Warehouse(tmp_path / "warehouse") as store:
        sums = {(label, symbol): count for label, symbol, count in store.frame(query).iter_rows()}
        rejected = store.frame("select sum(n_cells) from rejected").item()
    named = ["+".join(sorted({guide.split("_")[1].removeprefix("sg") for guide in of})) for of in OF_CELL]
    named = np.array(["control" if name.startswith("INTERGENIC") else name for name in named])
    assert {label for label, _ in sums} == {"control", "TP53", "MYC", "MYC+TP53"}
    assert sums == {
        (label, symbol): COUNTS[named == label, at].sum() for label, _ in sums for at, symbol in enumerate(IDS)
    }
    assert rejected == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('p_sgTP53_1,"CCCC_p7d_B1, GGGG_p7d_B1"\n', "has none of the cells.*'p_sgTP53_1', 'CCCC_p7d_B1, GGGG_p7d_B1'"),
        ("p_sgTP53_1,a,b\n", "other than two columns.*got +3 columns"),
        ("", "dictionary of guides"),
    ],
)
def test_dictionary__that_does_not_fit_is_refused(tmp_path, text, message):
    path = write(tmp_path)
    (tmp_path / f"{NAME}_cbc_gbc_dict.csv.gz").write_bytes(gzip.compress(text.encode()))
    with pytest.raises(SourceFormatError, match=f"(?s){message}"):
        open_source(path)


def test_dictionary__that_is_cut_short_is_one_error(tmp_path):
    path = write(tmp_path)
    lists = tmp_path / f"{NAME}_cbc_gbc_dict.csv.gz"
    lists.write_bytes(lists.read_bytes()[:-20])
    with pytest.raises(SourceFormatError, match="dictionary of guides"):
        open_source(path)


def test_dictionary__of_another_matrix_is_left(tmp_path):
    path = write(tmp_path, kinds=())
    (tmp_path / "GSM1_cbc_gbc_dict.csv").write_text('p_sgTP53_1,"AAAC, AAAG"\n')
    assert open_source(path).rows().equals(pl.DataFrame({"index": CELLS}))
