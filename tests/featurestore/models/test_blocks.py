"""Blocks are centred, scaled and completed from the training rows alone."""

import numpy as np
import pytest

from featurestore.models.blocks import SignatureBlocks

BLOCKS = np.array(["a", "a", "a", "b", "b"])


@pytest.fixture
def features():
    values = np.random.default_rng(0).normal(size=(30, 5)) * [10, 5, 1, 0.01, 0.02] + 3
    values[::4, 3:] = np.nan
    return values


def test_blocks__of_any_scale_and_coverage_get_rows_of_mean_square_length_one(features):
    values = SignatureBlocks(BLOCKS).fit_transform(features)
    has = np.isfinite(features)
    for block in "ab":
        columns = np.equal(BLOCKS, block)
        covered = has[:, columns].any(axis=1)
        assert np.square(values[covered][:, columns]).sum(axis=1).mean() == pytest.approx(1.0)
    assert values[~has].tolist() == [0.0] * (~has).sum()


def test_blocks__keep_the_relative_scale_of_their_columns(features):
    values = SignatureBlocks(BLOCKS).fit_transform(features)
    assert values[:, 0].std() / values[:, 2].std() == pytest.approx(features[:, 0].std() / features[:, 2].std())


def test_blocks__are_learnt_from_the_training_rows_only(features):
    fitted = SignatureBlocks(BLOCKS).fit(features[:20])
    test = features[20:].copy()
    first = fitted.transform(test)
    test[1:] *= 1000
    np.testing.assert_array_equal(fitted.transform(test)[0], first[0])


def test_blocks__indicate_on_request_which_blocks_a_row_has(features):
    fitted = SignatureBlocks(BLOCKS, indicator=True).fit(features)
    values = fitted.transform(features)
    assert values.shape == (30, 7)
    np.testing.assert_allclose(values[:, 5:].mean(axis=0), 0, atol=1e-12)
    assert len(np.unique(values[:, 5])) == 1
    assert (values[:, 6] < 0).tolist() == np.isnan(features[:, 3]).tolist()


def test_blocks__that_no_training_row_has_or_that_do_not_vary_are_zero(features):
    features[:, :3], features[:, 3:] = np.nan, 2.0
    assert not SignatureBlocks(BLOCKS).fit_transform(features).any()


def test_blocks__refuse_another_number_of_features(features):
    with pytest.raises(ValueError, match="names 5 features; X has 4"):
        SignatureBlocks(BLOCKS).fit(features[:, :4])
    with pytest.raises(ValueError, match="4 features; 5 were fitted"):
        SignatureBlocks(BLOCKS).fit(features).transform(features[:, :4])
