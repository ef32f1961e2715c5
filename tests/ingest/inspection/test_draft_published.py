"""Drafts of the published layouts: ingested without an edit, they give the conditions of the shipped specs."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from featurestore.storage.snapshot import read_snapshot, release_path
from ingest.inspection.draft import draft_spec
from ingest.inspection.inspect import inspect_file
from ingest.pipeline import find_files, ingest_dataset
from ingest.spec import SPECS, read_spec
from layouts.miniature import screen
from layouts.miniatures import MINIATURES
from layouts.published_results import PUBLISHED_RESULTS

LAYOUTS = MINIATURES | PUBLISHED_RESULTS
CONDITIONS = {
    "is_control": "is_control", "perturbation_label": "label", "perturbation_kind": "kind", "context_id": "context",
    "dose_um": "dose", "time_h": "time",
}  # fmt: skip
REPLOGLE = ("k562_essential", "k562_gwps", "rpe1")
UNSAID = {
    **{f"replogle_2022_{line}{form}": {"time"} for line in REPLOGLE for form in ("", "_bulk", "_normalised_bulk")},
    "sciplex3": {"time"},
    "sciplex3_triplets": {"dose", "time"},  # nM, says the paper
    "arc_support_h1": {"context"},  # its column of cells says 'x'
    "datlinger_2017_jurkat": {"context"},  # 'Jurkat cells' and the stimulus, spelt otherwise
    "datlinger_2017_jurkat_subset": {"context", "kind"},
    **{f"gears_{name}": {"kind"} for name in ("norman", "adamson")},
    **{f"gears_replogle_{line}_essential": {"kind"} for line in ("k562", "rpe1")},
    "lincs2020_trt_cp": {"dose"},  # as given, where the spec takes the one that was meant
    "lincs_gse92742": {"dose"},
    "perturbqa_k562": {"kind"},
    **{name: {"kind"} for name in ("pie_jiang", "pie_k562")},
    "frangieh_2021_melanoma": {"context"},  # no column says of which cells
    "shifrut_2018_t_cells": {"context"},  # the stimulus, in words of its own
    "dixit_2016_7_days": {"time"},
    "zhu_2026_cd4_t": {"context"},  # of the cells, the stimulus only
    "zhu_2026_cd4_t_de": {"kind", "context"},
    "op3_2023_pbmc_de": {"dose", "time"},
}
"""What a file does not say of its conditions, and the shipped spec takes from the paper."""
ASKED = {
    "vcc_2026_controls": {"perturbation", "kind", "controls"},  # controls only; guides are in another table
    "zhao_2021_glioblastoma": {"context"},
    "viperturb_2026_k562": {"context"},
    "southard_2025_rpe1": {"perturbation", "kind", "controls"},  # the label of its controls is 'non'
    **{f"sciplex{n}_triplets": {"perturbation", "kind", "controls"} for n in (2, 4)},  # text to be taken apart
    # wells are described by plate and barcode, in a table above the matrix or of all plates
    **{name: {"perturbation", "kind", "controls", "context"} for name in ("drugseq_2022_pilot", "macseq_pmmsq033")},
    "lincs2020_ctl": {"perturbation", "kind"},  # controls only
    **{name: {"dataset.values"} for name in ("lincs2020_level3_trt_xpr", "temp_l1000_phase1")},
    # of bulk samples the file says nothing but their names
    "recount3_srp009615": {"perturbation", "kind", "controls", "context"},
}
"""What a draft leaves to be filled in."""
ELSEWHERE = {
    "xatlas_orion_hct116", "xatlas_orion_hek293t",  # a filter of cells, which the draft mentions
    "jiang_2025_pathways", "tahoe_100m_plates",  # other files hold other stimuli and plates
    "tahoe_100m",  # doses are in a table of another folder
    "sciplex4",  # a second dose, which the draft does not take
    "sciplex2",  # its label 'control' is of cells whose hash was not read
    "tahoe_100m_de",  # other shards hold other drugs
    "cigs_mce",  # the other workbook holds another line
    "creeds_single_gene",  # organisms and kinds in words of its own, which the shipped spec translates
}  # fmt: skip
"""Datasets of which one file alone does not tell all conditions."""
SAME = {
    *(f"lincs2020_trt_{kind}" for kind in ("sh", "xpr", "oe", "misc")),
    *(name for name in LAYOUTS if name.endswith("_scperturb")),
    "lincs_gse70138", "perturbqa_rpe1", "perturbqa_jurkat", "recount2_srp009615", "southard_2025_hs27",
    "tian_2019_neuron", "tian_2021_crispri", "tian_2021_crispra", "xu_2023_hek293", "sunshine_2023_calu3",
    "datlinger_2021_jurkat", "dixit_2016_13_days", "vcc_2026_controls_final", "vcpi_0002", "temp_sciplex3",
    "temp_op3", "temp_moabox", "temp_l1000_phase2", "pie_arc_vcc_25", "pie_orion_hct116", "pie_orion_hek293t",
    "pie_rpe1", "pie_hepg2", "pie_jurkat", "pie_tahoe_100m", "mcfarland_2020_crispr", "dixit_2016_high_moi",
    "tian_2019_ipsc",
}  # fmt: skip
"""Files of the same layout as one that is drafted here."""


@pytest.fixture
def drafted(tmp_path):
    def draft(name):
        LAYOUTS[name](tmp_path)
        path = find_files(read_spec(SPECS / f"{name}.toml"), tmp_path)[0]
        return draft_spec(inspect_file(path), tmp_path)

    return draft


def conditions(root):
    """Read the conditions of the one dataset of a warehouse, sorted."""
    ((dataset_id, release_id),) = read_snapshot(root).datasets.items()
    release = release_path(root, dataset_id, release_id)
    table = pl.read_parquet([*release.glob("condition.parquet"), *release.glob("condition/*.parquet")])
    return table.select(pl.col(name).alias(short) for name, short in CONDITIONS.items()).sort(pl.all())


@pytest.mark.parametrize("name", sorted(set(LAYOUTS) - set(ASKED) - SAME))
def test_draft__ingests_without_an_edit_and_agrees_with_the_shipped_spec(name, drafted, shipped, tmp_path):
    draft = drafted(name)
    assert draft.missing == ()
    (tmp_path / "draft.toml").write_text(draft.text)
    ingest_dataset(tmp_path / "draft.toml", tmp_path / "drafted")
    ours, theirs = conditions(tmp_path / "drafted"), conditions(shipped(name)[0])
    if name in ELSEWHERE:
        assert set(ours["label"]) & set(theirs["label"])
        return
    assert ours.height == theirs.height
    assert {column for column in ours.columns if not ours[column].equals(theirs[column])} == UNSAID.get(name, set())


@pytest.mark.parametrize("name", ASKED)
def test_draft__asks_for_what_the_file_does_not_say(name, drafted):
    draft = drafted(name)
    assert {key.removeprefix("condition.") for key in draft.missing} == ASKED[name]
    assert draft.text.count("FILL IN") == len(draft.missing)


def test_readme__says_of_how_many_layouts_the_draft_ingests():
    layouts = set(LAYOUTS) - SAME
    said = f"Drafts of {len(layouts - set(ASKED))} of the {len(layouts)} published\nlayouts ingest without an edit"
    assert said in (Path(__file__).parents[3] / "ingest/README.md").read_text()


def test_draft__names_the_spec_that_comes_along(drafted):
    assert "# A spec of sciplex3 comes along: featurestore ingest sciplex3 --data FOLDER" in drafted("sciplex3").text


def test_draft__is_in_doubt_of_controls_beside_rows_of_dose_0(drafted):
    text = drafted("sciplex2").text
    assert "30 rows of other labels have a dose of 0" in text
    assert 'controls = ["control"]  # CHECK' in text
    assert "dose of 0" not in drafted("sciplex3").text


def test_draft__of_vcpi_takes_the_vehicle_for_the_control_and_no_positive_control(tmp_path):
    wells = {"DMSO": 24, "Bortezomib": 12, "Trametinib": 12}
    described = {"is_control": lambda drug: drug != "Trametinib", "container_id": ["p1", "p2"], "cell_line": "THP-1"}
    screen("vcpi.h5ad", "user_compound_id", wells, seed=7, columns=described)(tmp_path)
    draft = draft_spec(inspect_file(tmp_path / "vcpi.h5ad"), tmp_path)
    (tmp_path / "draft.toml").write_text(draft.text)
    ingest_dataset(tmp_path / "draft.toml", tmp_path / "drafted")
    table = conditions(tmp_path / "drafted")
    assert table.filter("is_control")["label"].to_list() == ["DMSO"]
    assert set(table.filter(~pl.col("is_control"))["label"]) == {"Bortezomib", "Trametinib"}


def test_draft__mentions_genes_that_may_be_padding(drafted):
    assert "5 of 23 genes are 0 in all rows looked at" in drafted("arc_support_k562").text
