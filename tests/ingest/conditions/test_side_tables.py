from __future__ import annotations

import gzip

import polars as pl
import pytest

from featurestore.errors import SourceFormatError, SpecError
from ingest.conditions.side_tables import join_tables, open_side_tables
from ingest.sections import JoinSection, TableSection

ROWS = pl.DataFrame({"index": ["s1", "s2", "s3", "s4"], "pert": [" P1", "P2", "P2", "P9"]})


def tables(folder, *joins, **section):
    return open_side_tables(TableSection(**section), [JoinSection(**join) for join in joins], [folder])


def test_text__is_read_whatever_its_separator_encoding_or_quotes(tmp_path):
    tsv = "id\tdose\ttitle\ttas\ns1\t10 µM\t5'-\"nucleotidase\t0.5\ns2\t-666\ta, b\t-666\n"
    (tmp_path / "latin.txt").write_bytes(tsv.encode("latin-1"))
    (tmp_path / "zipped.txt.gz").write_bytes(gzip.compress(tsv.encode()))
    csv = 'id,dose,title,tas\ns1,10 µM,"5\'-""nucleotidase",0.5\ns2,-666,"a, b",\n'
    (tmp_path / "table.csv").write_bytes(b"\xef\xbb\xbf" + csv.encode())
    pl.DataFrame(
        {"id": ["s1", "s2"], "dose": ["10 µM", "-666"], "title": ["5'-\"nucleotidase", "a, b"], "tas": [0.5, None]}
    ).write_parquet(tmp_path / "table.parquet")
    for name in ("latin.txt", "zipped.txt.gz", "table.csv", "table.parquet"):
        (table,) = tables(tmp_path, table=name, key="id")
        read = table.read(["id", "dose", "tas", "title"])
        assert read.select("id", "dose", "title", "tas").rows() == [
            ("s1", "10 µM", "5'-\"nucleotidase", 0.5),
            ("s2", None, "a, b", None),
        ], name


@pytest.mark.parametrize("text", ['"","pert"\n"s1","A"\n"s2","B"\n', "pert\tline\ns1\tA\tx\ns2\tB\tx\n"])
def test_key__without_a_name_is_that_of_rs_row_names(text, tmp_path):
    (tmp_path / "coldata.csv").write_text(text)
    (table,) = tables(tmp_path, table="coldata.csv", key="")
    assert join_tables(ROWS.drop("pert"), [table], ["pert"])["pert"].to_list() == ["A", "B", None, None]


def test_join__follows_a_chain_and_reads_only_what_is_needed(tmp_path):
    (tmp_path / "sig.txt").write_text("sig\tpert_id\tcell\tbulky\ns2\tB2\tA375\tx\ns1\tB1\tMCF7\tx\n")
    (tmp_path / "pert.txt").write_text("pert_id\tmoa\tcell\nB1\tone\tno\nB2\ttwo\tno\n")
    opened = tables(tmp_path, {"table": "pert.txt", "key": "pert_id"}, table="sig.txt", key="sig")
    joined = join_tables(ROWS, opened, ["cell", "moa"])
    assert joined.columns == ["index", "pert", "pert_id", "cell", "moa"]
    assert joined["cell"].to_list() == ["MCF7", "A375", None, None]
    assert joined["moa"].to_list() == ["one", "two", None, None]


def test_key__on_several_lines_joins_their_distinct_values(tmp_path):
    (tmp_path / "c.txt").write_text("p\tmoa\ttarget\tn\nP1\tm\ta\t1\nP2\tm\ta\t1\nP2\tm\tb\t2\nP2\t-666\tb\t2\n")
    opened = tables(tmp_path, {"table": "c.txt", "key": "p", "on": "pert"})
    joined = join_tables(ROWS, opened, ["moa", "target", "n"])
    assert joined["moa"].to_list() == ["m", "m", "m", None]
    assert joined["target"].to_list() == ["a", "a|b", "a|b", None]
    assert joined["n"].to_list() == ["1", "1|2", "1|2", None]


def test_key__is_itself_a_column_where_it_is_wanted(tmp_path):
    (tmp_path / "c.txt").write_text("sample\tx\ns1\t1\ns3\t2\n")
    joined = join_tables(ROWS, tables(tmp_path, table="c.txt", key="sample"), ["sample", "x"])
    assert joined["sample"].to_list() == ["s1", None, "s3", None]


def test_faults__are_told_with_what_to_do(tmp_path):
    (tmp_path / "c.txt").write_text("p\tmoa\nP1\tm\nP2\tm\textra\n")
    with pytest.raises(SpecError, match="no table 'd") as caught:
        tables(tmp_path, table="d.txt", key="p")
    assert "c.txt" in str(caught.value)
    with pytest.raises(SpecError, match="no key column 'q'"):
        tables(tmp_path, table="c.txt", key="q")
    with pytest.raises(SpecError, match="no column 'perts' to join"):
        join_tables(ROWS, tables(tmp_path, {"table": "c.txt", "key": "p", "on": "perts"}), ["moa"])
    with pytest.raises(SourceFormatError, match="damaged"):
        join_tables(ROWS, tables(tmp_path, {"table": "c.txt", "key": "p", "on": "pert"}), ["moa"])


def test_join__refuses_several_lines_for_a_row_that_differ_in_a_label(tmp_path):
    (tmp_path / "wells.csv").write_text("well,plate,compound,moa\nA1,p1,DMSO,a\nA1,p2,vorinostat,b\nB1,p1,DMSO,c\n")
    rows = pl.DataFrame({"index": ["A1", "B1"]})
    opened = tables(tmp_path, table="wells.csv", key="well")
    with pytest.raises(SpecError, match="several entries for one row") as told:
        join_tables(rows, opened, ["compound", "moa"], ["compound"])
    assert "such as 'A1': 'DMSO', 'vorinostat'" in str(told.value)
    assert join_tables(rows, opened, ["moa"], ["compound"])["moa"].to_list() == ["a|b", "c"]


@pytest.mark.parametrize(("keys", "joined"), [("ACGTACGT\nCCCCACGT", ["a", "b"]), ("ACGTACGT\nNKX2", ["a", None])])
def test_join__finds_cells_without_the_number_of_their_library(keys, joined, tmp_path):
    first, second = keys.split()
    (tmp_path / "t.csv").write_text(f"barcode,guide\n{first},a\n{second},b\n")
    rows = pl.DataFrame({"index": ["ACGTACGT-1", "CCCCACGT-1"]})
    assert join_tables(rows, tables(tmp_path, table="t.csv", key="barcode"), ["guide"])["guide"].to_list() == joined
    genes = pl.DataFrame({"index": ["NKX2-1"]})
    assert join_tables(genes, tables(tmp_path, table="t.csv", key="barcode"), ["guide"])["guide"].to_list() == [None]
