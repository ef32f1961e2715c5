"""From the published row table to conditions: which condition every cell, well or signature belongs to.

Everything is decided on the distinct combinations of labels, of which there are few. Of the rows, of which there may
be a hundred million, only the number of their combination, of their batch and of their condition is kept.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from featurestore.contract import RELEASE
from featurestore.errors import SourceFormatError
from ingest.conditions.controls import require_control
from ingest.conditions.given import GivenRows
from ingest.conditions.lookups import Lookups
from ingest.conditions.quantities import map_dose, map_time
from ingest.harmonise.contexts import map_contexts
from ingest.harmonise.perturbations import COMPOUND_COLUMNS, LEDGER, PerturbationMapping, map_perturbations
from ingest.reader import INDEX
from ingest.spec import DatasetSpec

CONDITION_KEY = (
    "perturbation_id", "perturbation_kind", "context_id", "dose_um", "dose_text", "time_h", "time_text", "cluster"
)  # fmt: skip
HOW = ("original", "status", "method", "candidates", "note")

Integers = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class LabelledRows:
    """What every row of a dataset is, in numbers.

    Attributes
    ----------
    condition
        The condition of every row, -1 for a rejected one. Shape (rows,).
    batch
        The batch of every row. Shape (rows,).
    batches
        The distinct batches, sorted.
    is_control
        Which conditions are controls. Shape (conditions,).
    """

    condition: Integers
    batch: Integers
    batches: list[str | None]
    is_control: npt.NDArray[np.bool_]

    @property
    def n_conditions(self) -> int:
        """Conditions, controls among them."""
        return self.is_control.size

    @property
    def is_perturbed(self) -> npt.NDArray[np.bool_]:
        """Which rows are of a condition that is no control. Shape (rows,)."""
        found = self.condition >= 0
        found[found] = ~self.is_control[self.condition[found]]
        return found


@dataclass(frozen=True, slots=True)
class Labels:
    """What every row is, and what conditions there are: frames with the columns of the release's tables."""

    rows: LabelledRows
    condition: pl.DataFrame
    compound: pl.DataFrame
    context: pl.DataFrame
    mapping: pl.DataFrame
    rejected: pl.DataFrame


def label_rows(given: GivenRows, spec: DatasetSpec, lookups: Lookups, *, where: str) -> Labels:
    """Give every row its condition.

    Parameters
    ----------
    given
        The rows of all files.
    spec
        The dataset's spec.
    lookups
        The dataset's own tables of compounds and cell lines, and the service to ask for genes.
    where
        The files, for messages.

    Raises
    ------
    SpecError
        A published kind is not known.
    MissingControlError
        Values are not relative, and no row carries a control label.
    SourceFormatError
        Signatures that are rows of their own do not have distinct ids.
    """
    mapped, perturbations = _map_combos(given.combos.with_row_index("combo"), spec, lookups, given.controls_apart)
    n_rows = np.bincount(given.combo[given.is_kept], minlength=mapped.height)
    n_left_out = np.bincount(given.combo[~given.is_kept], minlength=mapped.height)
    mapped = mapped.with_columns(n_rows=n_rows, n_left_out=n_left_out)
    if spec.is_relative:
        condition, condition_of_row = _one_a_row(given, mapped)
    else:
        if spec.needs_control:
            require_control(mapped, spec, where)
        condition, condition_of_row = _one_a_key(given, mapped)
    contexts = mapped.select(RELEASE["context"].columns).filter(pl.col("context_id").is_not_null())
    experiment = pl.lit(f"{spec.experiment}:") + pl.col("context_id")
    batches, is_control = given.batches.to_series().to_list(), condition["is_control"].to_numpy()
    return Labels(
        rows=LabelledRows(condition_of_row, given.batch, batches, is_control),
        condition=condition.with_columns(experiment_id=experiment).select(RELEASE["condition"].columns),
        compound=perturbations.compounds,
        context=contexts.sort("context_id", "name").unique("context_id", keep="first", maintain_order=True),
        mapping=_ledger(mapped, perturbations),
        rejected=_rejected(mapped, spec),
    )


def _map_combos(
    combos: pl.DataFrame, spec: DatasetSpec, lookups: Lookups, controls_apart: frozenset[str]
) -> tuple[pl.DataFrame, PerturbationMapping]:
    """Harmonise every distinct combination of labels; one row per combo."""
    condition = spec.condition
    identity = ("perturbation_label", "kind", *COMPOUND_COLUMNS)
    perturbations = map_perturbations(
        combos.select(identity).unique(maintain_order=True),
        condition,
        dataset=spec.dataset.id,
        dictionary=lookups.read_compounds(),
        online=lookups.online,
        translate_mouse=spec.genes.translate_mouse,
        controls_apart=controls_apart,
    )
    contexts = map_contexts(combos["context"].to_list(), table=lookups.read_cell_lines())
    contexts = contexts.rename({name: f"context_{name}" for name in HOW}).with_columns(context_target_id="context_id")
    doses, times = map_dose(combos["dose"], condition.dose), map_time(combos["time"], condition.time)
    table = pl.concat([combos, contexts, doses, times], how="horizontal").join(
        perturbations.table, on=identity, how="left", nulls_equal=True, maintain_order="left"
    )
    is_control = pl.col("is_control")
    table = table.with_columns(
        dose_um=pl.when(~is_control).then("dose_um"),
        dose_text=pl.when(~is_control & pl.col("dose_um").is_null()).then("dose"),
        time_text=pl.when(pl.col("time_h").is_null()).then("time"),
        reason=pl.coalesce("reason", pl.when(pl.col("context_id").is_null()).then(pl.lit("no context"))),
    )
    return table, perturbations


