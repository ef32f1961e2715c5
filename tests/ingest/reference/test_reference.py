"""The committed gene reference is what its manifest says and keeps its own rules."""

import hashlib
import json
import re
import shutil
import subprocess
import sys

import polars as pl
import pytest

from featurestore.contract import VIEWS
from featurestore.errors import SourceError, WarehouseError
from ingest import reference
from ingest.harmonise.genes import map_genes
from ingest.reference import build
from ingest.reference.build import content_hash, write_reference
from ingest.reference.wheels import WHEELS

TABLES = ("gene", "gene_label", "gene_release", "gene_retired", "ortholog_human_mouse")


@pytest.fixture(scope="module")
def genes() -> pl.DataFrame:
    return reference.table("gene")


@pytest.mark.parametrize("name", TABLES)
def test_table__is_what_the_manifest_describes(name):
    facts = reference.manifest()["tables"][name]
    content = (reference.data_dir() / f"{name}.parquet").read_bytes()
    assert hashlib.sha256(content).hexdigest() == facts["sha256"]
    assert (reference.table(name).height, reference.table(name).columns) == (facts["rows"], facts["columns"])
    assert len(content) < 5_000_000


def test_reference_id__is_the_hash_of_the_content():
    assert set(reference.manifest()["tables"]) == set(TABLES)
    assert reference.reference_id() == content_hash({name: reference.table(name) for name in TABLES})


def test_reference__is_small_enough_to_ship():
    sizes = [len((reference.data_dir() / f"{name}.parquet").read_bytes()) for name in TABLES]
    assert sum(sizes) < 4_000_000


def test_manifest__names_every_source_and_its_terms():
    sources = {source["package"]: source for source in reference.manifest()["sources"]}
    assert set(sources) == {wheel.package for wheel in WHEELS}
    for wheel in WHEELS:
        assert sources[wheel.package]["sha256"] == wheel.sha256
        assert re.fullmatch(r"[0-9a-f]{64}", wheel.sha256)
        assert "the wheel itself does not say" in sources[wheel.package]["data_terms"]


def test_gene__has_the_columns_of_the_contract(genes):
    assert genes.schema == VIEWS["gene"].schema


def test_gene__ids_are_unique_and_well_formed(genes):
    assert genes["gene_id"].is_unique().all()
    assert genes["gene_id"].str.contains(r"^(ENSG\d{11}|HGNC:\d+)$").all()
    without_ensembl = genes.filter(pl.col("gene_id").str.starts_with("HGNC"))
    assert (without_ensembl["gene_id"] == without_ensembl["hgnc_id"]).all()
    for column in ("entrez_id", "hgnc_id"):
        assert genes[column].drop_nulls().is_unique().all()


def test_gene__protein_coding_genes_of_hgnc_have_an_entrez_id(genes):
    coding = genes.filter((pl.col("biotype") == "protein_coding") & pl.col("hgnc_id").is_not_null())
    without = coding.filter(pl.col("entrez_id").is_null())["gene_symbol"].to_list()
    assert coding.height > 19_000
    assert sorted(without) == ["APOLTP", "C4A_2", "FDX2-ZGLP1"]


@pytest.mark.parametrize(
    ("symbol", "expected"),
    [
        ("TP53", ("ENSG00000141510", "7157", "HGNC:11998", "protein_coding", "17")),
        ("XIST", ("ENSG00000229807", "7503", "HGNC:12810", "lncRNA", "X")),
        ("MT-CO1", ("ENSG00000198804", "4512", "HGNC:7419", "protein_coding", "MT")),
        ("ACBD6", ("ENSG00000230124", "84320", "HGNC:23339", "protein_coding", "1")),
    ],
)
def test_gene__known_genes_have_their_ids(genes, symbol, expected):
    columns = ("gene_id", "entrez_id", "hgnc_id", "biotype", "chromosome")
    assert genes.filter((pl.col("gene_symbol") == symbol) & pl.col("hgnc_id").is_not_null()).select(columns).rows() == [
        expected
    ]


def test_gene_label__every_approved_gene_has_exactly_one_approved_symbol(genes):
    approved = reference.table("gene_label").filter(pl.col("kind") == "approved")
    assert approved["label"].is_unique().all()
    assert set(approved["gene_id"]) == set(genes.filter(pl.col("hgnc_id").is_not_null())["gene_id"])


def test_gene_label__names_current_genes_or_retired_ids(genes):
    labels = reference.table("gene_label")
    current = labels.join(genes, on="gene_id", how="semi")
    others = labels.join(genes, on="gene_id", how="anti")
    assert current.height > 150_000
    assert others["kind"].unique().to_list() == ["retired_name"]
    assert not labels.select("label", "gene_id").is_duplicated().any()


