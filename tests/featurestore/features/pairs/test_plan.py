"""What a plan says of sources where rows are pairs."""

from dataclasses import replace

import numpy as np
import pytest

from featurestore.features import plan as module
from featurestore.features.plan import plan


def test_plan__never_looks_at_the_answers_of_the_datas_own_test_split(pair_store, pair_spec, monkeypatch):
    spec = pair_spec("changed", 'column = "published_split"')
    honest = plan(pair_store, spec)
    measure = module.measure

    def altered(*arguments):
        measured = measure(*arguments)
        rows = pair_store.frame("select condition_id, published_split from condition")
        of_test = measured.rows["condition_id"].is_in(rows.filter(published_split="test")["condition_id"].implode())
        assert 0 < of_test.sum() < len(of_test)
        return replace(measured, effects=np.where(of_test.to_numpy()[:, None], 1 - measured.effects, measured.effects))

    monkeypatch.setattr(module, "measure", altered)
    assert plan(pair_store, spec).sources.equals(honest.sources)
    assert honest.sources["agreement"][0] == pytest.approx(0.19, abs=0.1)
    assert honest.facts["n_data_points"] == 90 * 3
