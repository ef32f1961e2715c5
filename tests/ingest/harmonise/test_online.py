"""The online fallback through the real client, against a local service that behaves, and fails, like the real one."""

from __future__ import annotations

import subprocess
import sys
import time

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from featurestore.errors import WarehouseError
from featurestore.upkeep.examine import Report
from featurestore.upkeep.verify_kept import kept_faults
from ingest import reference
from ingest.harmonise import online_service
from ingest.harmonise.gene_mapping import STATUSES
from ingest.harmonise.genes import decide_by_context, map_genes
from ingest.harmonise.online import OnlineGenes, _fitting
from ingest.harmonise.online_cache import PLACE, Answer, AnswerCache
from ingest.harmonise.online_service import GeneService

TP53, EGFR, HLA_A, BRCA1 = "ENSG00000141510", "ENSG00000146648", "ENSG00000206503", "ENSG00000012048"


def service(mygene, **options):
    return GeneService(mygene.url, **({"pause": 0.0, "timeout": 5.0} | options))


def online(mygene, warehouse=None, **options):
    return OnlineGenes(service(mygene, **options), AnswerCache(warehouse))


def rows(mapping, *columns):
    return {row[0]: row[1:] if len(row) > 2 else row[1] for row in mapping.table.select("original", *columns).rows()}


# what is asked


def test_complete__asks_only_for_what_the_reference_leaves_open(mygene):
    labels = ["TP53", "MARCH8", "QARS", "1-Mar", "ERCC-00002", "non-targeting", None, "7 8", "NEWGUARDIAN", "Trp53"]
    mapping = map_genes(labels)
    completed = online(mygene).complete(mapping)
    assert mygene.terms() == ["NEWGUARDIAN", "NEWGUARDIAN"]
    assert_frame_equal(
        completed.table.filter(pl.col("original") != "NEWGUARDIAN"),
        mapping.table.filter(pl.col("original") != "NEWGUARDIAN"),
    )


def test_complete__asks_nothing_if_nothing_is_open(mygene):
    fallback = online(mygene)
    mapping = map_genes(["TP53", "ENSG00000146648"])
    assert fallback.complete(mapping) is mapping
    assert mygene.requests == []
    assert fallback.identity() is None


def test_complete__by_kind_of_identifier_without_version_and_each_once(mygene):
    labels = ["ENSG00000999901.3", "ENSG00000999901", "NEWGUARDIAN", "NEWGUARDIAN", "X1 (99900001)"]
    online(mygene).complete(map_genes(labels))
    asked = [(form["scopes"], form["q"], form["species"]) for form in mygene.queries]
    assert asked == [
        ("ensembl.gene", '"ENSG00000999901"', "human"),
        ("symbol", '"NEWGUARDIAN"', "human"),
        ("entrezgene,retired", '"99900001"', "human"),
        ("alias", '"NEWGUARDIAN"', "human"),
    ]


def test_complete__never_asks_for_mouse_genes(mygene):
    online(mygene).complete(map_genes(["Newguardian2", "Abcnew1", "Xyznew2"]))
    online(mygene).complete(map_genes(["ENSMUSG00000059552", "ENSMUSG00000999999"]))
    assert mygene.requests == []