def test_gene_retired__ids_are_not_current_and_successors_are(genes):
    retired = reference.table("gene_retired")
    assert retired["retired_id"].is_unique().all()
    assert retired.join(genes, left_on="retired_id", right_on="gene_id", how="semi").is_empty()
    assert retired.drop_nulls("gene_id").join(genes, on="gene_id", how="anti").is_empty()
    assert (retired["gene_id"].is_null() == retired["method"].is_null()).all()
    assert set(retired["confidence"].drop_nulls()) == {"high", "medium"}


def test_gene_release__covers_current_ensembl_genes_and_every_bit(genes):
    held = reference.table("gene_release")
    releases = reference.manifest()["annotation_releases"]
    assert held["ensembl_id"].is_unique().all()
    assert int(held["releases"].bitwise_or()) == (1 << len(releases)) - 1
    latest = held.filter(pl.col("releases") >= 1 << releases.index("gencode_48"))
    assert latest.join(genes, left_on="ensembl_id", right_on="gene_id", how="anti").height == 0


def test_ortholog_human_mouse__one_to_one_pairs_are_one_to_one(genes):
    orthologs = reference.table("ortholog_human_mouse")
    assert orthologs.join(genes, on="gene_id", how="anti").is_empty()
    pairs = orthologs.filter(pl.col("homology") == "one2one")
    assert pairs.height > 17_000
    assert pairs["gene_id"].is_unique().all()
    assert pairs["mouse_gene_id"].is_unique().all()
    hcop = orthologs.filter(pl.col("homology") == "hcop")
    assert hcop.height > 654
    assert hcop["gene_id"].is_unique().all()
    assert hcop.join(pairs, on="gene_id", how="semi").is_empty()
    assert hcop["mouse_gene_id"].is_in(orthologs.filter(homology="one2one")["mouse_gene_id"].implode()).sum() == 0


def test_table__says_what_there_is():
    with pytest.raises(WarehouseError, match="did you mean 'gene_label'"):
        reference.table("gene_labels")


def test_import__needs_no_build_tool():
    code = "import sys, ingest.reference, ingest.harmonise.genes as g; g.map_genes(['TP53']); print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"pandas", "tables", "h5py", "pickle5", "ingest.reference.sources"} & set(modules)


@pytest.fixture
def other(tmp_path, monkeypatch):
    """A reference in which TP53 has another symbol."""
    monkeypatch.setattr(build, "LEVEL", 1)
    tables = {name: reference.table(name) for name in TABLES}
    renamed = pl.when(pl.col("gene_symbol") == "TP53").then(pl.lit("TP53NEW")).otherwise("gene_symbol")
    tables["gene"] = tables["gene"].with_columns(renamed.alias("gene_symbol"))
    write_reference(tables, tmp_path / "other")
    return tmp_path / "other"


def symbol_of_tp53():
    return map_genes(["ENSG00000141510"]).table["gene_symbol"].item()


def test_using__maps_with_another_folder_and_returns(other):
    shipped = reference.reference_id()
    with reference.using(other):
        assert symbol_of_tp53() == "TP53NEW"
        assert reference.reference_id() != shipped
    assert symbol_of_tp53() == "TP53"
    assert reference.reference_id() == shipped


def test_environment__names_another_folder(other, monkeypatch):
    monkeypatch.setenv(reference.FOLDER_VARIABLE, str(other))
    assert symbol_of_tp53() == "TP53NEW"
    monkeypatch.setenv(reference.FOLDER_VARIABLE, "")
    assert symbol_of_tp53() == "TP53"


@pytest.mark.parametrize("content", [None, "{"])
def test_environment__a_folder_without_reference_is_one_clear_error(tmp_path, monkeypatch, content):
    if content is not None:
        (tmp_path / "manifest.json").write_text(content)
    monkeypatch.setenv(reference.FOLDER_VARIABLE, str(tmp_path))
    with pytest.raises(SourceError, match="There is no gene reference") as raised:
        reference.reference_id()
    assert "unset FEATURESTORE_REFERENCE" in raised.value.do


def test_table__that_was_altered_or_lost_is_refused(other, tmp_path):
    altered = tmp_path / "altered"
    shutil.copytree(other, altered)
    (altered / "gene.parquet").write_bytes((altered / "gene.parquet").read_bytes() + b"x")
    (altered / "gene_label.parquet").unlink()
    with reference.using(altered):
        with pytest.raises(SourceError, match="not the one that was built") as raised:
            reference.table("gene")
        assert json.loads((altered / "manifest.json").read_text())["tables"]["gene"]["sha256"] in raised.value.expected
        with pytest.raises(SourceError, match="is missing"):
            reference.table("gene_label")
