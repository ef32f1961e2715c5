"""The tests a user would pick instead, in the peers' environment: ``python peer_tests.py NAME CELLS.h5ad OUT.parquet``.

Cells have a column ``label``, ``control`` or a condition; written are ``label``, ``gene_id``, ``p_value``, ``q_value``.
"""

import sys

import anndata
import numpy as np
import pandas as pd

LEAST_COUNT = 100
"""Counts of a gene in the controls and a condition, from which on its regression is fitted."""


def normalised(cells):
    """Logarithms of counts per 10,000, as scanpy's and pdex's pages have it."""
    import scanpy

    scanpy.pp.normalize_total(cells, target_sum=1e4)
    scanpy.pp.log1p(cells)
    return cells


def scanpy(cells):
    """Wilcoxon as scanpy does it, with all that is not given left as it is."""
    import scanpy

    scanpy.tl.rank_genes_groups(normalised(cells), "label", reference="control", method="wilcoxon")
    found = scanpy.get.rank_genes_groups_df(cells, None)
    return found.rename(columns={"group": "label", "names": "gene_id", "pvals": "p_value", "pvals_adj": "q_value"})


def pdex(cells):
    """Mann and Whitney's U as pdex does it."""
    from pdex import pdex

    found = pdex(normalised(cells), "label", mode="ref", reference="control", is_log1p=True, as_pandas=True)
    return found.rename(columns={"target": "label", "feature": "gene_id", "fdr": "q_value"})


def pysceptre(cells):
    """The score test of sceptre at low multiplicity: totals and detected genes as covariates, one gene's counts each.

    q-values are over the genes of each condition, as of the others; genes without any count are left out.
    """
    from pysceptre import run_discovery_analysis
    from scipy import stats

    counts = cells.X.tocsc()
    total, detected = (np.log(np.asarray(each.sum(axis=1)).ravel()) for each in (counts, counts > 0))
    members = {label: np.flatnonzero(cells.obs["label"] == label) for label in cells.obs["label"].unique()}
    control = members.pop("control")
    genes = cells.var_names[np.asarray(counts.sum(axis=0)).ravel() > 0]
    pairs = pd.DataFrame([(gene, label) for label in members for gene in genes], columns=["response_id", "grna_target"])
    found = run_discovery_analysis(
        counts.T.tocsr(),
        list(cells.var_names),
        np.column_stack([np.ones(total.size), total, detected]),
        members,
        pairs,
        moi="low",
        ntc_grna_cells={"control": control},
        seed=0,
        n_jobs=-1,
    )
    found = found.rename(columns={"grna_target": "label", "response_id": "gene_id"})
    adjust = stats.false_discovery_control
    found["q_value"] = found.groupby("label")["p_value"].transform(lambda p: adjust(np.minimum(p, 1.0)))
    return found


def statsmodels(cells):
    """Likelihood ratio of a negative binomial regression on condition, by each gene's dispersion in the controls."""
    import statsmodels.api as sm
    from scipy import stats
    from statsmodels.stats.multitest import multipletests

    counts, labels = np.asarray(cells.X.todense(), float), cells.obs["label"].astype(str).to_numpy()
    total, is_control = counts.sum(axis=1), labels == "control"
    rate = counts[is_control].sum(axis=0) / total[is_control].sum()
    expected = np.outer(total[is_control], rate)
    strays = ((counts[is_control] - expected) ** 2 - expected).sum(axis=0) / (expected**2).sum(axis=0)
    rows = []
    for label in sorted({*labels} - {"control"}):
        used = is_control | (labels == label)
        exposure, design = np.log(total[used]), sm.add_constant((~is_control[used]).astype(float))
        for gene in np.flatnonzero(counts[used].sum(axis=0) >= LEAST_COUNT):
            law = sm.families.NegativeBinomial(alpha=max(strays[gene], 1e-6))
            both, one = (sm.GLM(counts[used, gene], x, law, offset=exposure).fit() for x in (design, design[:, :1]))
            p_value = stats.chi2.sf(max(2 * (both.llf - one.llf), 0.0), 1)
            rows.append((label, cells.var_names[gene], p_value))
    found = pd.DataFrame(rows, columns=["label", "gene_id", "p_value"])
    found["q_value"] = found.groupby("label")["p_value"].transform(lambda p: multipletests(p, method="fdr_bh")[1])
    return found


if __name__ == "__main__":
    name, source, target = sys.argv[1:]
    found = globals()[name](anndata.read_h5ad(source))
    found[["label", "gene_id", "p_value", "q_value"]].astype({"label": str}).to_parquet(target)