def test_complete__asks_in_batches_that_the_service_takes(mygene):
    labels = [f"NOWHERE{number}X" for number in range(2_345)]
    fallback = online(mygene)
    completed = fallback.complete(map_genes(labels))
    sizes = [form["q"].count('"') // 2 for form in mygene.queries]
    assert sizes == [1000, 1000, 345, 1000, 1000, 345]
    assert [path for path, _ in mygene.requests].count("/v3/metadata") == 1
    assert completed.counts() == {"unmapped": 2_345}
    assert fallback.n_questions == 2 * 2_345


# what the answers mean


@pytest.mark.parametrize(
    ("label", "gene", "scopes", "confidence"),
    [
        ("EGFRNEW", EGFR, "symbol", "medium"),
        ("egfrnew", EGFR, "symbol", "medium"),
        ("NEWGUARDIAN", TP53, "alias", "low"),  # among several aliases
        ("NEWERBB", EGFR, "alias", "low"),  # the only alias, not a list
        ("HLANEW", HLA_A, "symbol", "medium"),  # several Ensembl ids, all of one gene
        ("BRCANEW", BRCA1, "symbol", "medium"),  # no Ensembl id; by its Entrez id
    ],
)
def test_complete__maps_unique_hits_and_says_by_which_build(mygene, label, gene, scopes, confidence):
    mapping = online(mygene).complete(map_genes([label]))
    (row,) = mapping.table.select("status", "gene_id", "method", "confidence", "candidates").rows()
    assert row == ("mygene", gene, f"mygene 20261115, {scopes}", confidence, [gene])


def test_complete__maps_retired_entrez_ids(mygene):
    mapping = online(mygene).complete(map_genes(["99900001", "99900002", "99900003", "99900004", "7157"]))
    assert rows(mapping, "gene_symbol") == {
        "99900001": "TP53",
        "99900002": "EGFR",
        "99900003": "EGFR",
        "99900004": None,
        "7157": "TP53",
    }
    assert mapping.counts() == {"current": 1, "mygene": 3, "unmapped": 1}


@pytest.mark.parametrize(
    ("label", "candidates", "note"),
    [
        ("SHAREDNEW", ["ENSG00000133703", "ENSG00000136997"], "mygene 20261115 has it for 2 genes"),
        ("TORNNEW", [TP53, "ENSG00000157764"], "mygene 20261115 has it for 2 genes"),
        (
            "BRANDNEW1",
            ["ENSG00000999901"],
            "mygene 20261115 has it as ENSG00000999901, not in the reference",
        ),
        ("NOWHERE1", [], "not known to mygene 20261115"),
    ],
)
def test_complete__without_one_gene_of_the_reference_says_why(mygene, label, candidates, note):
    mapping = online(mygene).complete(map_genes([label]))
    assert mapping.table.select("status", "gene_id", "candidates", "note").rows() == [
        ("unmapped", None, candidates, note)
    ]


def test_complete__does_not_take_hits_of_other_species_or_of_parts(mygene):
    mygene.documents.append({"_id": "1", "symbol": "ODDNEW", "taxid": 10090, "ensembl": {"gene": TP53}})
    mygene.documents.append({"_id": "2", "symbol": "ODDNEW-AS1", "taxid": 9606, "ensembl": {"gene": EGFR}})
    for document in mygene.documents[-2:]:
        assert not _fitting([document], "ODDNEW", "symbol")
    mapping = online(mygene).complete(map_genes(["ODDNEW"]))
    assert mapping.table["gene_id"].to_list() == [None]


def test_complete__keeps_what_was_said_of_a_retired_id(mygene):
    gone = reference.table("gene_retired").filter(pl.col("gene_id").is_null() & (pl.col("kind") == "retired"))
    retired = gone["retired_id"][0]
    before = map_genes([retired])
    assert before.counts() == {"retired_no_successor": 1}
    mygene.documents.append({"_id": "9", "symbol": "X", "taxid": 9606, "ensembl": [{"gene": retired}, {"gene": TP53}]})
    after = online(mygene).complete(before)
    assert after.table.select("status", "gene_id").rows() == [("mygene", TP53)]
    assert online(mygene).complete(map_genes([retired, "ENSG00000999901"])).counts() == {"mygene": 1, "unmapped": 1}


def test_complete__keeps_rows_order_and_is_idempotent(mygene):
    labels = ["NEWGUARDIAN", "TP53", "NOWHERE1", "NEWGUARDIAN", "QARS"]
    fallback = online(mygene)
    once = fallback.complete(decide_by_context(map_genes(labels)))
    assert once.table["original"].to_list() == labels
    assert once.table["gene_id"][0] == once.table["gene_id"][3] == TP53
    again = fallback.complete(map_genes(once.mapped["gene_id"]))
    assert again.table["gene_id"].to_list() == once.mapped["gene_id"].to_list()
    assert set(once.counts()) <= set(STATUSES)


# cache


def test_cache__a_second_run_asks_nothing_not_even_for_misses(mygene, tmp_path):
    labels = ["NEWGUARDIAN", "NOWHERE1", "SHAREDNEW", "99900001 "]
    first = online(mygene, tmp_path)
    mapped = first.complete(map_genes(labels))
    first.cache.save()
    n_requests = len(mygene.requests)
    second = online(mygene, tmp_path)
    assert_frame_equal(second.complete(map_genes(labels)).table, mapped.table)
    assert len(mygene.requests) == n_requests
    assert second.identity() == first.identity()
    kept = pl.read_parquet(tmp_path / PLACE)
    assert set(kept["build_version"]) == {"20261115"}
    assert kept["fetched_at"].null_count() == 0


def test_cache__keeps_what_others_wrote_and_its_own_builds(mygene, tmp_path):
    first, second = online(mygene, tmp_path), online(mygene, tmp_path)
    first.complete(map_genes(["NEWGUARDIAN"]))
    mygene.build = "20261201"
    second.complete(map_genes(["EGFRNEW"]))
    first.cache.save()
    second.cache.save()
    third = online(mygene, tmp_path)
    mapping = third.complete(map_genes(["NEWGUARDIAN", "EGFRNEW"]))
    assert mapping.table["method"].to_list() == ["mygene 20261115, alias", "mygene 20261201, symbol"]
    assert third.identity()["builds"] == ["20261115", "20261201"]


def test_cache__that_is_damaged_is_asked_for_again(mygene, tmp_path):
    path = tmp_path / PLACE
    path.parent.mkdir()
    path.write_bytes(b"PAR1 no table")
    fallback = online(mygene, tmp_path)
    assert fallback.complete(map_genes(["EGFRNEW"])).counts() == {"mygene": 1}
    fallback.cache.save()
    assert AnswerCache(tmp_path).get("symbol", "EGFRNEW").build == "20261115"


def test_cache__with_another_answer_than_was_given_is_asked_for_again(mygene, tmp_path):
    fallback = online(mygene, tmp_path)
    fallback.complete(map_genes(["EGFRNEW"]))
    fallback.cache.save()
    assert list(kept_faults(tmp_path, Report())) == []
    table = pl.read_parquet(tmp_path / PLACE)
    kept = pl.read_parquet_metadata(tmp_path / PLACE)["sha256"]
    wrong = table.with_columns(hits=pl.lit("[]"))
    wrong.write_parquet(tmp_path / PLACE, metadata={"sha256": kept})
    assert AnswerCache(tmp_path).get("symbol", "EGFRNEW") is None
    (fault,) = kept_faults(tmp_path, Report())
    assert (fault.what, fault.where) == ("A table is damaged.", str(tmp_path / PLACE))
    table.write_parquet(tmp_path / PLACE)
    report = Report()
    assert (AnswerCache(tmp_path).get("symbol", "EGFRNEW"), list(kept_faults(tmp_path, report))) == (None, [])
    assert "it has no checksum" in report.notes[0]


def test_cache__that_cannot_be_written_is_one_clear_error(mygene, tmp_path):
    (tmp_path / "cache").write_text("a file in the way")
    fallback = online(mygene, tmp_path)
    assert fallback.complete(map_genes(["EGFRNEW"])).counts() == {"mygene": 1}
    with pytest.raises(WarehouseError, match="cannot be kept"):
        fallback.save()


def test_cache__is_not_written_without_new_answers(tmp_path):
    cache = AnswerCache(tmp_path)
    cache.save()
    assert list(tmp_path.iterdir()) == []
    AnswerCache(None).put("symbol", "X", Answer([], "1"))


def test_identity__is_of_the_answers_whatever_their_order(mygene):
    one, other, third = online(mygene), online(mygene), online(mygene)
    one.complete(map_genes(["NEWGUARDIAN", "EGFRNEW"]))
    other.complete(map_genes(["EGFRNEW", "NEWGUARDIAN"]))
    assert one.identity() == other.identity()
    mygene.documents = mygene.documents[1:]
    third.complete(map_genes(["NEWGUARDIAN", "EGFRNEW"]))
    assert third.identity()["answers_sha256"] != one.identity()["answers_sha256"]


# faults


@pytest.fixture
def pauses(monkeypatch):
    """The seconds that were waited."""
    waited = []
    monkeypatch.setattr(online_service.time, "sleep", waited.append)
    return waited


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_fault__that_passes_is_tried_again_after_growing_pauses(mygene, pauses, status):
    mygene.fail(status=status, times=2)
    fallback = online(mygene, pause=1.0)
    assert fallback.complete(map_genes(["EGFRNEW"])).counts() == {"mygene": 1}
    assert [path for path, _ in mygene.requests].count("/v3/metadata") == 3
    assert pauses == [1.0, 2.0, 1.0]
    assert fallback.service.down is None


@pytest.mark.parametrize(
    ("fault", "reason", "n_tries"),
    [
        ({"status": 500}, "it answered 500", 4),
        ({"status": 502}, "it answered 502", 4),
        ({"status": 429}, "it answered 429", 4),
        ({"status": 400}, "it answered 400", 1),
        ({"status": 404}, "it answered 404", 1),
        ({"garbage": True}, "its answer cannot be read (JSONDecodeError)", 1),
        ({"drop": True}, "Server disconnected without sending a response.", 4),
    ],
)
def test_fault__that_stays_breaks_the_circuit_and_leaves_the_reference_alone(mygene, fault, reason, n_tries):
    mygene.fail(after=1, **fault)
    labels = ["TP53", "NEWGUARDIAN", "ENSG00000999901"]
    offline = map_genes(labels)
    fallback = online(mygene)
    mapping = fallback.complete(offline)
    assert len(mygene.queries) == n_tries
    assert fallback.service.down == reason
    assert_frame_equal(mapping.table.drop("note"), offline.table.drop("note"))
    notes = rows(mapping, "note")
    assert notes["TP53"] is None
    assert notes["NEWGUARDIAN"] == f"mygene did not answer: {reason}"
    assert notes["ENSG00000999901"] == f"identifier not known; mygene did not answer: {reason}"
    assert (fallback.n_questions, fallback.n_unanswered) == (2, 2)
    fallback.complete(map_genes(["EGFRNEW"]))
    assert len(mygene.queries) == n_tries


def test_fault__a_service_that_hangs_is_given_up_in_time(mygene):
    fallback = online(mygene, timeout=60.0, attempts=2)
    assert fallback.complete(map_genes(["EGFRNEW"])).counts() == {"mygene": 1}  # it answers, however long that takes
    n_asked = len(mygene.queries)
    mygene.fail(hangs=True)
    fallback.service.timeout = 0.15
    fallback.service._client().http_client.timeout = 0.15
    mapping = fallback.complete(map_genes(["NEWGUARDIAN"]))
    assert fallback.service.down == "no answer in 0.15 s"
    assert mapping.counts() == {"unmapped": 1}
    deadline = time.monotonic() + 60
    while len(mygene.queries) < n_asked + 2 and time.monotonic() < deadline:  # it may take up what was given up already
        time.sleep(0.01)
    assert len(mygene.queries) == n_asked + 2


def test_fault__half_way_keeps_the_answers_that_came(mygene, tmp_path):
    labels = ["EGFRNEW", *(f"NOWHERE{number}X" for number in range(1_000))]
    mygene.fail(after=2, status=503)
    fallback = online(mygene, tmp_path)
    mapping = fallback.complete(map_genes(labels))
    assert mapping.counts() == {"mygene": 1, "unmapped": 1_000}
    fallback.cache.save()
    assert pl.read_parquet(tmp_path / PLACE).height == 1_000
    mygene.fault = None
    later = online(mygene, tmp_path)
    later.complete(map_genes(labels))
    assert later.n_unanswered == 0


def test_fault__an_answer_that_leaves_a_term_out_is_no_answer(mygene, monkeypatch):
    monkeypatch.setattr(GeneService, "ask", lambda self, terms, scopes: ("1", {}))
    mapping = online(mygene).complete(map_genes(["EGFRNEW"]))
    assert mapping.table["note"].to_list() == ["mygene did not answer: the term is missing from its reply"]


def test_fault__nobody_listens(pauses):
    fallback = OnlineGenes(GeneService("http://127.0.0.1:9/v3"), AnswerCache())
    mapping = fallback.complete(map_genes(["EGFRNEW"]))
    assert mapping.counts() == {"unmapped": 1}
    assert "refused" in fallback.service.down
    assert pauses == [1.0, 2.0, 4.0]


def test_service__is_at_mygene_info_unless_the_environment_says_otherwise(monkeypatch):
    monkeypatch.delenv(online_service.URL_VARIABLE, raising=False)
    assert GeneService().url == "https://mygene.info/v3"
    monkeypatch.setenv(online_service.URL_VARIABLE, "http://127.0.0.1:8000/v3/")
    assert GeneService().url == "http://127.0.0.1:8000/v3"


def test_import__loads_no_client_before_it_is_asked():
    code = (
        "import sys; from ingest.harmonise.online import OnlineGenes; from ingest.harmonise.online_cache import "
        "AnswerCache; from ingest.harmonise.online_service import GeneService; from ingest.harmonise.genes import "
        "map_genes; OnlineGenes(GeneService(), AnswerCache()).complete(map_genes(['TP53'])); print(*sys.modules)"
    )
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"mygene", "biothings_client", "pandas", "httpx"} & set(modules)
