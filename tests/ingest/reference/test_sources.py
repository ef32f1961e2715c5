"""Published tables are read into plain columns; the files here are a few lines in each publisher's layout."""

import gzip
import io
import pickle

import h5py
import numpy as np
import polars as pl
import pytest

from ingest.reference import sources


class FakeWheels:
    """Answers with the bytes it was given, by the last part of the member's path."""

    def __init__(self, **members):
        self.members = members

    def read(self, package, member):
        return self.members[member.rsplit("/", 1)[-1].split(".")[0].replace("-", "_")]


def test_read_hgnc__splits_labels():
    buffer = io.BytesIO()
    pl.DataFrame(
        {
            "ensembl_id": ["ENSG00000121410", None], "symbol": ["A1BG", "A1BG-AS1"], "alias_symbols": ["", "X|Y"],
            "prev_symbols": ["", "Z"], "source_id": ["HGNC:5", "HGNC:37133"],
            "canonical_biotype": ["protein_coding", "lncRNA"],
        }
    ).write_parquet(buffer)  # fmt: skip
    assert sources.read_hgnc(FakeWheels(gene_table=buffer.getvalue())).rows() == [
        ("HGNC:5", "A1BG", "ENSG00000121410", "protein_coding", [], []),
        ("HGNC:37133", "A1BG-AS1", None, "lncRNA", ["Z"], ["X", "Y"]),
    ]


def test_read_hgnc_2024__reads_successors_of_withdrawn_symbols_only():
    columns = [
        "HGNC ID",
        "Approved symbol",
        "Approved name",
        "Status",
        "NCBI Gene ID(supplied by NCBI)",
        "Ensembl gene ID",
    ]
    rows = [
        ["HGNC:5", "A1BG", 'alpha "1" [HGNC:9]', "Approved", "1", "ENSG00000121410"],
        ["HGNC:6", "A1S9T", "symbol withdrawn, see [HGNC:12469](/data/HGNC:12469)", "Symbol Withdrawn", "", ""],
        ["HGNC:7", "H2AZ", "see [HGNC: 4741](x), [HGNC:4742](y)", "Symbol Withdrawn", "", ""],
        ["HGNC:1", "A12M1", "site", "Entry Withdrawn", "", ""],
    ]
    text = "\n".join("\t".join(row) for row in [columns, *rows])
    assert sources.read_hgnc_2024(FakeWheels(hgnc_entries=text.encode())).rows() == [
        ("HGNC:5", "A1BG", "Approved", "1", "ENSG00000121410", []),
        ("HGNC:6", "A1S9T", "Symbol Withdrawn", None, None, ["HGNC:12469"]),
        ("HGNC:7", "H2AZ", "Symbol Withdrawn", None, None, ["HGNC:4741", "HGNC:4742"]),
        ("HGNC:1", "A12M1", "Entry Withdrawn", None, None, []),
    ]


def test_read_cross_references__joins_the_rows_of_one_gene_and_drops_shared_rows():
    names = ["HGNC_ID", "ENSG_ID", "NCBI_ID", "gene_symbol"]
    rows = np.array(
        [
            [{"HGNC:1"}, {"ENSG2", "ENSG1"}, {"GENE ID:11"}, "A"],
            [{"HGNC:1"}, set(), {"GENE ID:12", "GENE ID:11"}, "B"],
            [{"HGNC:1", "HGNC:2"}, {"ENSG9"}, set(), "C"],
            [set(), {"ENSG8"}, set(), "D"],
        ],
        dtype=object,
    )
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file["df/block0_items"] = np.array(names, dtype="S")
        values = file.create_dataset("df/block0_values", (1,), dtype=h5py.vlen_dtype(np.uint8))
        values[0] = np.frombuffer(pickle.dumps(rows, protocol=5), dtype=np.uint8)
    table = sources.read_cross_references(FakeWheels(summary_df=buffer.getvalue()))
    assert table.rows() == [("HGNC:1", ["11", "12"], ["ENSG1", "ENSG2"])]


def test_read_gencode_48__drops_names_that_repeat_the_id():
    genes = gzip.compress(b"ENSG00000000001,ALPHA,3,900,lncRNA\nENSG00000000002,ENSG00000000002,1,1,miRNA\n")
    places = gzip.compress(
        b"chrom,start,end,gene_id,gene_name,strand\nchrM,1,2,ENSG00000000001.3,ALPHA,+\nGL1.2,1,2,ENSG00000000002.1,x,-\n"
    )
    wheels = FakeWheels(genes_homo_sapiens=genes, gene_coordinates_homo_sapiens=places)
    assert sources.read_gencode_48(wheels).rows() == [
        ("ENSG00000000001", "ALPHA", "lncRNA", "MT"),
        ("ENSG00000000002", None, "miRNA", "GL1.2"),
    ]


def test_read_gencode_44__reads_a_file_without_header():
    text = b"ENSG00000000001,ALPHA\nENSG00000000002,ENSG00000000002\n"
    assert sources.read_gencode_44(FakeWheels(GENCODEv44_Gene_id2name=text)).rows() == [
        ("ENSG00000000001", "ALPHA"),
        ("ENSG00000000002", None),
    ]


def test_read_ensembl__has_one_row_per_gene(monkeypatch):
    columns = {
        "index": ["ENSG1", "ENSG1", "ENSG2"],
        "gene_name": ["ALPHA", "ALPHA", "BETA"],
        "Chromosome": ["1", "1", "CHR_HG1_PATCH"],
        "Entrez": ["7", "9; 7", float("nan")],
        "Approved symbol": [float("nan"), "ALPHA", float("nan")],
    }
    arrays = {name: np.array(cells, dtype=object) for name, cells in columns.items()}
    monkeypatch.setattr(sources, "read_frame", lambda pickled, names: arrays)
    monkeypatch.setattr(sources.lzma, "decompress", lambda content: content)
    wheels = FakeWheels(datafile_homo_sapiens_GRCh38_ensembl93=b"")
    assert sources.read_ensembl(wheels, "ensembl_93").rows() == [
        ("ENSG1", "ALPHA", "1", "ALPHA", ["7", "9"]),
        ("ENSG2", "BETA", "CHR_HG1_PATCH", None, []),
    ]


@pytest.mark.parametrize(("score", "expected"), [("1", True), ("1.0", True), ("0", False)])
def test_read_orthologs__drops_genes_without_one(score, expected):
    text = (
        "Gene stable ID,Gene name,Mouse gene name,Mouse gene stable ID,Mouse homology type,"
        "Mouse orthology confidence [0 low, 1 high]\n"
        f"ENSG1,TP53,Trp53,ENSMUSG1,ortholog_one2one,{score}\nENSG2,X,,,,\n"
    )
    wheels = FakeWheels(human_to_mouse=text.replace("[0 low, 1 high]", '[0 low, 1 high]"').replace(
        "Mouse orthology", '"Mouse orthology').encode())  # fmt: skip
    assert sources.read_orthologs(wheels).rows() == [("ENSG1", "ENSMUSG1", "Trp53", "one2one", expected)]


def test_read_hcop__lists_the_sources_of_each_pair():
    text = (
        "Gene stable ID,Gene name,Mouse gene stable ID,Mouse gene name,supporting_source\n"
        'ENSG1,PTEN,ENSMUSG1,Pten,"NCBI,HGNC"\nENSG2,X,-,-,OMA\n'
    )
    wheels = FakeWheels(human_to_mouse=text.encode())
    assert sources.read_hcop(wheels).rows() == [("ENSG1", "ENSMUSG1", "Pten", ["HGNC", "NCBI"])]
