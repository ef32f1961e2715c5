"""What a list as a whole tells: its notation, its annotation release, and the meaning of ambiguous names."""

import polars as pl
import pytest

from ingest import reference
from ingest.harmonise.genes import best_release, decide_by_context, detect_kind, map_genes

RELEASES = reference.manifest()["annotation_releases"]


def held_by(release):
    bit = 1 << RELEASES.index(release)
    table = reference.table("gene_release")
    return table.filter(pl.col("releases") & bit > 0)["ensembl_id"]


def names_in(release):
    bit = 1 << RELEASES.index(release)
    labels = reference.table("gene_label").filter(pl.col("kind") != "retired_name")
    return labels.filter(pl.col("releases") & bit > 0).filter(pl.col("label").is_unique())


@pytest.mark.parametrize(
    ("ids", "kind"),
    [
        (["ENSG00000141510.18", "ENSG00000012048", "ERCC-00002"], "ensembl"),
        (["7157", "672", None], "entrez"),
        (["TP53", "BRCA1", "ENSG00000141510"], "symbol"),
        (["A1CF (29974)", "A2M (2)"], "symbol_entrez"),
        (["10023_ZC3H18_P1P2_ENSG00000158545"], "symbol_ensembl"),
        (["1007_s_at", "1053_at"], "probe"),
        (["ENSMUSG00000059552"], "mouse_ensembl"),
        (["Trp53", "Actb", "TP53"], "mouse_symbol"),
        (["C1orf112", "C10orf2"], "symbol"),
        (["HGNC:5", "HGNC:6"], "hgnc"),
        ([str(number) for number in range(10)], "row_number"),
        ([str(number) for number in range(9)], "entrez"),
        ([], "unknown"),
        (["ERCC-00002", None], "unknown"),
    ],
)
def test_detect_kind__names_the_notation_of_most(ids, kind):
    assert detect_kind(ids).kind == kind


def test_detect_kind__gives_its_evidence():
    detected = detect_kind(["7157", "672", "ERCC-00002", None])
    assert detected.share == pytest.approx(2 / 3)
    assert detected.evidence == "2 of 3 are written as entrez"


@pytest.mark.parametrize("release", RELEASES)
def test_best_release__recognises_ids_of_each_release(release):
    ids = held_by(release)
    ranking = best_release(ids + ".7")
    assert ranking.row(0, named=True) == {
        "release": release, "n_ids": len(ids), "n_found": len(ids), "coverage": 1.0,
    }  # fmt: skip
    assert ranking["coverage"].is_sorted(descending=True)


@pytest.mark.parametrize("release", RELEASES)
def test_best_release__recognises_names_of_each_release(release):
    names = names_in(release)["label"]
    assert best_release(names)["release"][0] == release


def test_best_release__is_silent_on_other_notations():
    assert best_release(["7157", "672"]).is_empty()
    assert best_release([]).is_empty()


def test_decide_by_context__takes_the_candidate_that_no_other_row_claims():
    decided = decide_by_context(map_genes(["QARS", "EPRS"])).table.row(0, named=True)
    assert (decided["status"], decided["gene_symbol"], decided["method"]) == ("context", "QARS1", "others_claimed")
    assert len(decided["candidates"]) == 2


def test_decide_by_context__of_many_lists_asks_the_annotations_alone():
    decided = decide_by_context(map_genes(["QARS", "EPRS", "KMT2D", "MLL4"]), each_gene_once=False).table
    assert decided["method"].to_list()[::3] == ["annotation_history", "alias"]
    assert decided["status"].to_list()[::3] == ["context", "ambiguous"]


def test_decide_by_context__takes_the_only_gene_that_annotations_called_so():
    decided = decide_by_context(map_genes(["C18orf21", "STRA13", "COX1"])).table
    assert decided["gene_symbol"].to_list() == ["RMP24", "CENPX", None]
    assert decided["method"].to_list()[:2] == ["annotation_history"] * 2


@pytest.mark.parametrize(("release", "gene"), [("ensembl_93", "ENSG00000266826"), ("ensembl_100", "ENSG00000266561")])
def test_decide_by_context__reads_a_clone_name_as_the_lists_release_does(release, gene):
    mapping = map_genes(["AC011195.2"])
    assert mapping.counts() == {"ambiguous": 1}
    assert decide_by_context(mapping, release=release).table["gene_id"].to_list() == [gene]


@pytest.mark.parametrize("release", ["ensembl_93", "ensembl_100"])
def test_decide_by_context__is_right_about_the_release_of_a_long_list(release):
    names = names_in(release)
    mapping = map_genes(names["label"], kind="symbol")
    doubtful = mapping.table["status"] == "ambiguous"
    decided = decide_by_context(mapping).table.with_columns(truth=names["gene_id"]).filter(doubtful)
    assert decided.height > 1000
    assert decided["gene_id"].null_count() < 0.01 * decided.height
    wrong = decided.filter(pl.col("gene_id") != pl.col("truth"))
    assert wrong.height < 0.01 * decided.height


def test_decide_by_context__leaves_the_rest_alone():
    mapping = map_genes(["TP53", "COX1", "DDR1 /// MIR4640", "nonsense"])
    assert decide_by_context(mapping).table.equals(mapping.table)
