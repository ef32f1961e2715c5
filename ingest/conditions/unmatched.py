"""Columns of batches and of further treatments that a spec does not name: what they part is then pooled, and said."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from ingest.column_names import plain_name
from ingest.conditions.label import LabelledRows
from ingest.conditions.rows import RowTables
from ingest.harmonise.perturbations import LEDGER
from ingest.reader import Reader

UNMATCHED = "unmatched"
"""Status in the ledger of such a column."""
BATCHES = (
    *("gem_group", "gemgroup", "batch", "batch_var", "batch_info", "plate", "plate_id", "plate_name"),
    *("plate_barcode", "plate_oligo", "det_plate", "rna_plate", "10xrun_id", "lane_id", "lane", "library"),
    *("donor_id", "donor", "patient_id", "sample", "sample_id", "bead_batch", "orig_ident"),
    *("screen", "screen_id", "experiment", "experiment_id", "run", "run_id", "dataset", "study"),
)
"""Names under which columns of batches, and of what was done at another time, are published, the surest first."""
TREATMENTS = (
    *("perturbation_2", "stimulus", "stimulation", "stim", "treatment_2", "treatment", "drug", "drug_2", "drug2"),
    *("compound", "compound_2", "cytokine", "ligand", "culture_condition", "condition", "genotype", "drug_b"),
)
"""Names under which columns of what was done to cells besides their perturbation are published."""
MOST_TREATMENTS = 20
NUMBER = "number of the condition"


def unmatched_batches(readers: Sequence[Reader], labelled: LabelledRows, row_tables: RowTables) -> pl.DataFrame:
    """Return a ledger row for the likeliest column of batches, where a spec that compares with controls names none.

    A column is one whose values part both the controls and the conditions, or leave conditions without controls.

    Parameters
    ----------
    readers
        The open files.
    labelled
        The condition of every row of them.
    row_tables
        What is said of their rows.
    """
    columns = _candidates(readers, row_tables, BATCHES) if row_tables.spec.condition.batch is None else []
    rows = _rows(readers, labelled, row_tables, columns) if columns else pl.DataFrame()
    for name in columns:
        note = _note(rows.select("is_control", value=name), name)
        if note is not None:
            told = {"entity": "batch", "original": name, "status": UNMATCHED, "method": "spec", "note": note}
            return pl.DataFrame([told | {"candidates": []}], schema=LEDGER)
    return pl.DataFrame(schema=LEDGER)


def further_treatments(readers: Sequence[Reader], labelled: LabelledRows, row_tables: RowTables) -> pl.DataFrame:
    """Return a ledger row for each column of treatments that the spec does not name and conditions pool over.

    Parameters are those of `unmatched_batches`.
    """
    candidates = _candidates(readers, row_tables, TREATMENTS)
    columns = [name for name in candidates if name not in row_tables.spec.condition.pooled]
    rows = _rows(readers, labelled, row_tables, columns) if columns else pl.DataFrame()
    told = []
    for name in columns:
        n_values = rows[name].n_unique()
        several = rows.group_by(NUMBER).agg(pl.col(name).n_unique()).filter(pl.col(name) > 1)
        if 1 < n_values <= MOST_TREATMENTS and several.height:
            note = (
                f"{several.height:,} conditions pool over its {n_values:,} values; "
                f'context = {{ template = "CELLS, {{{name}}}" }} under [condition] keeps them apart'
            )
            told.append({"entity": "context", "original": name, "status": UNMATCHED, "method": "spec", "note": note})
    return pl.DataFrame([row | {"candidates": []} for row in told], schema=LEDGER)


def _candidates(readers: Sequence[Reader], row_tables: RowTables, names: Sequence[str]) -> list[str]:
    """List the columns that are called by one of the names and in all files, those that the spec names left out."""
    common = set.intersection(*(set(reader.row_columns()) for reader in readers)) | set(row_tables.columns_beside)
    order = {name: at for at, name in enumerate(names)}
    known = {
        name: order[spelt]
        for name in common - set(row_tables.spec.row_columns())
        if (spelt := plain_name(name)) in order
    }
    return sorted(known, key=lambda name: (known[name], name))


def _rows(readers: Sequence[Reader], labelled: LabelledRows, row_tables: RowTables, columns: list[str]) -> pl.DataFrame:
    """Read the columns of all rows that are of a condition, with that and ``is_control``."""
    parts = []
    for reader in readers:
        is_own = set(columns) <= set(reader.row_columns())
        rows = reader.rows(columns) if is_own else row_tables.read(reader, also=columns)
        parts.append(rows.select(pl.col(columns).cast(pl.String)))
    index = pl.Series(NUMBER, labelled.condition)
    is_control = index.is_in(np.flatnonzero(labelled.is_control))
    all_rows = pl.concat(parts).with_columns(index, is_control=is_control)
    return all_rows.filter(pl.col(NUMBER) >= 0)


def _note(rows: pl.DataFrame, name: str) -> str | None:
    """Say how controls and conditions lie in the values of a column; nothing where it is no column of batches."""
    parts = rows.group_by("value").agg(n_controls=pl.col("is_control").sum(), n_others=(~pl.col("is_control")).sum())
    tested = parts.filter(pl.col("n_others") > 0)
    without = tested.filter(pl.col("n_controls") == 0)
    is_parted = parts.height > 1 and parts.height < rows.height and without.height < tested.height
    if not is_parted:
        return None
    if without.height:
        n_rows = f"{without['n_others'].sum():,} rows"
        told = f"{n_rows} of {without.height:,} of its {parts.height:,} values are compared with controls of others"
    else:
        told = f"controls of its {parts.height:,} values are taken together"
    return f'{told}; batch = "{name}" under [condition] compares with those of the same value alone'
