"""Words that publishers of perturbation data use: names of columns by what they hold, and labels of controls.

Names are compared in lower case, any run of other signs being one underscore. The first of a list is the surest.
"""

from __future__ import annotations

import re

from ingest.column_names import plain_name
from ingest.conditions.unit_columns import DOSE_UNITS, TIME_UNITS
from ingest.conditions.unmatched import BATCHES, TREATMENTS
from ingest.harmonise.gene_notation import CONTROL_LABELS
from ingest.harmonise.words import spelled

PSEUDOBULK = ("psbulk_cells", "psbulk_n_cells")
"""Of how many cells a row is the sum or mean, as decoupler calls it."""

NAMES: dict[str, tuple[str, ...]] = {
    "perturbation": (
        *("perturbation", "target_gene", "gene_target", "perturbed_gene_name", "gene", "condition", "drug", "sm_name"),
        *("cmap_name", "pert_iname", "product_name", "compound", "cytokine", "treatment_1", "treatment", "pert"),
        *(
            "perturbation_name",
            "perturbation_label",
            "target_contrast_gene_name",
            "hs_gene_symbol",
            "target",
            "gene_symbol",
            "grna_target",
            "names",
        ),
        *("perturbed_gene_id", "gene_id", "target_contrast", "pert_id", "perturbation_id", "drug_name", "knockout"),
    ),
    "guide": (
        *("guide_id", "guide_identity", "guide", "sgid_ab", "grna_id", "grna", "sgrna", "guide_target"),
        *("gene_transcript", "guide_ids", "sgrna_id", "protospacer", "feature_call", "ntc_id", "perturbation_raw"),
    ),
    "context": (
        *("cell_line", "cell_iname", "cell_line_id", "cell_id", "cell_line_name", "cell_type", "celltype", "context"),
        *("cellline", "cell_mfc_name", "cell_name", "line", "modelid", "depmap_id", "culture_condition", "cell"),
        *("tissue", "tissue_type", "disease", "diagnosis"),
    ),
    "batch": BATCHES,
    "dose": (
        *("pert_idose", "dose_um", "dose_value", "nearest_dose", "dose", "concentration_1", "concentration", "conc"),
        *("treatment_dose", "pert_dose", "drug_dose", "drugname_drugconc", "dose_nm"),
    ),
    "dose unit": DOSE_UNITS,
    "time": ("pert_itime", "time_h", "timepoint_hr", "time_point", "timepoint", "time", "pert_time", "hours", "day"),
    "time unit": TIME_UNITS,
    "kind": ("perturbation_type", "pert_type", "perturbation_kind", "modality", "kind"),
    "cluster": ("leiden", "louvain", "cluster", "clusters", "seurat_clusters"),
    "replicate": (
        *("donor_id", "donor", "patient_id", "patient", "subject_id", "subject", "individual", "mouse_id"),
        *("biological_replicate", "bio_rep", "replicate", "rep", "plate_replicate", "technical_replicate"),
    ),
    "second perturbation": TREATMENTS,
    "filter": (
        "pass_guide_filter",
        "in_tissue",
        "pass_qc",
        "passed_qc",
        "is_cell",
        "keep",
        "pass_filter",
        "good_coverage",
        "keep_for_de",
        "qc_pass",
        "is_hiq",
    ),
    "auc": ("auc",),
    "mapped_reads": ("mapped_read_count", "mapped_reads"),
    "inchi_key": ("inchi_key", "inchikey"),
    "smiles": ("canonical_smiles", "smiles"),
    "pubchem_cid": ("pubchem_cid",),
    "broad_id": ("pert_id", "broad_id", "sm_lincs_id"),
    "moa": ("moa", "moa_fine"),
    "control": ("well_type", "sample_type", "is_control", "control"),
    "n_cells": (*PSEUDOBULK, "num_cells_filtered", "distil_nsample", "nsample", "n_cells", "num_cells_unfiltered"),
    "replicate_correlation": ("distil_cc_q75", "cc_q75"),
    "signature_strength": ("ss_ngene",),
    "tas": ("tas",),
}
"""What a column may hold, and the names under which it has been published."""

COMPOUND_KEYS = ("inchi_key", "smiles", "pubchem_cid", "broad_id", "moa")
QUALITY_KEYS = ("n_cells", "replicate_correlation", "signature_strength", "tas")

