"""Which conditions are compared with which controls: of the same context, cluster and time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

EXACT, LOOSE = ("context_id", "cluster", "time_h", "time_text"), ("context_id", "cluster")


@dataclass(frozen=True, slots=True)
class Comparison:
    """Conditions and the controls they are set against.

    ``controls`` and ``members`` are condition indices; ``same_time`` says whether the controls have the members' time.
    """

    controls: tuple[int, ...]
    members: npt.NDArray[np.int32]
    same_time: bool


def compare_by(condition: pl.DataFrame) -> Iterator[Comparison]:
    """Yield controls and the conditions to compare with them.

    Controls are those of the same context, cluster and time; where that time has none, of the same context and cluster.
    Where no control of the context says its time, it has any.

    Parameters
    ----------
    condition
        The release's condition table, with the ``time_text`` of times that are no number of hours.
    """
    controls = condition.filter("is_control")
    treated = condition.filter(~pl.col("is_control"))
    by_time = treated.join(controls.select(EXACT).unique(), on=list(EXACT), how="semi", nulls_equal=True)
    others = treated.join(by_time, on="condition_index", how="anti")
    timed = controls.filter(pl.col("time_h").is_not_null() | pl.col("time_text").is_not_null()).select(LOOSE).unique()
    untimed = others.join(timed, on=list(LOOSE), how="anti", nulls_equal=True)
    strangers = others.join(untimed, on="condition_index", how="anti")
    for members, key, same_time in ((by_time, EXACT, True), (untimed, LOOSE, True), (strangers, LOOSE, False)):
        references = controls.group_by(key).agg(controls="condition_index")
        groups = members.group_by(key, maintain_order=True).agg("condition_index")
        matched = groups.join(references, on=list(key), how="inner", nulls_equal=True, maintain_order="left")
        for indices, reference in matched.select("condition_index", "controls").rows():
            yield Comparison(tuple(sorted(reference)), np.array(sorted(indices), np.int32), same_time)
