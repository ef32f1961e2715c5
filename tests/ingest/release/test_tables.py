from __future__ import annotations

import subprocess
import sys

import numpy as np
import polars as pl
import pyarrow as pa

from featurestore.contract import TILE_GENES
from ingest.release.tables import RowWriter, TileWriter, as_arrow, as_numpy

N_GENES = TILE_GENES + 3


def test_tiles__have_null_where_a_number_is_not_one_and_what_rows_share(tmp_path):
    rng = np.random.default_rng(0)
    z, p_value = rng.normal(size=(2, N_GENES)).astype(np.float32), rng.uniform(size=(2, N_GENES))
    z[0, ::5], p_value[:, TILE_GENES:] = np.nan, np.nan
    conditions = np.array([4, 9], np.int32)
    with TileWriter(tmp_path, "signature", N_GENES) as writer:
        writer.write(conditions, {"z": z[:, ::-1], "p_value": [p_value]}, {"effect_kind": "delta_log1p"})
    found = pl.read_parquet(tmp_path / "signature").sort("condition_index", "gene_index")
    assert found["condition_index"].to_list() == [4] * N_GENES + [9] * N_GENES
    assert found["gene_index"].to_list() == [*range(N_GENES)] * 2
    assert set(found["effect_kind"]) == {"delta_log1p"}
    assert found["effect"].null_count() == found.height
    for name, values in (("z", z[:, ::-1]), ("p_value", p_value)):
        assert found[name].null_count() == np.isnan(values).sum()
        np.testing.assert_array_equal(found[name].fill_null(np.nan).to_numpy().reshape(2, -1), values)


def test_tiles__have_one_value_for_each_condition_where_it_is_a_series(tmp_path):
    count = np.arange(2 * N_GENES, dtype=np.int64).reshape(2, -1)
    batch = pl.Series(["b2", None], dtype=pl.String)
    with TileWriter(tmp_path, "control_statistics", N_GENES) as writer:
        writer.write(np.array([0, 0], np.int32), {"count": count}, {"batch": batch})
    found = pl.read_parquet(tmp_path / "control_statistics")
    assert found.filter(pl.col("batch") == "b2")["count"].sort().to_list() == count[0].tolist()
    assert found.filter(pl.col("batch").is_null())["count"].sort().to_list() == count[1].tolist()


def test_rows__have_the_text_that_all_share_and_null_in_what_is_not_given(tmp_path):
    z = np.array([1.0, np.nan, 3.0, 4.0], np.float32)
    columns = {"condition_index": np.array([0, 0, 1, 7], np.int32), "gene_index": np.arange(4, dtype=np.int32), "z": z}
    rows = pa.RecordBatch.from_arrays([as_arrow(each) for each in columns.values()], list(columns))
    with RowWriter(tmp_path, "signature", {"effect_kind": "zscore"}) as writer:
        for part in (rows[:3], rows[3:], rows[:0]):
            writer.write(part)
    found = pl.read_parquet(tmp_path / "signature")
    assert found["condition_index"].to_list() == [0, 0, 1, 7]
    assert found["z"].to_list() == [1.0, None, 3.0, 4.0]
    assert found["effect_kind"].to_list() == ["zscore"] * 4
    assert found["effect"].null_count() == 4
    assert as_numpy(rows[1:].column("gene_index")).tolist() == [1, 2, 3]


def test_tiles__are_written_without_pandas(tmp_path):
    code = (
        "import sys, pathlib, numpy as np; from ingest.release.tables import TileWriter\n"
        "with TileWriter(pathlib.Path(sys.argv[1]), 'signature', 5) as writer:\n"
        "    writer.write(np.array([0], np.int32), {'z': np.ones((1, 5))}, {'effect_kind': 'zscore'})\n"
        "print('pandas.core' in sys.modules)"
    )
    shown = subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, capture_output=True, text=True)
    assert shown.stdout.strip() == "False"
