"""LINCS L1000 levels 3 and 4: signatures are made of wells, by MODZ."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from featurestore.errors import MissingControlError, SpecError
from featurestore.query.warehouse import Warehouse
from ingest import reference
from ingest.commands.ingest import shipped_specs
from ingest.pipeline import ingest_dataset
from ingest.signatures.modz import moderate
from layouts.lincs import LincsSignatures, write_lincs_wells

SPECS = shipped_specs()
CMAPPY = {
    "CP-724714": {
        "PSME1": -0.43119, "CISD1": 1.191766, "VDAC1": -0.642131, "SORBS3": 1.140009,
    },
    "CGP-60474": {
        "PSME1": 2.869, "CISD1": 3.694839, "VDAC1": 3.490362, "SORBS3": 1.712616,
    },
}  # fmt: skip
"""What agg_wt_avg of cmapPy 4.0.1 gives for the six doses of two compounds on the real plate, z clipped to +-10."""


@pytest.fixture(scope="module")
def plates():
    """Expression of 3 plates x (8 controls and 10 knock-outs), another without controls, and what is true of it."""
    rng = np.random.default_rng(5)
    genes = reference.table("gene").filter(
        pl.col("biotype") == "protein_coding", pl.col("entrez_id").is_not_null(), pl.col("gene_id").str.starts_with("E")
    )
    genes = genes.sort("gene_id").gather_every(300).head(30)
    names = [*["DMSO"] * 8, *genes["gene_symbol"].head(10)]
    rows = pl.DataFrame(
        [
            (f"{plate}:{well}", name, "ctl_vehicle" if name == "DMSO" else "trt_xpr", plate)
            for plate in ("X1", "X2", "X3")
            for well, name in enumerate(names)
        ]
        + [("X4:0", names[8], "trt_xpr", "X4"), ("X4:1", "TP53", "trt_xpr", "X4")],
        schema=["index", "name", "pert_type", "plate"],
        orient="row",
    ).with_columns(pert_id="name", cell=pl.lit("A375"), time=pl.lit("96 h"))
    shift = {"X1": 0.0, "X2": 3.0, "X3": -2.0, "X4": 1.0}
    effect = {name: rng.normal(scale=2, size=30) for name in [*names, "TP53"]} | {"DMSO": np.zeros(30)}
    matrix = np.stack([8 + shift[p] + effect[n] + rng.normal(size=30) for n, p in rows.select("name", "plate").rows()])
    described = genes.select(
        index="entrez_id", symbol="gene_symbol", ensembl_id="gene_id",
        space=pl.Series([["landmark", "inferred"][k % 3 == 0] for k in range(30)]),
    )  # fmt: skip
    return LincsSignatures(matrix.astype(np.float32), rows, described)


def ingested(spec, folder):
    ingest_dataset(spec, folder / "warehouse", folder)
    return Warehouse(folder / "warehouse")


def expected(plates, values, name):
    wells = ((plates.rows["name"] == name) & (plates.rows["plate"] != "X4")).to_numpy()
    return moderate(values[wells].astype(float), (plates.genes["space"] == "landmark").to_numpy())


def of_condition(store, symbol):
    signature = store.frame(
        "select entrez_id, effect from signature join condition using (dataset_id, condition_id) "
        "join gene using (gene_id) where perturbation_label = $1",
        [symbol],
    )
    quality = store.frame(
        "select q.* from quality q join condition using (dataset_id, condition_id) where perturbation_label = $1",
        [symbol],
    )
    return dict(signature.rows()), quality.row(0, named=True)


def test_level_4__becomes_level_5_by_modz_over_the_landmarks(plates, tmp_path):
    wells = plates.rows["plate"] != "X4"
    kept = LincsSignatures(plates.matrix[wells.to_numpy()], plates.rows.filter(wells), plates.genes)
    write_lincs_wells(tmp_path, 4, kept)
    with ingested(SPECS["lincs2020_level4_trt_xpr"], tmp_path) as store:
        assert store.frame("select n_conditions, n_controls from dataset").row(0) == (10, 0)
        assert store.frame("select distinct effect_kind from signature").item() == "moderated_z"
        for name in plates.rows["name"].unique().drop_nulls():
            if name in {"DMSO", "TP53"}:
                continue
            true = expected(plates, plates.matrix, name)
            signature, quality = of_condition(store, name)
            np.testing.assert_allclose([signature[g] for g in plates.genes["index"]], true.z, rtol=1e-6, atol=1e-6)
            assert quality["n_cells"] == 3
            assert quality["replicate_correlation"] == pytest.approx(true.correlation)
            assert quality["tas"] == pytest.approx(true.tas)
            assert quality["is_responder"] == (true.tas >= 0.2)
            assert f"{true.strength} landmark genes changed, 3 wells" in quality["reason"]


def test_level_3__is_compared_with_the_controls_of_its_own_plate(plates, tmp_path):
    write_lincs_wells(tmp_path, 3, plates)
    z = np.full_like(plates.matrix, np.nan, dtype=np.float64)
    for plate in ("X1", "X2", "X3"):
        here = (plates.rows["plate"] == plate).to_numpy()
        controls = plates.matrix[here & (plates.rows["name"] == "DMSO").to_numpy()].astype(float)
        middle = np.median(controls, axis=0)
        mad = np.maximum(np.median(np.abs(controls - middle), axis=0), 0.1)
        z[here] = (plates.matrix[here] - middle) / (1.4826 * mad)
    first = plates.genes["symbol"][0]
    with ingested(SPECS["lincs2020_level3_trt_xpr"], tmp_path) as store:
        true = expected(plates, z, first)
        signature, quality = of_condition(store, first)
        np.testing.assert_allclose([signature[g] for g in plates.genes["index"]], true.z, rtol=1e-4, atol=1e-4)
        assert quality["n_cells"] == 3
        absent, unknown = of_condition(store, "TP53")
        assert absent == {}
        assert (unknown["is_responder"], unknown["reason"]) == (None, "no control wells on its plates")
        assert store.frame("select n_controls from dataset").item() == 1


def test_level_3__without_controls_or_plates_is_refused(plates, tmp_path):
    write_lincs_wells(tmp_path, 3, plates)
    text = SPECS["lincs2020_level3_trt_xpr"].read_text()
    spec = tmp_path / "edited.toml"
    spec.write_text(text.replace(', "level3_beta_ctl_n*.gctx"', ""))
    with pytest.raises(MissingControlError):
        ingest_dataset(spec, tmp_path / "warehouse", tmp_path)
    spec.write_text(text.replace('batch = "det_plate"\n', ""))
    with pytest.raises(SpecError, match="name the plate"):
        ingest_dataset(spec, tmp_path / "warehouse", tmp_path)


def test_real_plate__equals_cmappy_over_the_doses_of_a_compound(real_data, tmp_path):
    spec = tmp_path / "plate.toml"
    spec.write_text(
        SPECS["lincs_level4_plate"]
        .read_text()
        .replace('dose = { column = "pert_idose" }', 'pooled = ["pert_dose", "pert_idose"]')
    )
    ingest_dataset(spec, tmp_path / "warehouse", real_data / "lincs")
    with Warehouse(tmp_path / "warehouse") as store:
        for compound, genes in CMAPPY.items():
            found = store.frame(
                "select gene_symbol, effect from signature join condition using (dataset_id, condition_id) "
                "where perturbation_label = $1",
                [compound],
            )
            table = dict(found.rows())
            for symbol, value in genes.items():
                assert table[symbol] == pytest.approx(value, abs=1e-3), (compound, symbol)
        assert store.frame("select sum(n_cells)::int from quality").item() == 351


def test_real_plate__has_a_condition_for_each_dose(real_data, tmp_path):
    ingest_dataset(SPECS["lincs_level4_plate"], tmp_path / "warehouse", real_data / "lincs")
    with Warehouse(tmp_path / "warehouse") as store:
        assert store.frame("select n_conditions, n_controls, n_genes from dataset").row(0) == (351, 1, 978)
        assert store.frame("select distinct reason from quality").item().startswith("one well")
