"""Pictures that stay readable where points lie close together."""

from itertools import combinations
from types import SimpleNamespace

import polars as pl
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from featurestore.evaluation.magnitude import FACTORS
from featurestore.evaluation.pictures import draw_learning, draw_magnitude

RESCALED = dict.fromkeys(("factor", "mae", "pds", "pds_cosine"), pl.Float64) | {"model": pl.String}


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


@pytest.mark.parametrize(("pds", "pds_cosine", "legends"), [(None, None, [False, False]), (0.6, None, [True, False])])
def test_magnitude__has_a_legend_only_where_something_is_drawn(pds, pds_cosine, legends, recwarn):
    rows = [
        {"model": "ridge", "factor": factor, "mae": 0.05 * factor, "pds": pds, "pds_cosine": pds_cosine}
        for factor in FACTORS
    ]
    figure = draw_magnitude(SimpleNamespace(rescaled=pl.DataFrame(rows, schema=RESCALED)))
    assert [axes.get_legend() is not None for axes in figure.axes] == legends
    assert not recwarn.list


def test_learning__names_what_each_single_source_is_worth():
    head = {"axis": "sources", "model": "ridge", "data_points": 4}
    names = {0: [""], 1: ["signature/one", "signature/two"], 2: ["signature/one + signature/two"]}
    curves = [
        head | {"n": float(n), "sources": name, "pearson_delta": 0.1 * n + 0.05 * place}
        for n, each in names.items()
        for place, name in enumerate(each)
    ]
    figure = draw_learning(SimpleNamespace(is_readout=False, curves=pl.DataFrame(curves)))
    told = [(text.get_text(), round(text.xy[1], 2)) for text in figure.axes[1].texts]
    assert told == [("one", 0.1), ("two", 0.15)]


def test_learning__has_no_legend_where_nothing_is_drawn(recwarn):
    curves = {"axis": ["perturbations"], "model": ["ridge"], "n": [2], "pearson_delta": [None], "sources": [None]}
    figure = draw_learning(SimpleNamespace(is_readout=False, curves=pl.DataFrame(curves)))
    assert [axes.get_legend() for axes in figure.axes] == [None, None, None]
    assert not recwarn.list
