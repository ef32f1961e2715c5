"""Columns of the row table come from the file, from tables beside it, and out of names."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from featurestore.errors import SpecError
from ingest.conditions.rows import RowTables
from ingest.conditions.side_tables import open_side_tables
from ingest.layouts import write_h5ad
from ingest.readers.h5ad import H5adFormat
from ingest.spec import parse_spec

CONDITION = {"perturbation": "target", "kind": "compound", "controls": ["x"], "context": {"column": "line"}}


def rows_of(folder, own, *, name="plates/P7/x.h5ad", condition=CONDITION, **rows):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    write_h5ad(path, np.zeros((own.height, 2)), own, pl.DataFrame({"index": ["a", "b"]}), layout="dense")
    dataset = {"id": "x", "files": ["x"], "values": "counts", "assay": "drug_seq"}
    spec = parse_spec({"dataset": dataset, "condition": condition, "rows": rows})
    tables = open_side_tables(spec.rows, spec.rows.join, [folder])
    reader = H5adFormat.open(path)
    try:
        return RowTables(spec, tables, folder).read(reader)
    finally:
        reader.close()


def test_extract__reads_names_of_rows_files_and_columns(tmp_path):
    table = pl.DataFrame({"index": ["10_A_P1P2_ENSG1", "11_B_C_nan", "what"], "sample": ["H1_b2", "HEK_b10", None]})
    patterns = {
        "index": r"^\d+_(?P<target>.+)_(?P<id>[^_]+)$",
        "sample": r"^(?P<line>[^_]+)_b(?P<batch>\d+)$",
        "file": r"plates/(?P<plate>[^/]+)/",
    }
    condition = CONDITION | {"batch": "batch", "cluster": "plate"}
    rows = rows_of(tmp_path, table, condition=condition, extract=patterns)
    assert rows["target"].to_list() == ["A_P1P2", "B_C", None]
    assert rows["line"].to_list() == ["H1", "HEK", None]
    assert rows["batch"].to_list() == ["2", "10", None]
    assert rows["plate"].to_list() == ["P7"] * 3


def test_join__by_several_columns_one_of_them_out_of_the_name(tmp_path):
    for plate, drugs in (("P7", ["x", "A"]), ("P8", ["B", "C"])):
        sheet = pl.DataFrame({"Plate_ID": plate, "Barcode": ["AACA", "CCGT"], "target": drugs, "line": "MCF7"})
        sheet.write_csv(tmp_path / f"{plate}_metadata.csv")
    join = {"table": "*_metadata.csv", "key": ["Plate_ID", "Barcode"], "on": ["plate", "index"]}
    wells = pl.DataFrame({"index": ["CCGT", "AACA", "GGGG"]})
    for plate, drugs in (("P7", ["A", "x", None]), ("P8", ["C", "B", None])):
        name = f"{plate}/matrix.h5ad"
        rows = rows_of(tmp_path, wells, name=name, join=[join], extract={"file": "(?P<plate>[^/]+)/"})
        assert rows["target"].to_list() == drugs


def test_extract__of_a_joined_column(tmp_path):
    (tmp_path / "sheet.csv").write_text("well,oligo\nw1,10_A_MCF7\nw2,0_x_A549\n")
    rows = rows_of(
        tmp_path,
        pl.DataFrame({"index": ["w2", "w1"]}),
        table="sheet.csv",
        key="well",
        extract={"oligo": "^(?P<dose>[^_]+)_(?P<target>[^_]+)_(?P<line>.+)$"},
    )
    assert rows.select("target", "line", "dose").rows() == [("x", "A549", "0"), ("A", "MCF7", "10")]


@pytest.mark.parametrize("titles", ["gene,target,line\n", ""])
def test_table__without_a_header_has_the_columns_it_is_told(tmp_path, titles):
    (tmp_path / "sheet.csv").write_text(f"{titles}g1,A,MCF7\ng2,B,A549\n")
    rows = rows_of(
        tmp_path,
        pl.DataFrame({"index": ["g1", "g2"]}),
        table="sheet.csv",
        key="gene",
        columns=["gene", "target", "line"],
    )
    assert rows["target"].to_list() == ["A", "B"]


@pytest.mark.parametrize("pattern", ["(", "no groups", "(unnamed)"])
def test_extract__needs_named_groups(tmp_path, pattern):
    with pytest.raises(SpecError, match="the pattern of 'index' is not a regular expression with named groups"):
        rows_of(tmp_path, pl.DataFrame({"index": ["a"]}), extract={"index": pattern})


def test_join__keys_go_in_pairs(tmp_path):
    join = {"table": "x.csv", "key": ["a", "b"], "on": "index"}
    with pytest.raises(SpecError, match="as many columns 'on' as of 'key'"):
        rows_of(tmp_path, pl.DataFrame({"index": ["a"]}), join=[join])