CONTROLS = (
    spelled(
        (
            *("non targeting", "non targeting control", "negative control", "safe targeting", "scramble", "scrambled"),
            *("control", "ctrl", "nt", "ntc", "dmso", "vehicle", "pbs", "mock", "untreated", "unperturbed"),
            *("no target", "non target"),
        )
    )
    | {
        *CONTROL_LABELS,
        *("62(mod)_pBA581", "63(mod)_pBA580", "Gal4-4(mod)_pBA582", "3x_neg_ctrl_pMJ144-1", "3x_neg_ctrl_pMJ144-2"),
        *("Dimethyl Sulfoxide", "Vehicle_control", "vehicle (DMSO)", "WT"),
    }
) - {"CTRL"}
"""Labels of reference cells, to the letter; CTRL is a gene."""

NUMBERED_CONTROL = re.compile(
    r"(?i:non[-_ .]?targeting(?:[-_ .]?(?:control|ctrl|guide|sgrna))?|ntc?|safe[-_ ]?targeting|scrambled?"
    r"|intergenic|neg(?:ative)?[-_ ]?(?:control|ctrl)s?)[-_. ]?(?:sg|g|guide)?[-_. ]?\d+"
)
"""Guides without a target that are numbered: controls, where no label without a number is there."""

CONTROL_WELLS = ("Vehicle_control", "RC", "control", "true")
"""Labels, in a column of their own, of rows that are controls."""

FLAGS, YES = ("is_control", "control"), frozenset({"true", "t", "yes", "y", "1", "1.0"})
"""Names of columns that say yes of controls, and how, casefolded."""

POPULATION = r"^\d+_(?P<target>[^_]+)_.+_(?:ENSG\d+|non-targeting|nan)$"
"""Keys of the perturbation populations of Replogle et al. 2022: ``10023_ZC3H18_P1P2_ENSG00000158545``."""

GUIDE_PREFIXES = ("^p[-_]sg", "^p_(?:sg)?", "^[A-Za-z]*library[-_]", "^sgRNA[-_]?", "^gRNA[-_]?", "^sg[-_]?")
GUIDE = "|".join(GUIDE_PREFIXES)
"""What names of guides begin with: ``sgTP53-1``, ``gRNA_TP53``, ``p-sgTP53-1``, ``Tcrlibrary_TP53_1``."""

GUIDE_CONTROL = (
    rf"(?:{GUIDE})(?i:NT[-_.]g?\d+|NT|(?:NTC|non[-_ ]?targeting(?:[-_ ]?controls?)?|scrambled?|safe[-_]?targeting"
    r"|(?:neg(?:ative)?[-_]?)?(?:controls?|ctrls?))(?:[-_.]?g?\d+)?)$"
)
"""Guides without a target, such as ``sgNTC-1``, which are controls."""

WELLS = frozenset({"rna_plate", "rna_well", "det_plate", "det_well"})
"""Columns of L1000's tables of wells, of which each is a replicate."""

PROBES = "filtered_probes"
"""Which probes of a gene Cell Ranger counts (Flex), true or false, in a matrix that has them all."""

COMPOUND_ID = re.compile(r"DB\d{5}|BRD-[A-Z]\d{8}.*|CHEMBL\d+|CID:?\d+|[A-Z]{14}-[A-Z]{10}-[A-Z]")
"""Identifiers of compounds."""

KIND_WORDS = {"crispri": "crispri", "crispra": "crispra", "shrna": "shrna", "knockout": "crispr_knockout"}
"""Words in a file's name that say how genes were perturbed."""

VALUE_WORDS = {
    "sign_log10_pval": "signed_log10_p",
    "signed_log10": "signed_log10_p",
    "de_train": "signed_log10_p",
    "logfc": "log2_fold_change",
    "log2fc": "log2_fold_change",
    "log_fc": "log2_fold_change",
    "foldchange": "log2_fold_change",
    "modz": "moderated_z",
    "level5": "moderated_z",
    "zscore": "zscore",
    "level4": "zscore",
    "lvl5": "moderated_z",
    "lvl4": "zscore",
    "zspc": "zscore",
}
"""Words in the name of a file or matrix that say what kind of differences it holds."""


def plain(name: str) -> str:
    """Write the name of a column as the lists above have it, without the modality that it is of.

    Examples
    --------
    >>> plain("cell.line.name"), plain("10xrun_id"), plain("gdo:guide_ID"), plain("Unnamed: 0")
    ('cell_line_name', '10xrun_id', 'guide_id', 'unnamed_0')
    """
    return plain_name(re.sub(r"^\w+:(?=\S)", "", name.lower()))


def rank(name: str, role: str) -> int | None:
    """Return how far down its list a column's name is, None where it is not there."""
    names = NAMES[role]
    return names.index(plain(name)) if plain(name) in names else None