def _one_a_key(given: GivenRows, mapped: pl.DataFrame) -> tuple[pl.DataFrame, Integers]:
    """Pool the rows of each perturbation, context, dose, time and cluster."""
    key = list(CONDITION_KEY)
    kept = mapped.filter(pl.col("reason").is_null() & (pl.col("n_rows") > 0))
    table = (
        kept.group_by(key, maintain_order=True)
        .agg(
            pl.col("perturbation", "target_gene_ids", "target_symbols", "compound_id", "is_control").first(),
            perturbation_label=pl.col("perturbation_label").unique().sort().str.join(" | "),
            context_label=pl.col("context").unique().sort().str.join(" | "),
            context_name=pl.col("name").first(),
            n_cells=pl.col("n_rows").sum(),
            published_split=pl.col("published_split").drop_nulls().unique().sort().str.join(" | "),
        )
        .with_columns(published_split=pl.when(pl.col("published_split") != "").then("published_split"))
    )
    table = _with_condition_ids(table).sort("context_id", pl.col("is_control").not_(), "condition_id")
    table = table.with_row_index("condition_index")
    found = kept.join(table.select(*key, "condition_index"), on=key, how="left", nulls_equal=True)
    of_combo = np.full(mapped.height, -1, np.int32)
    of_combo[found["combo"].to_numpy()] = found["condition_index"].to_numpy()
    of_row = np.where(given.is_kept, of_combo[given.combo], np.int32(-1))
    n_batches = given.batches.height
    pairs = np.unique(of_row[of_row >= 0].astype(np.int64) * n_batches + given.batch[of_row >= 0])
    return table.with_columns(n_batches=np.bincount(pairs // n_batches, minlength=table.height)), of_row


def _one_a_row(given: GivenRows, mapped: pl.DataFrame) -> tuple[pl.DataFrame, Integers]:
    """Take every row for a condition of its own, under its published id."""
    is_taken = given.is_kept & mapped["reason"].is_null().to_numpy()[given.combo]
    ids = given.published[INDEX].cast(pl.String).filter(pl.Series(is_taken))
    if ids.n_unique() < ids.len():
        twin = ids.filter(ids.is_duplicated())[0]
        raise SourceFormatError("Two signatures have the same id.", where="the row index", got=repr(twin))
    table = mapped[given.combo[is_taken].tolist()].with_columns(
        condition_id=ids,
        context_label="context",
        n_cells=pl.lit(None, pl.Int64),
        n_batches=pl.lit(None, pl.Int64),
    )
    of_row = np.full(is_taken.size, -1, np.int32)
    of_row[is_taken] = np.arange(table.height)
    return table.with_row_index("condition_index"), of_row


def _with_condition_ids(table: pl.DataFrame) -> pl.DataFrame:
    """Readable and distinct: ``JAK2/THP-1/144h``; what is not known is left out."""

    def number(name: str, unit: str) -> pl.Expr:
        text = pl.col(name).cast(pl.String).str.strip_suffix(".0")
        return pl.when(pl.col(name).is_not_null()).then(text + unit)

    dose, time = pl.coalesce(number("dose_um", "uM"), "dose_text"), pl.coalesce(number("time_h", "h"), "time_text")
    parts = ["perturbation", "context_name", dose, time, "cluster"]
    table = table.with_columns(condition_id=pl.concat_str(parts, separator="/", ignore_nulls=True))
    twin = pl.col("condition_id").is_duplicated()
    distinct = pl.concat_str(["condition_id", "perturbation_kind", "perturbation_id"], separator="/")
    return table.with_columns(condition_id=pl.when(twin).then(distinct).otherwise("condition_id"))


def _rejected(mapped: pl.DataFrame, spec: DatasetSpec) -> pl.DataFrame:
    label = pl.col("perturbation_label").alias("label")
    frames = [
        mapped.select(label, "reason", n_cells="n_rows").filter(pl.col("reason").is_not_null()),
        mapped.select(label, pl.lit(f"where: {spec.condition.where}").alias("reason"), n_cells="n_left_out"),
    ]
    table = pl.concat(frames).group_by("label", "reason").agg(pl.col("n_cells").sum())
    return table.filter(pl.col("n_cells") > 0).sort("n_cells", "label", descending=[True, False], nulls_last=True)


def _ledger(mapped: pl.DataFrame, perturbations: PerturbationMapping) -> pl.DataFrame:
    frames = [perturbations.ledger, *(_entity_ledger(mapped, entity) for entity in ("context", "dose", "time"))]
    return pl.concat(frames).unique(maintain_order=True)


def _entity_ledger(mapped: pl.DataFrame, entity: str) -> pl.DataFrame:
    columns = {name: f"{entity}_{name}" for name in ("target_id", *HOW)}
    present = {name: pl.col(column) for name, column in columns.items() if column in mapped.columns}
    table = mapped.filter(pl.col(f"{entity}_original").is_not_null()).select(**present, entity=pl.lit(entity))
    absent = {name: pl.lit(None, dtype) for name, dtype in LEDGER.items() if name not in table.columns}
    return table.with_columns(**absent).select(pl.col(name).cast(dtype) for name, dtype in LEDGER.items())
