"""The text of times that are no number of hours, read out of the ids of conditions."""

from __future__ import annotations

import polars as pl

from featurestore.published_times import with_time_text

LEDGER = pl.DataFrame(
    {
        "entity": ["time", "time", "time", "dose"],
        "original": ["Rest", "Stim/Rest", "24 h", "high"],
        "target_id": [None, None, "24.0", None],
    }
)


def test_time_text__is_what_the_id_ends_with():
    condition = pl.DataFrame(
        [
            ("JAK2/K562/Rest", "crispri", "ENSG1", None, None, "Rest"),
            ("JAK2/K562/Stim/Rest", "crispri", "ENSG1", None, None, "Stim/Rest"),
            ("JAK2/K562/Rest/crispri/ENSG1", "crispri", "ENSG1", None, None, "Rest"),
            ("JAK2/K562/Rest/a/b", "crispri", "ENSG1", None, "a/b", "Rest"),
            ("JAK2/K562/Rest", "crispri", "ENSG1", None, "Rest", None),
            ("x/K562/high", "compound", "name:x", None, None, None),
            ("JAK2/K562/24h", "crispri", "ENSG1", 24.0, None, None),
            ("Rest", "crispri", "ENSG1", 24.0, None, None),
            ("control/Rest", "control", "control", 24.0, None, None),
        ],
        schema=["condition_id", "perturbation_kind", "perturbation_id", "time_h", "cluster", "expected"],
        orient="row",
    )
    found = with_time_text(condition, LEDGER)
    assert found["time_text"].to_list() == condition["expected"].to_list()
    assert with_time_text(condition, LEDGER.clear())["time_text"].to_list() == [None] * condition.height
