"""L1000 level 5 of the landmark genes: a GCTX file and its text twin, whose values have four decimals."""

from __future__ import annotations

import pytest

from featurestore.query.warehouse import Warehouse
from ingest.commands.ingest import shipped_specs
from ingest.pipeline import ingest_dataset

TABLES = ("condition", "mapping", "quality", "rejected")


@pytest.fixture(scope="module")
def store(real_data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("twins")
    text = shipped_specs()["lincs_modzs_272"].read_text(encoding="utf-8")
    for suffix in ("gctx", "gct"):
        spec = folder / f"{suffix}.toml"
        spec.write_text(text.replace('id = "lincs_modzs_272"', f'id = "{suffix}"').replace("978.gctx", f"978.{suffix}"))
        ingest_dataset(spec, folder / "warehouse", real_data / "lincs")
    with Warehouse(folder / "warehouse") as store:
        yield store


@pytest.mark.parametrize("table", TABLES)
def test_twins__give_identical_rows(store, table):
    columns = [name for name in store.frame(f"select * from {table} limit 0").columns if name != "dataset_id"]
    rows = [
        store.frame(f"select {', '.join(columns)} from {table} where dataset_id = '{twin}' order by all")
        for twin in ("gctx", "gct")
    ]
    assert rows[0].height > 0 or table == "rejected"
    assert rows[0].equals(rows[1])


def test_twins__have_equal_effects_to_the_decimals_of_the_text(store):
    (row,) = store.frame(
        "select count(*) as n, max(abs(a.effect - b.effect)) as largest from signature a "
        "join signature b using (condition_id, gene_id) where a.dataset_id = 'gctx' and b.dataset_id = 'gct'"
    ).rows()
    assert row[0] == 272 * 978
    assert row[1] < 5.1e-5


def test_doses__are_read_despite_latin_1(store):
    doses = store.frame("select distinct dose_um from condition order by 1")["dose_um"].to_list()
    assert doses == [0.1, 0.5, 1.0, 3.0, 10.0]


def test_genes__every_entrez_id_of_the_landmarks_is_mapped(store):
    counts = store.frame(
        "select status, count(*) as n, count(target_id) as mapped from mapping "
        "where dataset_id = 'gctx' and entity = 'gene' group by all"
    )
    assert counts.rows() == [("current", 978, 978)]
