"""Words that people write in dataset specs for those that there are: other tools' names of the same."""

from __future__ import annotations

import re
from collections.abc import Mapping

_LINES = {
    "context": "cellline celltype line cell tissue sample",
    "perturbation": "gene target guide grna sgrna drug compound treatment label perturbations",
    "controls": "ntc nontargeting negativecontrols reference",
    "dose": "concentration conc",
    "time": "timepoint hours duration",
    "batch": "plate gemgroup lane library",
    "where": "filter query subset",
    "files": "path input data h5ad",
    "values": "datatype valuetype units",
    "id": "name dataset slug",
    "organism": "species taxon",
    "citation": "reference doi publication",
    "q_value": "padj fdr qval qvalue adjpval pvaladj adjustedpvalue pvalueadj",
    "p_value": "pval p pvalue",
    "effect": "log2fc logfc lfc log2foldchange foldchange",
    "standard_error": "se stderr lfcse",
    "counts": "umi umis umicounts rawcounts raw integer readcounts",
    "log1p": "lognormalized lognormalised lognorm normalized normalised log1pcp10k cp10k logcpm",
    "log2_fold_change": "log2fc logfc lfc foldchange log2foldchange",
    "zscore": "z zscores modz",
    "moderated_z": "modz level5",
    "compound": "drug smallmolecule chemical molecule trtcp",
    "ligand": "cytokine protein growthfactor",
    "crispr_knockout": "crispr crisprko crisprcas9 cas9 ko cutting",
    "crispri": "knockdown kd dcas9krab interference",
    "crispra": "activation dcas9vpr",
    "shrna": "rnai sirna sh",
    "overexpression": "orf cdna oe",
    "control": "nt ntc negative dmso untreated",
    "perturb_seq": "scrnaseq singlecell scrna 10x cropseq eccite ecciteseq perturbcite",
    "drug_seq": "sciplex multiseq mixseq",
    "bulk_rna_seq": "rnaseq bulk bulkrnaseq",
    "l1000": "lincs cmap",
    "crispr_screen": "depmap dropout fitness",
    "de_table": "deseq2 degs differentialexpression",
    "human": "homosapiens hsapiens hs 9606 hg38 grch38",
    "rows": "lines",
    "mouse": "musmusculus mmusculus mm 10090 mm10 grcm39",
}


def meant(word: str) -> list[str]:
    """Return what a word may stand for, whatever its case and the signs in it.

    Examples
    --------
    >>> meant("Cell-Line"), meant("log2FC"), meant("K562")
    (['context'], ['effect', 'log2_fold_change'], [])
    """
    return list(_MEANT.get(re.sub(r"[^a-z0-9]", "", word.lower()), ()))


def _by_word(lines: Mapping[str, str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, words in lines.items():
        for word in dict.fromkeys(words.split()):
            found.setdefault(word, []).append(name)
    return found


_MEANT = _by_word(_LINES)
