"""The catalogue is sound, and its sums count every cell once and what is unknown as unknown."""

from __future__ import annotations

import json
from datetime import date

import polars as pl
import pytest
from click.testing import CliRunner

from featurestore.cli import featurestore
from featurestore.errors import SpecError
from ingest.catalogue.address import downloadable, require_safe
from ingest.catalogue.catalogue import find_entry, last_checked, read_catalogue, read_catalogues
from ingest.catalogue.entry_text import entry_text
from ingest.catalogue.sources import RNA_SEQ, SOURCES, knowledge, sentences, sums, table_of_sources
from ingest.spec import SPECS, read_spec

ENTRIES = read_catalogue()


@pytest.mark.parametrize("entry", ENTRIES.values(), ids=lambda entry: entry.id)
def test_entry__can_be_fetched_as_it_says(entry):
    for file in entry.files:
        if entry.access == "open":
            for each in {file.each()[0], file.each()[-1]}:
                require_safe(downloadable(each.url))
                assert "{" not in each.url + each.name
    names = [file.name for file in entry.files]
    assert len(set(names)) == len(names)
    assert entry.access != "login" or not entry.files
    if entry.same_cells_as is not None:
        first = ENTRIES[entry.same_cells_as]
        assert first.same_cells_as is None
        assert first.id != entry.id


def test_parts__are_numbered_as_published():
    shards = ENTRIES["tahoe_100m"].files[0].each()
    assert len(shards) == 3388
    assert shards[7].name == "train-00007-of-03388.parquet"
    assert shards[-1].url.endswith("/data/train-03387-of-03388.parquet")


@pytest.mark.parametrize("spec", sorted(SPECS.glob("*.toml")), ids=lambda path: path.stem)
def test_specs__are_those_of_catalogued_datasets_under_their_licence(spec):
    dataset = read_spec(spec).dataset
    assert dataset.id == spec.stem
    assert ENTRIES[spec.stem].spec == spec
    assert ENTRIES[spec.stem].licence == dataset.licence


def test_specs__of_the_same_cells_are_of_one_experiment():
    shared = [entry for entry in ENTRIES.values() if entry.spec is not None and entry.same_cells_as is not None]
    for entry in shared:
        first = ENTRIES[str(entry.same_cells_as)]
        if first.spec is not None:
            assert read_spec(entry.spec).dataset.experiment == read_spec(first.spec).dataset.experiment, entry.id


def test_sums__count_new_cells_once():
    table = table_of_sources(ENTRIES, SPECS.parent / "no-warehouse")
    new = [entry for entry in ENTRIES.values() if entry.same_cells_as is None and entry.assay in RNA_SEQ]
    total = sums(table).filter(assay="all RNA-Seq").row(0, named=True)
    assert total["n_datasets"] == len(new)
    assert total["n_conditions"] == sum(entry.n_conditions or 0 for entry in new)
    assert total["n_unknown"] == sum(entry.n_conditions is None for entry in new)
    assert total["n_conditions_ingested"] == 0
    assert "norman_mcfaline_four_lines" not in sentences(table)
    assert "adamson_2016_upr" in sentences(table)


def test_sources__sees_what_is_in_the_warehouse(world):
    table = table_of_sources(ENTRIES, world)
    assert table.schema == SOURCES
    here = table.filter(pl.col("release_id").is_not_null()).sort("dataset_id")
    assert here["dataset_id"].to_list() == ["lincs_demo", "replogle_demo_k562", "replogle_demo_rpe1"]
    assert here["assay"].to_list() == ["l1000", "perturb_seq", "perturb_seq"]
    assert here["n_conditions_ingested"].to_list() == [80, 40, 40]
    assert here["n_conditions"].null_count() == 3
    by_assay = dict(sums(table).select("assay", "n_conditions_ingested").iter_rows())
    assert (by_assay["l1000"], by_assay["all RNA-Seq"]) == (80, 80)


def test_sums__leave_an_ingested_dataset_out_of_the_unknown_ones(world):
    assert "replogle_demo_k562" not in sentences(table_of_sources(ENTRIES, world))


