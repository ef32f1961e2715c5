"""Connectivity of signatures by pertpy and gseapy, in the peers' environment: ``python peer_reversal.py CASES.npz``.

CASES.npz has ``rows`` (signatures, genes) and the columns ``up`` and ``down``. Prints what each took and found as JSON.
"""

import json
import sys
import time

import numpy as np
import pandas as pd

N_PRERANKED = 50
"""Signatures that gseapy is given: it takes tens of milliseconds for each."""


def reversal(rows, up, down):
    """Score every signature by pertpy's reversal, whose connectivity is the weighted connectivity score."""
    from anndata import AnnData
    from pertpy.tools._enrichment import Enrichment

    adata = AnnData(rows, var=pd.DataFrame(index=[f"g{i}" for i in range(rows.shape[1])]))
    started = time.perf_counter()
    Enrichment().signature_reversal(adata, up_genes=[f"g{i}" for i in up], down_genes=[f"g{i}" for i in down])
    return time.perf_counter() - started, adata.obs["signature_reversal_connectivity"].to_numpy()


def preranked(rows, up, down):
    """Score signatures one by one with gseapy's prerank, as few permutations as it allows."""
    import gseapy

    genes = [f"g{i}" for i in range(rows.shape[1])]
    sets = {"up": [genes[i] for i in up], "down": [genes[i] for i in down]}
    options = {"weight": 1, "permutation_num": 2, "min_size": 1, "max_size": 1000, "outdir": None, "no_plot": True}
    found, started = [], time.perf_counter()
    for row in rows[:N_PRERANKED]:
        ranked = pd.DataFrame({"gene": genes, "value": row})
        result = gseapy.prerank(rnk=ranked, gene_sets=sets, seed=0, threads=2, **options).res2d
        score = dict(zip(result["Term"], result["ES"].astype(float), strict=True))
        found.append((score["up"] - score["down"]) / 2 if score["up"] * score["down"] < 0 else 0.0)
    return time.perf_counter() - started, np.array(found)


cases = np.load(sys.argv[1])
told = {}
for name, work in (("pertpy 1.4.0", reversal), ("gseapy 1.3.1", preranked)):
    try:
        seconds, scores = work(cases["rows"], cases["up"], cases["down"])
        told[name] = {"seconds": seconds, "scores": scores.tolist()}
    except ImportError as error:
        told[name] = {"missing": str(error)}
print(json.dumps(told))
