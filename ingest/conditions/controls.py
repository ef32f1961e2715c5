"""Whether there are control cells; where there are none, which labels may be meant."""

from __future__ import annotations

import polars as pl

from featurestore.errors import MissingControlError, did_you_mean
from ingest.condition_section import ConditionSection
from ingest.harmonise.combinations import unassigned_words
from ingest.sections import column_in_sql
from ingest.spec import DatasetSpec

USUAL_CONTROLS = {"non-targeting", "control", "ctrl", "nt", "ntc", "dmso", "dmso_tf", "vehicle", "pbs"}
MOST_SHOWN = 5


def require_control(mapped: pl.DataFrame, spec: DatasetSpec, where: str) -> None:
    """Refuse rows none of which is a control, and say which labels may be meant.

    Parameters
    ----------
    mapped
        Every distinct combination of labels, with ``n_rows``, ``perturbation_label``, ``is_control`` and ``reason``.
    spec
        The dataset's spec.
    where
        The files, for the message.

    Raises
    ------
    MissingControlError
        No row carries a control label.
    """
    taken = mapped.filter(pl.col("n_rows") > 0)
    if taken.select((pl.col("is_control") & pl.col("reason").is_null()).any()).item():
        return
    controls = spec.condition.controls
    labels = taken.group_by("perturbation_label").agg(pl.col("n_rows").sum())
    labels = labels.sort("n_rows", "perturbation_label", descending=[True, False], nulls_last=True)
    first = ", ".join(f"{label!r} ({n:,} cells)" for label, n in labels.head(MOST_SHOWN).rows())
    names = [str(label) for label in labels["perturbation_label"].drop_nulls()]
    near = [did_you_mean(name, names) for name in controls]
    hints = list(dict.fromkeys(hint for hint in near if hint.startswith("did you mean")))
    hints += [f'set controls = ["{name}"] under [condition]' for name in names if name.lower() in USUAL_CONTROLS]
    hints += _unlabelled(labels, spec.condition)
    columns = " and ".join(map(repr, spec.condition.components))
    raise MissingControlError(
        "No control cells were found.",
        where=f"column {columns} of {where}" if columns else where,
        expected=_expected_controls(spec.condition),
        got=first + (f", ... ({labels.height:,} labels)" if labels.height > MOST_SHOWN else ""),
        do="; ".join(hints) or "name the control labels in controls under [condition], exactly as they are written",
    )


def _unlabelled(labels: pl.DataFrame, rules: ConditionSection) -> list[str]:
    """Say how rows without a label, or with a word for none, become controls, where there are such."""
    hints = []
    if labels["perturbation_label"].null_count() and isinstance(rules.perturbation, str):
        where = f"{column_in_sql(rules.perturbation)} is null"
        hints.append(f'if rows without a label are the controls, set control_where = "{where}" under [condition]')
    words = (
        labels.filter(pl.col("perturbation_label").is_in(sorted(unassigned_words(rules))))["perturbation_label"]
        .head(MOST_SHOWN)
        .to_list()
    )
    if words:
        named = ", ".join(f'"{word}"' for word in words)
        hints.append(f"if {' or '.join(map(repr, words))} are the controls, set controls = [{named}]")
    return hints


def _expected_controls(rules: ConditionSection) -> str:
    ways = [*map(repr, rules.controls), *([f"rows where {rules.control_where}"] if rules.control_where else [])]
    return " or ".join(ways) or "a kind_column value 'ctl_...'"