def test_sources__in_every_format(tmp_path):
    def run(*arguments):
        ran = CliRunner().invoke(featurestore, ["--warehouse", str(tmp_path), "sources", *arguments])
        assert ran.exit_code == 0, ran.output
        return ran.stdout

    printed = run()
    assert printed.count("replogle_2022_rpe1 ") == 1
    assert "Perturbation RNA-Seq:" in printed
    assert f"The catalogue is as of {last_checked()}" in printed
    assert 'id = "replogle_2022_rpe1"' in run("--entry", "replogle_2022_rpe1")
    rows = json.loads(run("--format", "json"))
    assert [row["dataset_id"] for row in rows] == list(ENTRIES)
    assert rows[0]["release_id"] is None
    assert json.loads(run("--sums", "--format", "json"))[-1]["assay"] == "all RNA-Seq"
    assert run("--format", "csv").count("\n") == len(ENTRIES) + 1


ONE = """
[[source]]
name = "Here"
citation = "nobody"
licence = "CC0-1.0"
url = "https://example.org"
[[source.dataset]]
id = "cells"
title = "Cells"
assay = "perturb_seq"
format = "h5ad"
"""


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ("n_conditions = 3", "'n_conditions' and 'counted' go together"),
        ('same_cells_as = "cells"\nn_conditions = 3\ncounted = "x"', "first published"),
        ('same_cells_as = "cell"', "cells that it does not have"),
        ('files = [{ name = "../a", url = "https://a.org/a" }]', "name"),
        ('files = [{ name = ".a", url = "https://a.org/a" }]', "not the name of a file"),
        ('files = [{ name = "a", url = "https://a.org/a", md5 = "4f1122ce…a266d3" }]', "md5"),
        ('files = [{ name = "a", url = "https://a.org/a", parts = 3, bytes = 3 }]', "no size or hash"),
        ("colour = 3", "colour"),
        ("=", "not TOML"),
        (ONE[ONE.index("[[source.dataset]]") :], "an id twice"),
    ],
)
def test_read_catalogue__refuses(wrong, says, tmp_path):
    path = tmp_path / "catalogue.toml"
    path.write_text(ONE + wrong)
    with pytest.raises(SpecError, match=says):
        read_catalogue(path)


def test_read_catalogue__says_where_there_is_none(tmp_path):
    with pytest.raises(SpecError, match="cannot be read"):
        read_catalogue(tmp_path / "none.toml")


def test_entry__has_the_licence_of_its_part_else_of_its_source():
    assert ENTRIES["temp_tahoe"].licence == "CC0-1.0"
    assert ENTRIES["nadig_2025_jurkat"].licence == "not stated (GEO)"
    assert ENTRIES["nadig_2025_jurkat_scperturb"].licence == "CC-BY-4.0 (scPerturb)"


def test_simulated_cells__are_counted_nowhere():
    assert {entry.id for entry in ENTRIES.values() if entry.assay == "simulated"} == {"perturb_sapiens", "hypermapdb"}
    assert not ENTRIES["perturb_sapiens"].has_own_cells
    table = table_of_sources(ENTRIES, SPECS.parent / "no-warehouse")
    assert "simulated" not in sums(table)["assay"].to_list()
    assert "perturb_sapiens" not in sentences(table)


def test_own_catalogue__adds_entries_and_takes_the_place_of_those_it_names(tmp_path):
    mine = tmp_path / "mine.toml"
    mine.write_text(ONE + ONE[ONE.index("[[source.dataset]]") :].replace('"cells"', '"replogle_2022_rpe1"'))
    entries = read_catalogue(mine)
    assert set(entries) == {*ENTRIES, "cells"}
    assert (entries["replogle_2022_rpe1"].title, entries["replogle_2022_rpe1"].files) == ("Cells", [])
    assert entries["replogle_2022_k562_gwps"] == ENTRIES["replogle_2022_k562_gwps"]


def test_entry_text__read_again_says_the_same(tmp_path):
    path = tmp_path / "mine.toml"
    texts = [entry_text(entry, date(2026, 12, 1)) for entry in ENTRIES.values()]
    path.write_text(texts[0] + "".join(text.partition("\n")[2] for text in texts[1:]))
    assert last_checked(path) == date(2026, 12, 1)
    assert read_catalogues([path]) == ENTRIES


def test_knowledge__says_its_age_and_the_way_to_set_it_right():
    checked = last_checked()
    assert checked is not None
    said = knowledge(checked, date.fromordinal(checked.toordinal() + 40))
    assert f"as of {checked}, 40 days ago" in said
    assert "--check" in said
    assert "of unknown age" in knowledge(None, checked)


def test_find_entry__suggests():
    with pytest.raises(SpecError, match="did you mean 'replogle_2022_rpe1'"):
        find_entry("replogle_2022_rpe", ENTRIES)
