"""Opening a file by its content: names and declarations are checked against it, and what is unknown is described."""

from __future__ import annotations

import gzip
import zipfile
from importlib.metadata import entry_points

import h5py
import numpy as np
import polars as pl
import pytest

from featurestore.errors import SourceFormatError
from ingest.layouts import write_gctx, write_h5ad
from ingest.readers import open as opening
from ingest.readers.gct import GctFormat
from ingest.readers.gctx import GctxFormat
from ingest.readers.h5ad import H5adFormat
from ingest.readers.mtx import MtxFormat
from ingest.readers.open import formats, open_source
from layouts.gct import write_gct
from layouts.mtx import write_10x

FORMATS = [GctFormat, GctxFormat, H5adFormat, MtxFormat]
VALUES = np.arange(12, dtype=np.float32).reshape(4, 3)


@pytest.fixture(autouse=True)
def _own_formats(monkeypatch):
    """The formats of this project, whatever else is installed."""
    monkeypatch.setattr(opening, "formats", lambda: FORMATS)


@pytest.fixture
def files(tmp_path):
    rows, genes = (pl.DataFrame({"index": [f"{axis}{n}" for n in range(side)]}) for axis, side in (("r", 4), ("g", 3)))
    return {
        "h5ad": write_h5ad(tmp_path / "a.h5ad", VALUES, rows, genes, layers={"counts": VALUES}),
        "gctx": write_gctx(tmp_path / "a.gctx", VALUES, rows, genes),
        "gct": write_gct(tmp_path / "a.gct", VALUES, rows, genes),
        "mtx": write_10x(tmp_path / "10x", VALUES.astype(int), rows, genes),
    }


@pytest.mark.parametrize("kind", ["h5ad", "gctx", "gct", "mtx"])
@pytest.mark.parametrize("suffix", [".gctx", ".txt", ""])
def test_open_source__tells_the_format_from_the_content(files, kind, suffix):
    path = files[kind].rename(files[kind].with_name("named" + suffix))
    for declared in (None, kind):
        reader = open_source(path, format=declared)
        assert reader.format.split(" ")[0] == kind
        assert (reader.n_rows, reader.n_genes) == VALUES.shape
        reader.close()


@pytest.mark.parametrize("kind", ["h5ad", "gctx", "gct", "mtx"])
@pytest.mark.parametrize("declared", ["h5ad", "gctx", "gct", "mtx"])
def test_open_source__a_wrong_declaration_names_both_formats(files, kind, declared):
    if kind == declared:
        return
    with pytest.raises(SourceFormatError, match=f"declared as {declared} and is {kind}"):
        open_source(files[kind], format=declared)


def test_open_source__passes_on_the_name_of_the_matrix(files):
    open_source(str(files["h5ad"]), matrix="layers/counts").close()
    with pytest.raises(SourceFormatError, match="did you mean 'layers/counts'"):
        open_source(files["h5ad"], matrix="layers/count")


def test_open_source__an_unknown_format_names_those_there_are(files):
    with pytest.raises(SourceFormatError, match="did you mean 'h5ad'"):
        open_source(files["h5ad"], format="h5da")


def zipped(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.h5ad", b"")


def other_hdf5(path):
    with h5py.File(path, "w") as file:
        file["data"] = VALUES


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda path: path.write_text("gene,cell\nA,1\n"), "text that begins 'gene,cell'"),
        (lambda path: path.write_bytes(gzip.compress(b"gene,cell\n")), "gzip, inside it text that begins 'gene,cell'"),
        (lambda path: path.write_bytes(gzip.compress(b"\x89HDF\r\n\x1a\n" + bytes(64))), "gzip, inside it HDF5"),
        (lambda path: path.write_bytes(gzip.compress(b"text" * 99)[:12]), "gzip, inside it"),
        (lambda path: path.write_bytes(b"\x00\x01\x02"), "bytes that begin 00 01 02"),
        (lambda path: path.write_bytes(b"\n\n"), "bytes that begin 0a 0a"),
        (zipped, "a zip archive"),
        (other_hdf5, "HDF5"),
    ],
)
def test_open_source__content_of_no_known_format_is_described(tmp_path, write, message):
    path = tmp_path / "matrix.gctx"
    write(path)
    with pytest.raises(SourceFormatError, match="of no known format") as caught:
        open_source(path)
    assert message in str(caught.value)
    assert "one of gct, gctx, h5ad, mtx" in str(caught.value)
    with pytest.raises(SourceFormatError, match="expected  gctx, by content"):
        open_source(path, format="gctx")


