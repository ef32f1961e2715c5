"""Pictures that stay readable where points lie close together."""

from itertools import combinations
from types import SimpleNamespace

import polars as pl
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from featurestore.evaluate.magnitude import FACTORS
from featurestore.evaluate.pictures import draw_magnitude


@pytest.mark.parametrize("spread", [0.0, 0.01, 1.0])
def test_magnitude__writes_no_label_over_another(spread):
    rows = [
        {"model": model, "factor": factor, "mae": 0.05 + base + 0.01 * factor, "pds": 0.5 + spread * factor / 10}
        for model, base in (("elsewhere", 0.002), ("ridge", 0.0))
        for factor in FACTORS
    ]
    table = pl.DataFrame(rows).with_columns(pds_cosine=pl.lit(0.5))
    figure = draw_magnitude(SimpleNamespace(rescaled=table))
    FigureCanvasAgg(figure).draw()
    for axes in figure.axes:
        boxes = [text.get_window_extent() for text in axes.texts]
        assert boxes
        assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))
