"""Tables of drug responses as GDSC (release 8.5), PRISM (secondary screen) and CTRP (v2) publish them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

LINES = ["A549", "K562", "MCF7"]
MODELS = ["ACH-000681", "ACH-000551", "ACH-000019"]
DRUGS = ["Erlotinib", "Vemurafenib", "Trametinib"]
BROAD = ["BRD-K70401845", "BRD-K56343971", "BRD-K12343256"]
SMILES = ["C#CC", "CCCF", "CC1=C(N)C1"]

Doubles = npt.NDArray[np.floating[Any]]


def write_gdsc(path: Path, ln_ic50: Doubles, auc: Doubles) -> Path:
    """Write ``GDSC2_fitted_dose_response``, matrices of shape (lines, drugs); a number that is missing has no line."""
    rows = [
        {
            "DATASET": "GDSC2",
            "NLME_RESULT_ID": 343,
            "NLME_CURVE_ID": 15_946_310 + 10 * line + drug,
            "COSMIC_ID": 905_949 + line,
            "CELL_LINE_NAME": LINES[line],
            "SANGER_MODEL_ID": f"SIDM0090{line}",
            "TCGA_DESC": "LUAD",
            "DRUG_ID": 1001 + drug,
            "DRUG_NAME": DRUGS[drug],
            "PUTATIVE_TARGET": "EGFR, ERBB2",
            "PATHWAY_NAME": "EGFR signaling",
            "COMPANY_ID": 1046,
            "WEBRELEASE": "Y",
            "MIN_CONC": 0.001,
            "MAX_CONC": 10.0,
            "LN_IC50": float(ln_ic50[line, drug]),
            "AUC": float(auc[line, drug]),
            "RMSE": 0.04,
            "Z_SCORE": 0.5,
        }
        for line, drug in np.argwhere(np.isfinite(ln_ic50))
    ]
    pl.DataFrame(rows).write_csv(path)
    return path


def write_prism(path: Path, ic50: Doubles, auc: Doubles, screens: tuple[str, ...] = ("MTS010",)) -> Path:
    """Write ``secondary-screen-dose-response-curve-parameters``; a curve may have an AUC and no IC50."""
    rows = [
        {
            "broad_id": f"{BROAD[drug]}-001-01-1",
            "depmap_id": MODELS[line],
            "ccle_name": f"{LINES[line]}_LUNG",
            "screen_id": screen,
            "upper_limit": 1.0,
            "lower_limit": 0.2,
            "slope": 0.7,
            "r2": 0.8,
            "auc": float(auc[line, drug]) + at,
            "ec50": 1.0,
            "ic50": float(ic50[line, drug]) if np.isfinite(ic50[line, drug]) else None,
            "name": DRUGS[drug].lower(),
            "moa": "EGFR inhibitor",
            "target": "EGFR",
            "disease.area": "oncology",
            "indication": "lung",
            "smiles": SMILES[drug],
            "phase": "Launched",
            "passed_str_profiling": "TRUE",
            "row_name": MODELS[line],
        }
        for line in range(len(LINES))
        for drug in range(len(DRUGS))
        for at, screen in enumerate(screens)
    ]
    pl.DataFrame(rows).write_csv(path)
    return path


def write_ctrp(folder: Path, area: Doubles) -> Path:
    """Write ``v20.data.curves_post_qc`` with the tables of its numbers: experiments, cell lines, compounds."""
    folder.mkdir(parents=True, exist_ok=True)
    curves = [
        {
            "experiment_id": 1 + line,
            "conc_pts_fit": 16,
            "fit_num_param": 2,
            "apparent_ec50_umol": 3.5,
            "area_under_curve": float(area[line, drug]),
            "master_cpd_id": 1788 + drug,
        }
        for line in range(len(LINES))
        for drug in range(len(DRUGS))
    ]
    tables = {
        "data.curves_post_qc": pl.DataFrame(curves),
        "meta.per_experiment": pl.DataFrame({"experiment_id": [1, 2, 3], "master_ccl_id": [130, 569, 712]}),
        "meta.per_cell_line": pl.DataFrame({"master_ccl_id": [130, 569, 712], "ccl_name": LINES}),
        "meta.per_compound": pl.DataFrame(
            {"master_cpd_id": [1788, 1789, 1790], "cpd_name": DRUGS, "broad_cpd_id": BROAD}
        ),
    }
    for name, table in tables.items():
        table.write_csv(folder / f"v20.{name}.txt", separator="\t")
    return folder / "v20.data.curves_post_qc.txt"
