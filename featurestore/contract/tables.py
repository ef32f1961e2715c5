"""The views of a snapshot and the tables of a release: what one row is, its columns, and the key."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from featurestore.contract.columns import COLUMNS
from featurestore.errors import WarehouseError


@dataclass(frozen=True, slots=True)
class Table:
    """A table's name, what one row is, its columns, and the columns that identify a row."""

    name: str
    grain: str
    columns: tuple[str, ...]
    key: tuple[str, ...]

    @property
    def schema(self) -> pl.Schema:
        """Column names and polars types, in order."""
        return pl.Schema({name: COLUMNS[name].dtype for name in self.columns})


_SUMS = ("count", "sum_log1p", "sum_log1p_square", "n_expressing")
_HALF_SUMS = ("count_half", "sum_log1p_half", "sum_log1p_square_half", "n_expressing_half")
_COUNT_MOMENTS = ("sum_count_square", "sum_count_total", "sum_count_square_half", "sum_count_total_half")
_DATASET = (
    "dataset_id release_id experiment_id title source assay organism value_kind licence citation url "
    "n_cells n_conditions n_data_points min_cells n_controls n_genes gene_reference ingested_at"
)
_CONDITION = (
    "condition_id perturbation_id perturbation perturbation_label perturbation_kind target_gene_ids target_symbols "
    "compound_id context_id context_label dose_um time_h cluster is_control n_cells n_batches published_split "
    "experiment_id"
)
_COMPOUND = "compound_id name smiles pubchem_cid chembl_id broad_id moa targets"
_CONTEXT = "context_id name depmap_id tissue disease"
_EFFECT = "effect effect_kind standard_error z p_value q_value log2fc log2fc_standard_error"
_EFFECTS = (
    "perturbation perturbation_kind context_label dose_um time_h gene_id gene effect effect_kind standard_error log2fc "
    "z p_value q_value n_cells knockdown_ratio is_responder"
)
_QUALITY = (
    "n_cells knockdown_ratio n_significant effect_norm energy_distance replicate_correlation tas has_passed_qc "
    "test n_replicates responder_q_value is_responder reason"
)
_CALIBRATION = (
    "kind n_cells test n_null n_tests share_p_05 share_p_001 heaviness mean_significant share_called is_calibrated "
    "n_significant_quantiles effect_norm_quantiles energy_distance_quantiles p_quantiles"
)
_MAPPING = "entity original target_id status method candidates note"
_GENE = "gene_id gene_symbol entrez_id hgnc_id biotype chromosome"


def _tables(*tables: tuple[str, str, str, str]) -> dict[str, Table]:
    return {
        name: Table(name, grain, tuple(columns.split()), tuple(key.split())) for name, grain, columns, key in tables
    }


VIEWS = _tables(
    ("dataset", "one dataset", _DATASET, "dataset_id"),
    ("gene", "one gene of the reference", _GENE, "gene_id"),
    ("condition", "one condition: the data point", f"dataset_id {_CONDITION}", "dataset_id condition_id"),
    ("compound", "one active structure", _COMPOUND, "compound_id"),
    ("compound_identity", "one compound_id", "compound_id canonical_id joined_by", "compound_id"),
    ("context", "one cell line or type", _CONTEXT, "context_id"),
    (
        "statistics",
        "one condition and measured gene, as additive sums over cells",
        f"dataset_id condition_id gene_id sum_counts {' '.join(_SUMS)}",
        "dataset_id condition_id gene_id",
    ),
    (
        "signature",
        "one condition and measured gene, as difference from control",
        f"dataset_id condition_id gene_id gene_symbol {_EFFECT}",
        "dataset_id condition_id gene_id effect_kind",
    ),
    (
        "effects",
        "one condition and measured gene, with what is known of the condition",
        f"dataset_id condition_id {_EFFECTS}",
        "dataset_id condition_id gene_id effect_kind",
    ),
    (
        "phenotype",
        "one condition and scalar readout",
        "dataset_id condition_id phenotype value",
        "dataset_id condition_id phenotype",
    ),
    ("quality", "one condition", f"dataset_id condition_id {_QUALITY}", "dataset_id condition_id"),
    (
        "calibration",
        "one kind and size of conditions in which nothing happened",
        f"dataset_id {_CALIBRATION}",
        "dataset_id kind n_cells",
    ),
    ("mapping", "one published identifier", f"dataset_id {_MAPPING}", ""),
    ("rejected", "one group of input rows that was left out", "dataset_id label reason n_cells", ""),
)
"""What SQL users see: the views of one snapshot."""

