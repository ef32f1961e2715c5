"""Every column once: its type, unit and one sentence, the same wherever its name occurs."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

TEXT = pl.String()
TEXTS = pl.List(pl.String())
INDICES = pl.List(pl.Int32())
DOUBLES = pl.List(pl.Float64())
INTEGER = pl.Int64()
INDEX = pl.Int32()
SINGLE = pl.Float32()
DOUBLE = pl.Float64()
TRUTH = pl.Boolean()
MOMENT = pl.Datetime("us", "UTC")


@dataclass(frozen=True, slots=True)
class Column:
    """A column's name, type, unit and meaning, the same wherever the name occurs."""

    name: str
    dtype: pl.DataType
    sentence: str
    unit: str = ""


def _columns(*columns: Column) -> dict[str, Column]:
    return {column.name: column for column in columns}


COLUMNS = _columns(
    # identity
    Column("dataset_id", TEXT, "Slug of one published matrix."),
    Column("release_id", TEXT, "Content hash of inputs, spec, reference and code: the dataset's version."),
    Column("experiment_id", TEXT, "The cells that were measured; re-releases of the same cells share it."),
    Column("condition_id", TEXT, "The condition within its dataset: perturbation, context, dose, time and cluster."),
    Column(
        "perturbation_id",
        TEXT,
        "Harmonised perturbation: sorted target gene ids, a compound, 'control', or 'label:dataset:...' where a label "
        "is no gene or compound: of that dataset alone.",
    ),
    Column("gene_id", TEXT, "Ensembl gene id without version; 'HGNC:n' where Ensembl has none."),
    Column("compound_id", TEXT, "InChIKey; else 'CID:n'; else 'name:...'."),
    Column("context_id", TEXT, "Cellosaurus accession of the cell line, else a slug."),
    Column("condition_index", INDEX, "Position of the condition in its release: the key inside the files."),
    Column("gene_index", INDEX, "Position of the gene in its release: the key inside the files."),
    # dataset
    Column("title", TEXT, "Title in one line."),
    Column("source", TEXT, "Publication or consortium behind the dataset."),
    Column("assay", TEXT, "perturb_seq, drug_seq, l1000, bulk_rna_seq, crispr_screen, drug_screen or de_table."),
    Column("organism", TEXT, "Species of the cells."),
    Column("value_kind", TEXT, "What the published matrix holds: counts, log1p, moderated_z, ..."),
    Column("licence", TEXT, "Terms under which the source may be used."),
    Column("citation", TEXT, "How the authors ask to be cited."),
    Column("url", TEXT, "Where the source is published."),
    Column("n_conditions", INTEGER, "Conditions, controls not counted: the effective data points.", "conditions"),
    Column("n_controls", INTEGER, "Control conditions.", "conditions"),
    Column("n_genes", INTEGER, "Measured genes that have a gene_id.", "genes"),
    Column("gene_reference", TEXT, "Identifier of the gene tables that the names were mapped with."),
    Column("ingested_at", MOMENT, "When the release was written.", "UTC"),
    # gene
    Column("gene_symbol", TEXT, "Approved symbol."),
    Column("gene", TEXT, "Approved symbol of the gene, as gene_symbol."),
    Column("entrez_id", TEXT, "NCBI Gene id."),
    Column("hgnc_id", TEXT, "HGNC accession, 'HGNC:n'."),
    Column("biotype", TEXT, "Ensembl gene biotype."),
    Column("chromosome", TEXT, "Chromosome name without 'chr'."),
    # condition
    Column(
        "perturbation",
        TEXT,
        "Canonical name: approved symbols or names of compounds, by alphabet and joined by '+'; the label where it is "
        "none of either; 'control'.",
    ),
    Column("perturbation_label", TEXT, "As published; several labels of one perturbation are joined by ' | '."),
    Column(
        "perturbation_kind",
        TEXT,
        "crispri, crispra, crispr_knockout, shrna, overexpression, compound, ligand or control.",
    ),
    Column("target_gene_ids", TEXTS, "Genes acted on, sorted; empty for controls and unmapped targets."),
    Column("target_symbols", TEXTS, "Approved symbols of target_gene_ids, in the same order."),
    Column("context_label", TEXT, "Cell line or type as published; several spellings are joined by ' | '."),
    Column("dose_um", DOUBLE, "Dose of the compound.", "micromolar"),
    Column("time_h", DOUBLE, "Time from perturbation to measurement.", "hours"),
    Column("cluster", TEXT, "Cell state within the condition, where the dataset is split by one."),
    Column("is_control", TRUTH, "Whether the condition is a reference."),
    Column("n_cells", INTEGER, "Cells (or wells, or replicates) behind the row.", "cells"),
    Column("n_batches", INTEGER, "Batches that the cells come from.", "batches"),
    Column("batch", TEXT, "Batch as published."),
    Column("replicate", TEXT, "What was repeated, as published: a donor, a well, a guide."),
    Column("published_split", TEXT, "The source's own split, where it is a benchmark: train, test, ..."),
    Column("sum_total", DOUBLE, "Sum over the cells of their counts of all genes together.", "UMI or reads"),
    Column("sum_total_square", DOUBLE, "Sum over the cells of the square of their counts.", "UMI or reads squared"),
    Column("sum_total_half", DOUBLE, "sum_total over the first half of the cells.", "UMI or reads"),
    Column("sum_total_square_half", DOUBLE, "sum_total_square over the first half.", "UMI or reads squared"),
    Column("min_cells", INTEGER, "Cells, or samples, that a condition needs to count as a data point.", "cells"),
    Column("n_data_points", INTEGER, "Conditions, controls not counted, of at least min_cells cells.", "conditions"),
    Column("n_cells_half", INTEGER, "Cells of the first of two disjoint halves, split by barcode hash.", "cells"),
    # compound and context
    Column("name", TEXT, "Preferred name."),
    Column("smiles", TEXT, "Structure as published."),
    Column("pubchem_cid", TEXT, "PubChem compound id."),
    Column("chembl_id", TEXT, "ChEMBL id."),
    Column("broad_id", TEXT, "Broad Institute compound id, 'BRD-...'."),
    Column("moa", TEXT, "Mechanism of action as published."),
    Column("targets", TEXTS, "Target symbols as published."),
    Column("canonical_id", TEXT, "The compound_id of what the compound is, over all datasets of the snapshot."),
    Column(
        "joined_by",
        TEXT,
        "What it shares with canonical_id: a skeleton, a Broad, PubChem or ChEMBL id, or a name; NULL where it is that "
        "compound itself.",
    ),
    Column("depmap_id", TEXT, "DepMap model id, 'ACH-...'."),
    Column("tissue", TEXT, "Tissue of origin."),
    Column("disease", TEXT, "Disease of the donor."),
    # statistics
    Column("count", INTEGER, "Sum of counts over the cells; NULL where the source has no counts.", "UMI or reads"),
    Column("sum_counts", INTEGER, "As count: no number of rows or of cells.", "UMI or reads"),
    Column("sum_log1p", DOUBLE, "Sum over the cells of log1p(counts per 10,000), natural log.", "log1p(CP10k)"),
    Column("sum_log1p_square", DOUBLE, "Sum over the cells of the square of log1p(CP10k).", "log1p(CP10k) squared"),
    Column("n_expressing", INTEGER, "Cells with a value above zero.", "cells"),
    Column(
        "count_half", INTEGER, "count over the first half of the cells; of controls by batch alone.", "UMI or reads"
    ),
    Column(
        "sum_log1p_half",
        DOUBLE,
        "sum_log1p over the first half of the cells; of conditions to six digits.",
        "log1p(CP10k)",
    ),
    Column(
        "sum_log1p_square_half",
        DOUBLE,
        "sum_log1p_square over the first half; of controls by batch alone.",
        "log1p(CP10k) squared",
    ),
    Column(
        "n_expressing_half",
        INTEGER,
        "n_expressing over the first half of the cells; of controls by batch alone.",
        "cells",
    ),
    # signature, phenotype, quality
    Column("effect", SINGLE, "Difference from control; effect_kind says on which scale."),
    Column(
        "effect_kind",
        TEXT,
        "delta_log1p, log2_fold_change, moderated_z (L1000: robust z against the plate), zscore (against the source's "
        "own controls), signed_log10_p, de_call or gene_effect.",
    ),
    Column(
        "standard_error",
        SINGLE,
        "Standard error of effect: of cells that stray as far as the condition's own or as the control's, whichever is "
        "more.",
        "as effect",
    ),
    Column("z", SINGLE, "Signed normal quantile of p_value: orders genes as p does.", "standard normal"),
    Column("p_value", DOUBLE, "Two-sided p of the test that quality.test names; NULL where nothing can be tested."),
    Column(
        "log2fc",
        SINGLE,
        "log2 of the condition's counts over what its batches' controls let one expect at the same depth, half a count "
        "added to both: the fold change of pseudobulk CPM.",
        "log2",
    ),
    Column("log2fc_standard_error", SINGLE, "Standard error of log2fc.", "log2"),
    Column(
        "q_value",
        DOUBLE,
        "Benjamini-Hochberg q over the genes of the condition; of counts, a gene that could have such a p by too many "
        "counts only, and not by none, counts half.",
    ),
    Column("phenotype", TEXT, "Name of a scalar readout."),
    Column("value", DOUBLE, "The readout's value."),
    Column(
        "knockdown_ratio",
        DOUBLE,
        "Expression of the target over control, expm1 of mean log1p; the least silenced of several targets.",
        "ratio",
    ),
    Column("n_significant", INTEGER, "Genes with q < 0.05, targets not counted.", "genes"),
    Column("effect_norm", DOUBLE, "Euclidean norm of effect, targets not counted.", "as effect"),
    Column("energy_distance", DOUBLE, "Unbiased squared-Euclidean energy distance to control; may be below 0."),
    Column(
        "replicate_correlation",
        DOUBLE,
        "Agreement of replicates: mean Pearson r of the effects in each two of those that were tested; where cells "
        "were, that of two disjoint halves of them; of L1000, the upper quartile of Spearman's rho between wells.",
    ),
    Column("tas", DOUBLE, "L1000 transcriptional activity score, where published or computable."),
    Column(
        "has_passed_qc",
        TRUTH,
        "Whether the condition passed the source's own quality checks, such as is_hiq and qc_pass of LINCS.",
    ),
    Column(
        "test",
        TEXT,
        "What p_value is of: counts (negative binomial), moderated_log1p (cells without counts), replicates (samples), "
        "reported; NULL where nothing was tested.",
    ),
    Column("n_replicates", INTEGER, "Replicates that were tested.", "replicates"),
    Column(
        "responder_q_value",
        DOUBLE,
        "False discovery rate over the dataset's conditions at which the condition is stronger than those in which "
        "nothing happened.",
    ),
    Column("is_responder", TRUTH, "Whether the effect is larger than noise; NULL where that cannot be told."),
    Column("reason", TEXT, "Why, in words with numbers."),
    # null
    Column("null_index", INDEX, "Position of a group of control cells among those dealt into pretend conditions."),
    Column("controls", INDICES, "condition_index of the controls that a pretend condition was dealt from."),
    Column("half", INDEX, "The half of those controls that its cells are of; it is compared with the other."),
    Column("parts", INDICES, "null_index of the groups of cells that a pretend condition is made of."),
    Column("kind", TEXT, "dealt (control cells by a hash of their barcode) or guide (of one negative-control guide)."),
    Column("n_null", INTEGER, "Conditions of control cells, in which nothing happened.", "conditions"),
    Column("n_tests", INTEGER, "Genes tested in them, added up.", "tests"),
    Column("share_p_05", DOUBLE, "Share of their tests with p < 0.05: 0.05 at most is right.", "share"),
    Column("share_p_001", DOUBLE, "Share of their tests with p < 0.001: 0.001 is right.", "share"),
    Column(
        "heaviness",
        DOUBLE,
        "How many times more p-values were below 0.001 than should be before these conditions corrected them.",
    ),
    Column("mean_significant", DOUBLE, "Genes at q < 0.05 a condition, on average: next to none is right.", "genes"),
    Column("share_called", DOUBLE, "Share of them in which some gene has q < 0.05.", "share"),
    Column("is_calibrated", TRUTH, "Whether share_p_05 <= 0.06, share_p_001 <= 0.003 and mean_significant <= 0.3."),
    Column("n_significant_quantiles", DOUBLES, "Quantiles 0.05, 0.25, 0.5, 0.75, 0.95 of n_significant.", "genes"),
    Column("effect_norm_quantiles", DOUBLES, "The same quantiles of effect_norm.", "as effect"),
    Column("energy_distance_quantiles", DOUBLES, "The same quantiles of energy_distance."),
    Column(
        "p_quantiles",
        DOUBLES,
        "Quantiles of their p-values at 1, 10^-0.25, 10^-0.5, ... as far as there are tests: what a QQ plot shows.",
    ),
    Column("sum_count_square", INTEGER, "Sum over the cells of the square of count.", "UMI or reads squared"),
    Column("sum_count_total", INTEGER, "Sum over the cells of count times the cell's total.", "UMI or reads squared"),
    Column("sum_count_square_half", INTEGER, "sum_count_square over the first half.", "UMI or reads squared"),
    Column("sum_count_total_half", INTEGER, "sum_count_total over the first half.", "UMI or reads squared"),
    # ledger
    Column("entity", TEXT, "gene, perturbation, compound, context, dose, time or batch."),
    Column("original", TEXT, "The identifier as published."),
    Column("target_id", TEXT, "What it became; NULL where it did not map."),
    Column("status", TEXT, "How well it mapped: approved, previous, alias, ambiguous, unmapped, control, ..."),
    Column("method", TEXT, "The table or rule that decided."),
    Column("candidates", TEXTS, "Everything it could have meant."),
    Column("note", TEXT, "Anything else a reader should know."),
    Column("label", TEXT, "Label of the rejected rows, as published."),
)
