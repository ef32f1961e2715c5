"""Submissions are read back: what was predicted is in the cells, and the file is what the challenge expects."""

import tarfile

import numpy as np
import pytest
from scipy import sparse

from featurestore.challenge import Cells, as_cells, emit_cells, score_cells, write_vcc
from featurestore.challenge import submission as module
from featurestore.challenge.cells import read_vcc
from featurestore.errors import FeatureError

GENES = tuple(f"G{i}" for i in range(25))
NAMES = ("G0", "G1", "pool")


@pytest.fixture(scope="module")
def controls():
    rng = np.random.default_rng(0)
    counts = rng.poisson(rng.lognormal(1.5, 0.8, 25), (400, 25)).astype(float)
    labels = np.array(["non-targeting"] * 380 + ["G0"] * 20)
    return Cells(sparse.csr_array(counts), labels, GENES)


@pytest.fixture(scope="module")
def effects():
    effects = np.random.default_rng(1).normal(0, 0.4, (3, 25))
    effects[0, 3] = np.nan
    return effects


def means(cells, name):
    return np.asarray(cells.log1p(1e4)[cells.labels == name].mean(axis=0)).ravel()


def test_cells__have_the_predicted_mean_and_the_noise_of_control_cells(controls, effects):
    made = emit_cells(controls, effects, NAMES, n_cells=60)
    wanted = (means(controls, "non-targeting") + np.nan_to_num(effects)).clip(0)
    for i, name in enumerate(NAMES):
        np.testing.assert_allclose(means(made, name), wanted[i], atol=1e-5)
    one = made.values[made.labels == "G0"].toarray()
    assert (one.std(axis=0) > 0).all()
    assert made.values.data.max() < 15
    np.testing.assert_allclose(means(made, "non-targeting"), means(controls, "non-targeting"), rtol=1e-6)


def test_cells__of_one_seed_are_the_same_and_of_another_are_not(controls, effects):
    first, again, other = (emit_cells(controls, effects, NAMES, n_cells=9, seed=seed) for seed in (1, 1, 2))
    assert abs(first.values - again.values).nnz == 0
    assert abs(first.values - other.values).nnz > 0


def test_cells__take_numbers_by_perturbation_and_draw_more_than_there_are_controls(controls, effects):
    made = emit_cells(controls, effects, NAMES, n_cells={"G0": 5, "G1": 900, "pool": 1})
    assert [int((made.labels == name).sum()) for name in NAMES] == [5, 900, 1]


def test_counts__are_whole_and_their_sums_carry_the_fold_change(controls):
    effects = np.zeros((1, 25))
    effects[0, :3] = np.log([2.0, 0.5, 1.5])
    made = emit_cells(controls, effects, ["pool"], n_cells=3000, as_counts=True)
    assert made.is_counts
    sums = [np.asarray(made.values[made.labels == name].mean(axis=0)).ravel() for name in ("pool", "non-targeting")]
    ratio = sums[0] / sums[1]
    np.testing.assert_allclose(ratio[3:], 1.0, atol=0.03)
    np.testing.assert_allclose(ratio[:3], [2.0, 0.5, 1.5], rtol=0.05)


def test_vcc__is_a_tar_of_a_compressed_h5ad_and_a_watermark(controls, effects, tmp_path):
    made = emit_cells(controls, effects, NAMES, n_cells=20)
    genes = GENES[::-1]
    write_vcc(made, tmp_path / "prediction.vcc", genes=genes)
    assert [path.name for path in tmp_path.iterdir()] == ["prediction.vcc"]
    with tarfile.open(tmp_path / "prediction.vcc") as tar:
        assert tar.getnames() == ["pred.h5ad.zst", "watermark.txt"]
        assert tar.extractfile("watermark.txt").read() == b"vcc-prep"
        assert tar.extractfile("pred.h5ad.zst").read(4) == b"\x28\xb5\x2f\xfd"
    found = read_vcc(tmp_path / "prediction.vcc")
    assert found.shape == (440, 25)
    assert found.var_names.tolist() == list(genes)
    assert found.obs.columns.tolist() == ["target_gene"]
    assert found.X.dtype == np.float32
    back = as_cells(found)
    assert not back.is_counts
    np.testing.assert_array_equal(back.values[:, ::-1].toarray(), made.values.toarray())


def test_vcc__that_the_challenge_would_refuse_is_not_written(controls, effects, tmp_path, monkeypatch):
    made = emit_cells(controls, effects, NAMES, n_cells=20)
    path = tmp_path / "prediction.vcc"
    with pytest.raises(FeatureError, match=r"number of genes is not the challenge's(.|\n)*--genes, or .*2026"):
        write_vcc(made, path)
    with pytest.raises(FeatureError, match=r"1 of the 1 expected genes") as caught:
        write_vcc(made, path, genes=["G244"])
    assert caught.value.do.endswith("of G244: did you mean 'G24' or 'G4'?")
    with pytest.raises(FeatureError, match="takes log1p"):
        write_vcc(controls, path, genes=GENES)
    monkeypatch.setattr(module, "MOST_CELLS_2025", 100)
    with pytest.raises(FeatureError, match="too many cells"):
        write_vcc(made, path, genes=GENES)
    assert not list(tmp_path.iterdir())


def test_effects__of_another_shape_or_counts_of_log1p_controls_are_refused(controls, effects):
    with pytest.raises(FeatureError, match="3 perturbations x 25 genes"):
        emit_cells(controls, effects[:, :4], NAMES)
    logs = Cells(controls.log1p(1e4), controls.labels, GENES)
    with pytest.raises(FeatureError, match="Counts can only be made of counts"):
        emit_cells(logs, effects, NAMES, as_counts=True)


def test_true_effects__made_into_cells_score_far_better_than_none(controls, effects):
    truth = emit_cells(controls, effects, NAMES, n_cells=80, seed=5)
    right = emit_cells(controls, effects, NAMES, n_cells=80, seed=6)
    none = emit_cells(controls, np.zeros_like(effects), NAMES, n_cells=80, seed=6)
    good, bad = (score_cells(cells, truth).means() for cells in (right, none))
    assert good["mae_levels"] < 0.01 < bad["mae_levels"]
    assert good["pds"] == 1.0
    assert good["overlap_at_n"] > bad["overlap_at_n"] + 0.3


def test_emit__refuses_an_effect_of_the_control(controls, effects):
    labels = [controls.control, *NAMES[1:]]
    with pytest.raises(FeatureError, match="An effect is of the control"):
        emit_cells(controls, effects, labels, n_cells=9)