KEY = "dataset_id"
SHARED = frozenset(name for name, view in VIEWS.items() if KEY not in view.columns)
"""Views that are of no one dataset: gene, compound, compound_identity, context."""

RELEASE = _tables(
    ("dataset", "the dataset", _DATASET, "dataset_id"),
    ("condition", "one condition", f"condition_index {_CONDITION}", "condition_index"),
    ("gene", "one measured gene", "gene_index gene_id gene_symbol", "gene_index"),
    ("compound", "one compound", _COMPOUND, "compound_id"),
    ("context", "one context", _CONTEXT, "context_id"),
    (
        "statistics",
        "one condition and gene",
        " ".join(("condition_index gene_index", *_SUMS, *_HALF_SUMS)),
        "condition_index gene_index",
    ),
    (
        "control_statistics",
        "one control condition, batch and gene: what batch-matched signatures subtract",
        " ".join(("condition_index batch gene_index", *_SUMS, *_HALF_SUMS, *_COUNT_MOMENTS)),
        "condition_index batch gene_index",
    ),
    (
        "matched_statistics",
        "one condition and gene: cells in batches with a control, of conditions that have others too",
        " ".join(("condition_index gene_index", *_SUMS, *_HALF_SUMS)),
        "condition_index gene_index",
    ),
    (
        "condition_batch",
        "one condition and batch",
        "condition_index batch n_cells n_cells_half sum_total sum_total_square sum_total_half sum_total_square_half",
        "condition_index batch",
    ),
    (
        "condition_replicate",
        "one condition and replicate that can be tested",
        "condition_index replicate n_cells",
        "condition_index replicate",
    ),
    (
        "replicate_statistics",
        "one condition, replicate and gene: cells that are compared",
        "condition_index replicate gene_index count sum_log1p",
        "condition_index replicate gene_index",
    ),
    ("signature", "one condition and gene", f"condition_index gene_index {_EFFECT}", "condition_index gene_index"),
    ("phenotype", "one condition and readout", "condition_index phenotype value", "condition_index phenotype"),
    ("quality", "one condition", f"condition_index {_QUALITY}", "condition_index"),
    ("calibration", "one kind and size of pretend conditions", _CALIBRATION, "kind n_cells"),
    ("null_condition", "one condition in which nothing happened", "controls half parts kind n_cells", ""),
    (
        "null_part",
        "one group of dealt control cells and batch",
        "null_index batch n_cells sum_total sum_total_square",
        "null_index batch",
    ),
    (
        "null_statistics",
        "one group of dealt control cells and gene",
        " ".join(("null_index gene_index", *_SUMS)),
        "null_index gene_index",
    ),
    ("mapping", "one published identifier", _MAPPING, ""),
    ("rejected", "one group of input rows", "label reason n_cells", ""),
)
"""The Parquet tables of one release; ``dataset_id`` and ``release_id`` of the others are in the folder names."""

SINCE_VERSION_2 = frozenset(
    {
        "perturbation",
        "min_cells",
        "n_data_points",
        "sum_total",
        "sum_total_square",
        "sum_total_half",
        "sum_total_square_half",
        *_COUNT_MOMENTS,
        "log2fc",
        "log2fc_standard_error",
        "test",
        "n_replicates",
        "responder_q_value",
    }
)
"""Columns that tables of contract version 1 lack: NULL where a release of it is read."""


def conform(table: Table, frame: pl.DataFrame) -> pl.DataFrame:
    """Bring a frame to a table's columns and types, in order.

    Raises
    ------
    WarehouseError
        Columns are missing, unknown or of a type that cannot be cast; every fault is listed.
    """
    schema = table.schema
    missing = [name for name in schema if name not in frame.columns]
    unknown = [name for name in frame.columns if name not in schema]
    if missing or unknown:
        raise WarehouseError(
            f"Table '{table.name}' does not keep the contract.",
            expected=", ".join(schema),
            got=f"missing: {', '.join(missing) or 'none'}; unknown: {', '.join(unknown) or 'none'}",
        )
    return frame.select(pl.col(name).cast(dtype, strict=True) for name, dtype in schema.items())
