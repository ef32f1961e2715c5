"""What is known of a name, on the small world."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner

from featurestore.commands.show import show
from featurestore.errors import FeatureStoreError, QueryError
from featurestore.lookup.named import find_named
from featurestore.query.sqlfiles import sql_files
from featurestore.store import Store


@pytest.fixture(scope="module")
def store(world):
    with Store(world) as opened:
        yield opened


@pytest.fixture(scope="module")
def perturbed(store):
    """The perturbation that changes most genes in K562."""
    return store.frame(
        "select perturbation from condition join quality using (dataset_id, condition_id) "
        "where dataset_id = 'replogle_demo_k562' order by n_significant desc, condition_id limit 1"
    ).item()


def shown(world, *words):
    answer = CliRunner().invoke(show, words, obj=world, catch_exceptions=False)
    assert answer.exit_code == 0
    return answer.stdout


def test_find_named__knows_any_case_any_line_and_former_symbols(store, perturbed):
    assert find_named(store, perturbed.lower())["entity"].to_list() == ["perturbation", "gene"]
    assert find_named(store, "K-562").row(0)[:3] == ("context", "CVCL_0004", "K562")
    assert find_named(store, "mll").row(0)[2:] == ("KMT2A", "MLL: previous name")
    assert find_named(store, "lincs_demo")["entity"].to_list() == ["dataset"]


def test_find_named__of_an_unknown_name_gives_the_nearest(store):
    with pytest.raises(QueryError, match="Nothing is called 'lincs_dem'") as caught:
        find_named(store, "lincs_dem")
    assert "lincs_demo (dataset)" in caught.value.got
    with pytest.raises(QueryError, match="Nothing is called 'K563'") as caught:
        find_named(store, "K563")
    assert "K562" in caught.value.do


def test_show__gives_the_conditions_and_genes_of_a_perturbation_as_sql_does(world, store, perturbed):
    card = next(
        part for part in json.loads(shown(world, perturbed, "--format", "json")) if part["is"] == "perturbation"
    )
    asked = store.frame("select count(*) from condition where perturbation = $p", {"p": perturbed}).item()
    assert card["n_conditions"] == asked
    dataset, condition = card["of"].split(":", 1)
    for side, sign in (("up", ">"), ("down", "<")):
        genes = store.frame(
            f"select gene from effects where dataset_id = $d and condition_id = $c and effect {sign} 0 "
            "order by abs(z) desc nulls last, abs(effect) desc, gene_id limit 10",
            {"d": dataset, "c": condition},
        )["gene"].to_list()
        assert [row["gene"] for row in card[side]] == genes


def test_show__lists_what_moves_a_gene_and_what_a_line_and_a_dataset_hold(world, store, perturbed):
    gene = json.loads(shown(world, perturbed, "--format", "json", "--top", "1"))[-1]
    assert gene["responses"][0]["z"] == pytest.approx(
        store.frame(
            "select z from effects where gene = $g order by abs(z) desc nulls last limit 1", {"g": perturbed}
        ).item()
    )
    (line,) = json.loads(shown(world, "RPE1", "--format", "json"))
    assert [row["dataset_id"] for row in line["datasets"]] == ["replogle_demo_rpe1"]
    (dataset,) = json.loads(shown(world, "replogle_demo_k562", "--format", "json"))
    assert dataset["n_conditions"] == 40
    assert dataset["strongest"][0]["perturbation"] == perturbed


def test_show__draws_a_volcano_and_a_heat_map(world, perturbed, tmp_path):
    shown(world, perturbed, "--volcano", str(tmp_path / "v.svg"), "--heat-map", str(tmp_path / "h.png"))
    assert perturbed in (tmp_path / "v.svg").read_text(encoding="utf-8")
    assert (tmp_path / "h.png").read_bytes().startswith(b"\x89PNG")
    answer = CliRunner().invoke(show, ["RPE1", "--volcano", str(tmp_path / "x.png")], obj=world)
    assert answer.exit_code == 2
    assert "no signature to draw" in answer.output


def test_store__reads_signatures_by_name(store, perturbed):
    everywhere = store.signature(perturbed)
    assert everywhere["dataset_id"].n_unique() == 3
    one = store.signature(perturbed.lower(), context="k-562")
    assert one.equals(everywhere.filter(dataset_id="replogle_demo_k562"))
    assert one["z"].abs().is_sorted(descending=True)
    with pytest.raises(FeatureStoreError, match="was not perturbed in dataset lincs_demo and context K562"):
        store.signature(perturbed, dataset_id="lincs_demo", context="K562")
    assert store.perturbations()["n_datasets"][0] == 2
    assert store.datasets()["dataset_id"].to_list() == ["lincs_demo", "replogle_demo_k562", "replogle_demo_rpe1"]


def test_responders__are_unknown_where_no_condition_is_told_to_be_one_or_none(writer, make_condition):
    conditions = [make_condition("G1"), make_condition("G2")]
    writer.dataset("screen", conditions, np.ones((2, 30)))
    quality = pl.DataFrame({"condition_index": [0, 1], "is_responder": [False, None]})
    writer.dataset("told", conditions, np.ones((2, 30)), quality=quality)
    with writer.open() as store:
        assert "responders not known" in shown(writer.root, "screen")
        assert "0 responders" in shown(writer.root, "told")
        assert store.frame(sql_files("ui")["overlap"], {"a": "screen", "b": "told"}).select(
            "^n_responders_.*$"
        ).rows() == [
            (None, 0),
            (None, None),
        ]
        assert store.perturbations().select("perturbation", "n_responders").rows() == [("G1", 0), ("G2", None)]


def test_signature__is_found_by_former_names_of_its_gene_and_by_parts_in_any_order(writer, make_condition, gene_ids):
    label = {"label": ["OLD1", "BOTH", "BOTH"], "gene_id": gene_ids[1:2] * 2 + gene_ids[2:3]}
    labels = pl.DataFrame(label).with_columns(kind=pl.lit("alias"))
    labels.write_parquet(writer.root / "reference" / "genes" / "gene_label.parquet")
    conditions = [
        make_condition("G1", perturbation="S002"),
        make_condition("G2", perturbation="S003"),
        make_condition("G1+G2", perturbation="S002+S003"),
    ]
    writer.dataset("screen", conditions, np.arange(90.0).reshape(3, 30))
    with writer.open() as store:
        for name, first in {"old1": 0.0, "S003": 30.0, "S003+S002": 60.0, "s002 + s003": 60.0, "G1+G2": 60.0}.items():
            found = store.signature(name)
            assert found["effect"].sort().to_list() == [first + i for i in range(30)], name
        with pytest.raises(QueryError, match="'both' is a name of 2 genes") as refused:
            store.signature("both")  # an alias of two genes is neither
        assert "ask for the one that is meant: S002, S003" in str(refused.value)
