"""Enrichment scores of blitzgsea and gseapy, in the peers' environment: ``python peer_enrichment.py CASES.json``."""

import json
import sys
from pathlib import Path

import blitzgsea
import gseapy
import numpy as np
import pandas as pd

found = []
for case in json.loads(Path(sys.argv[1]).read_text()):
    values, members = np.array(case["values"]), case["members"]
    genes = [f"g{i}" for i in range(len(values))]
    named = [genes[i] for i in members]
    ranked = pd.DataFrame({"gene": genes, "value": values})
    options = {"weight": 1, "permutation_num": 2, "min_size": 1, "outdir": None, "no_plot": True, "seed": 0}
    result = gseapy.prerank(rnk=ranked, gene_sets={"set": named}, **options).res2d
    order = np.argsort(-values)
    places = {genes[gene]: place for place, gene in enumerate(order)}
    _, score = blitzgsea.enrichment_score(np.abs(values[order]), places, named)
    found.append({"gseapy 1.3.1": float(result["ES"].iloc[0]), "blitzgsea 1.3.54": float(score)})
print(json.dumps(found))
