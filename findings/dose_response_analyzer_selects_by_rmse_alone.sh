#!/bin/sh
# Finding: dose-response-analyzer chooses the best curve by RMSE, whatever selection_metric says.
# Tools: dose-response-analyzer 0.1.1
# Seen: selection_metric takes "rmse", "aic", "bic" and "r2" and is stored; fit_best_models never reads it. RMSE falls with
#   every parameter, so a curve with four parameters is always the best. Two of these, gompertz and weibull, have no IC50.
# Output: forty drugs, all of the plain curve 1 / (1 + dose / 30) with noise. Asked for AIC, as for RMSE, all forty best
#   curves have four parameters, and 4 have no IC50. By AIC from the same table, 26 are of two parameters.
# Guess: the metric one asks for chooses, as in drc, whose equivalent the package says it is; a drug whose curve was fitted
#   has an IC50.
# Means: slopes and IC90 come from the overfitted curve (log IC90 of the forty scatters 1.4 times as much as by AIC), and
#   some good drugs lack an IC50 and drop out of a join. Take the best by AIC from summary_table yourself, with
#   enable_custom_models=False.
# Upstream: not reported, as far as we found.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q dose-response-analyzer==0.1.1 numpy==2.1.3 pandas==2.2.3 scipy==1.15.3 scikit-learn==1.7.2 matplotlib==3.10.8
cat > "$work/check.py" <<'PYTHON'
import contextlib
import io
import warnings

warnings.simplefilter("ignore")
import numpy as np
import pandas as pd
from dra import DoseResponseAnalyzer

random = np.random.default_rng(0)
doses = np.repeat(10.0 ** np.arange(-1, 4.5, 0.5), 3)
plates = pd.concat(
    pd.DataFrame(
        {"Compound": f"D{i:02d}", "Conc": doses, "Rab10": 1 / (1 + doses / 30) + random.normal(0, 0.03, doses.size)}
    )
    for i in range(40)
)
PARAMETERS = {"model1": 2, "model2": 3, "model3": 4, "model4": 2, "model5": 3, "model6": 2}
PARAMETERS |= {"gompertz": 4, "weibull": 4, "exponential": 2, "linear": 2}


def fitted(metric):
    with contextlib.redirect_stdout(io.StringIO()), np.errstate(all="ignore"):
        return DoseResponseAnalyzer(selection_metric=metric).fit_best_models(plates)


def describe(name, best):
    sizes = best["Model"].map(PARAMETERS).value_counts().sort_index().to_dict()
    spread = np.log10(best["IC90"]).std()
    print(f"{name:12s} curves by parameters {sizes}, without IC50 {best['IC50'].isna().sum()}, SD log10 IC90 {spread:.3f}")
    return sizes, spread


by_metric = {metric: fitted(metric) for metric in ("rmse", "aic", "bic", "r2")}
table = by_metric["aic"]["summary_table"]
for metric, result in by_metric.items():
    describe(metric, result["best_models"])
by_hand = table.loc[table.groupby("Compound")["AIC"].idxmin()]
sizes_by_hand, spread_by_hand = describe("AIC by hand", by_hand)
sizes, spread = describe("asked AIC", by_metric["aic"]["best_models"])

assert all(result["best_models"].equals(by_metric["rmse"]["best_models"]) for result in by_metric.values())
assert sizes == {4: 40}
assert by_metric["aic"]["best_models"]["IC50"].isna().any()
assert sizes_by_hand[2] > 20
assert spread > 1.2 * spread_by_hand
PYTHON
"$work/venv/bin/python" "$work/check.py"