def test_open_source__a_missing_file_names_the_nearest(files, tmp_path):
    with pytest.raises(SourceFormatError, match=r"no such file(.|\n)*did you mean 'a.h5ad'"):
        open_source(tmp_path / "b.h5ad")
    with pytest.raises(SourceFormatError, match="does not exist"):
        open_source(tmp_path / "nowhere" / "a.h5ad")


def test_open_source__a_folder_an_empty_file_and_a_truncated_one(files, tmp_path):
    assert open_source(tmp_path / "10x").path == files["mtx"]
    with pytest.raises(SourceFormatError, match=r"several matrices(.|\n)*10x/matrix.mtx.gz, a.gct, a.gctx, a.h5ad"):
        open_source(tmp_path)
    (tmp_path / "empty.h5ad").touch()
    with pytest.raises(SourceFormatError, match="file is empty"):
        open_source(tmp_path / "empty.h5ad")
    files["h5ad"].write_bytes(files["h5ad"].read_bytes()[:-50])
    with pytest.raises(SourceFormatError, match="truncated file"):
        open_source(files["h5ad"])


def test_formats__come_from_the_entry_points():
    declared = {point.name for point in entry_points(group="featurestore.readers")}
    assert {"gct", "gctx", "h5ad", "mtx"} <= declared
    assert len({kind.name for kind in formats()}) == len(declared)


DESCRIBING = {
    "Model.csv": ("ModelID,CellLineName,Age\nACH-1,A549,58\nACH-2,K562,53\n", "cell lines", "context_table"),
    "repurposing_info.tsv": ("broad_id\tpert_iname\tmoa\ttarget\nBRD-K1\tx\ty\tEGFR\n", "compounds", "[compound]"),
    "pertinfo.tsv.gz": (
        "pert_id\tpert_iname\tnum_sig\tcanonical_smiles\nBRD-1\tx\t3\tCCO\n",
        "compounds",
        '[[rows.join]] with table = "pertinfo.tsv.gz" and key = "pert_id"',
    ),
    "gene_info.txt": (
        "pr_gene_id\tpr_gene_symbol\tpr_is_lm\n780\tDDR1\t1\n",
        "genes",
        'key = "pr_gene_id" under [genes]',
    ),
    "siginfo.txt": ("sig_id\tpert_id\ttas\nA:B\tBRD-1\t0.3\n", "rows", 'key = "sig_id" under [rows]'),
}


@pytest.mark.parametrize("name", DESCRIBING)
def test_tables__that_describe_a_matrix_say_where_a_spec_names_them(tmp_path, name):
    text, what, place = DESCRIBING[name]
    path = tmp_path / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith("gz") else text.encode())
    with pytest.raises(SourceFormatError, match=f"The table describes {what}, and holds no measurements") as caught:
        open_source(path)
    assert place in str(caught.value)


def test_open_source__says_the_way_on_for_what_is_known_and_not_read(tmp_path):
    with zipfile.ZipFile(tmp_path / "sample_RSEC_MolsPerCell_MEX.zip", "w") as archive:
        archive.writestr("matrix.mtx.gz", b"")
    (tmp_path / "supplement.xls").write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(512))
    with h5py.File(tmp_path / "abundance.h5", "w") as file:
        file["aux/ids"], file["est_counts"] = [b"ENST1"], [2.0]
    ways = {"sample_RSEC_MolsPerCell_MEX.zip": "give the folder", "supplement.xls": "xlsx", "abundance.h5": "h5dump"}
    for name, way in ways.items():
        with pytest.raises(SourceFormatError, match=way):
            open_source(tmp_path / name)
