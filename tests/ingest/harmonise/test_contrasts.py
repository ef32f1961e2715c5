"""Names of contrasts: which side was perturbed."""

from __future__ import annotations

import pytest

from ingest.harmonise.contrasts import is_contrast, is_turned


@pytest.mark.parametrize(
    "name",
    [
        "control_vs_STAT1", "DESeq2_condition_control_vs_STAT1.csv", "ctrl vs treated", "NTC.vs.STAT1", "WT_vs_KO",
        "non-targeting_vs_STAT1", "CtrlvsSTAT1", "TP53_DMSO_vs_TP53_JQ1", "sgNT-1_vs_sgSTAT1-2", "shGFP_vs_shSTAT1",
        "controls_versus_STAT1", "untreated over treated", "control - STAT1", "wt/STAT1", "MYC_vs_STAT1",
    ],
)  # fmt: skip
def test_contrast_of_the_control_against_what_was_perturbed__is_turned(name):
    assert is_turned(name, ["STAT1"])
    assert is_contrast(name)


@pytest.mark.parametrize(
    "name",
    [
        "STAT1_vs_control", "STAT1vsCtrl", "treated vs ctrl", "KO_vs_WT", "STAT1 vs. non-targeting", "STAT1-control",
        "STAT1_vs_rest", "TP53_JQ1_vs_TP53_DMSO", "24h_vs_0h", "DMSO_1_vs_DMSO_2", "STAT1_vs_MYC", "HLA-A", "NT-1",
        "neg-ctrl", "overexpression_STAT1", "vsn_control.csv", "control_study_of_our_lab_STAT1_vs_MYC.csv",
    ],
)  # fmt: skip
def test_contrast_of_what_was_perturbed__and_other_names_are_not(name):
    assert not is_turned(name, ["STAT1"])
