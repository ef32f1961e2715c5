"""Effects of a source as a feature asks for them."""

import numpy as np
import polars as pl
from feature_specs import external, spec_of

from featurestore.features.builder import build


def test_signature__shrinks_small_conditions_and_takes_responders_only(writer, make_condition):
    writer.dataset("target", [make_condition(f"G{i}") for i in range(3)], np.ones((3, 30)))
    quality = pl.DataFrame({"condition_index": [0, 1, 2], "is_responder": [True, True, False]})
    outside = [make_condition(f"G{i}", "B", cells=10 * (i + 1)) for i in range(3)]
    writer.dataset("external", outside, np.ones((3, 30)) + np.arange(30), quality=quality)
    with writer.open() as store:
        matrix = build(store, spec_of(external("signature", "shrinkage = 10", "responders_only = true")))
    np.testing.assert_allclose(matrix.X[:2, 0], [0.5, 2 / 3])
    assert np.isnan(matrix.X[2]).all()
