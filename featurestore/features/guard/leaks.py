"""The guard: refuses features that contain the answer, and splits that put one perturbation on both sides.

What is checked, on the conditions themselves rather than on names in the spec:

1. no source condition shares an ``experiment_id`` with any row, whatever its dataset is called, unless its feature is
   an average that leaves out each row's own experiment;
2. no source has the target's control cells (:mod:`featurestore.features.guard.shared_controls`);
3. no source looks like the target under another name (:mod:`featurestore.features.guard.lookalike`);
4. no target gene or compound is in two groups of the split, combinations taken apart, compounds by their skeleton.

The first three are overruled only by naming the pair of experiments under ``[[allow]]``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import polars as pl

from featurestore.counts import count_of
from featurestore.errors import LeakageError, did_you_mean, first_of
from featurestore.features.perturbations import target_atoms
from featurestore.features.sections import Allow
from featurestore.spec_faults import spec_error

if TYPE_CHECKING:
    from featurestore.features.selection import Source

_SHOWN = 5


def check_sources(target: pl.DataFrame, sources: Sequence[Source], allow: Sequence[Allow] = ()) -> dict[str, Any]:
    """Prove that no source measured the target's own cells.

    Averages that leave out each row's own experiment may look in the target's experiments, and so may sources that the
    spec allows by naming the pair of experiments.

    Returns
    -------
    The verdict for the manifest: the target's experiments, each source's with its number of conditions, and how many
    conditions of each pair were allowed.

    Raises
    ------
    LeakageError
        Source conditions share an experiment with a row, or conditions do not say which experiment they are from.
    SpecError
        An allowed pair names an experiment that neither the rows nor a source have.
    """
    experiments = _experiments(target, "the target")
    own = {source.block: _experiments(source.conditions, f"feature {source.block}") for source in sources}
    _check_pairs(allow, experiments, {name for names in own.values() for name in names})
    allowed = {pair.target for pair in allow if pair.target == pair.source}
    refused = set(experiments) - allowed
    leaks = [s for s in sources if not s.feature.leaves_own_out and not set(own[s.block]).isdisjoint(refused)]
    if leaks:
        raise _own_experiment(leaks, target, sorted(refused))
    checked = [
        {"source": source.block, "experiments": own[source.block], "n_conditions": source.conditions.height}
        | ({"own_experiment": "left out of each row's average"} if source.feature.leaves_own_out else {})
        for source in sources
    ]
    return {
        "target_experiments": experiments,
        "sources": checked,
        "n_shared_experiments": 0,
        "allowed": [pair.model_dump() for pair in allow],
    }


def without_own(source: Source, rows: pl.DataFrame, matches: pl.DataFrame) -> pl.DataFrame:
    """Drop the matches of rows with conditions of their own experiment, for averages that leave it out."""
    if not source.feature.leaves_own_out:
        return matches
    theirs = source.conditions["experiment_id"].gather(matches["source_row"])
    return matches.filter(theirs != rows["experiment_id"].gather(matches["row"]))


def check_split(rows: pl.DataFrame, by: str) -> dict[str, Any]:
    """Prove that no two groups of the split share a target gene or compound.

    Parameters
    ----------
    rows
        The rows, with their ``group``.
    by
        The column that the groups were made by.

    Returns
    -------
    The verdict for the manifest: numbers of groups and of targets.

    Raises
    ------
    LeakageError
        A target is in several groups.
    """
    atoms = target_atoms(rows).join(rows.with_row_index("row").select("row", "group", "condition_id"), on="row")
    straddling = (
        atoms.group_by("atom")
        .agg(pl.col("group").unique().sort(), pl.col("condition_id").sort())
        .filter(pl.col("group").list.len() > 1)
        .sort("atom")
    )
    if not straddling.is_empty():
        lines = [
            f"{atom} in groups {first_of(list(map(repr, groups)))} (conditions {first_of(conditions)})"
            for atom, groups, conditions in straddling.head(_SHOWN).iter_rows()
        ]
        raise LeakageError(
            f"Groups of the split share {count_of(straddling.height, 'perturbation')}.",
            where=f"split, by = '{by}'",
            got="; ".join(lines),
            do="set by = 'perturbation_id' under [split]",
        )
    return {"group_by": by, "n_groups": rows["group"].n_unique(), "n_targets": atoms["atom"].n_unique(), "n_shared": 0}


def _check_pairs(allow: Sequence[Allow], target: Sequence[str], sources: set[str]) -> None:
    places = {"target": list(target), "source": sorted(sources)}
    faults = [
        f"allow {i}.{place}: no experiment '{getattr(pair, place)}'; {did_you_mean(getattr(pair, place), known)}"
        for i, pair in enumerate(allow, start=1)
        for place, known in places.items()
        if getattr(pair, place) not in known
    ]
    if faults:
        raise spec_error(faults, "the experiments of the rows and of the sources")


def _experiments(conditions: pl.DataFrame, place: str) -> list[str]:
    nameless = conditions.filter(pl.col("experiment_id").is_null())["condition_id"]
    if len(nameless):
        raise LeakageError(
            "Conditions do not say which experiment they are from, so a leak cannot be ruled out.",
            where=place,
            got=f"{count_of(len(nameless), 'condition')}, such as {nameless[0]!r}",
            do="ingest the dataset with an experiment",
        )
    return conditions["experiment_id"].unique().sort().to_list()


def _own_experiment(leaks: Sequence[Source], target: pl.DataFrame, experiments: Sequence[str]) -> LeakageError:
    own = pl.col("experiment_id").is_in(experiments)
    lines = []
    shared: set[str] = set()
    for source in leaks:
        rows = source.conditions.filter(own)
        shared.update(rows["experiment_id"])
        first = first_of(list(map(repr, rows["condition_id"])))
        lines.append(f"{source.block}: {rows.height} of {count_of(source.conditions.height, 'condition')} ({first})")
    names = ", ".join(f"'{name}'" for name in sorted(shared))
    predicted = target.filter(pl.col("experiment_id").is_in(sorted(shared))).height
    return LeakageError(
        "A feature looks in the experiment that it is to predict.",
        where=f"experiment {names}, which has {predicted} of the {target.height} rows",
        expected="features from other experiments only",
        got="\n            ".join(lines),
        do=f'narrow the feature: where = "experiment_id not in ({names})"; '
        "if this is no leak, name the pair of experiments under [[allow]] with a reason",
    )
