#!/bin/sh
# Finding: scperturb-cmap lists the compounds that mimic the signature as those that invert it best.
# Tools: scperturb-cmap 0.2.0 without its models (its scores by cosine and GSEA need neither torch nor a web server)
# Seen: both parts of the baseline score are made "lower is better", where lower is more alike: minus the cosine, and minus
#   (up genes at the top less down genes). The ranking is upwards, and moa_enrichment reads it as "Lower score means
#   stronger inversion". rank_drugs and the command "score" sort upwards likewise (read only, since they import torch), and
#   their p-values are of z-scores among the rows that are returned.
# Output: of 30 signatures, five push the ten up and ten down genes of a disease three deviations further, five push them
#   back, and twenty do nothing. The first five places are the five mimics (-1.66 to -1.52; cosine with the disease 0.93 to 0.97),
#   the last five the reversers. The mechanism "mimic" is enriched among the best five with p = 7e-6, "reverser" has p = 1.
# Guess: as in its description, "real perturbations ranked by inversion strength": reversers first.
# Means: the drugs that a repurposing search proposes make things worse, and scores joined with those of other connectivity
#   tools have the wrong sign. Turn the sign of the score, and check it with the signature itself, which must be last.
# Upstream: not reported, as far as we found.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q numpy==2.4.6 pandas==2.3.3 scipy==1.17.1 pydantic==2.14.4
export PIP_NO_DEPS=1
"$work/venv/bin/pip" install -q scperturb-cmap==0.2.0
cat > "$work/check.py" <<'PYTHON'
import numpy as np
import pandas as pd
from scperturb_cmap.analysis.enrichment import moa_enrichment
from scperturb_cmap.data.lincs_loader import pivot_signatures
from scperturb_cmap.data.signatures import target_from_gene_lists
from scperturb_cmap.models.baseline import cosine_connectivity, ensemble_connectivity, gsea_connectivity

chance = np.random.default_rng(0)
genes = [f"G{i:03d}" for i in range(100)]
up, down = genes[:10], genes[10:20]
disease = np.repeat([1.0, -1.0, 0.0], [10, 10, 80])
moas = np.repeat(["mimic", "reverser", "other"], [5, 5, 20])
pushes = {"mimic": 3, "reverser": -3, "other": 0}
names = [f"sig{i:02d}" for i in range(30)]
profiles = np.array([pushes[moa] * disease + chance.normal(size=100) for moa in moas])
library = pd.DataFrame(
    {
        "signature_id": np.repeat(names, 100),
        "compound": np.repeat([f"{moa} {i}" for i, moa in enumerate(moas)], 100),
        "cell_line": "A549",
        "gene_symbol": np.tile(genes, 30),
        "score": profiles.ravel(),
    }
)

query = target_from_gene_lists(up, down)
matrix, columns, signatures = pivot_signatures(library)
by_cosine = cosine_connectivity(query, matrix, columns, signatures)
by_gsea = gsea_connectivity(query, library)
score = ensemble_connectivity(by_cosine, by_gsea)  # "lower is better"
of_disease = profiles[:, :20] @ disease[:20] / np.linalg.norm(profiles[:, :20], axis=1) / np.sqrt(20)
facts = pd.DataFrame({"signature_id": names, "moa": moas, "cosine with the disease": of_disease})
ranking = score.merge(facts, on="signature_id").sort_values("score", ignore_index=True)
print(ranking.iloc[[0, 1, 2, 3, 4, 5, -5, -4, -3, -2, -1]].drop(columns="cell_line").round(2).to_string())
enriched = moa_enrichment(ranking, top_n=5)  # "Lower score means stronger inversion."
print(enriched.to_string(index=False))

assert set(ranking["moa"][:5]) == {"mimic"}
assert set(ranking["moa"][-5:]) == {"reverser"}
assert ranking["cosine with the disease"][:5].min() > 0.9
assert ranking["cosine with the disease"][-5:].max() < -0.9
p = enriched.set_index("moa")["p_value"]
assert p["mimic"] < 1e-4
assert p["reverser"] == 1
PYTHON
"$work/venv/bin/python" "$work/check.py"
