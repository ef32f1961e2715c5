"""The species of the cells: a file that says another than the spec is refused, and a draft says what the file says."""

from __future__ import annotations

import h5py
import numpy as np
import polars as pl
import pytest

from featurestore.errors import SpecError
from featurestore.query.warehouse import Warehouse
from ingest.inspection.draft import draft_spec
from ingest.inspection.inspect import inspect_file
from ingest.layouts import write_h5ad
from ingest.pipeline import ingest_dataset

MOUSE = ["Trp53", "Myc", "Pten", "Stat1", "Cdkn2a", "Gapdh", "Hspa8", "Actb"]
HUMAN = ["TP53", "MYC", "PTEN", "STAT1", "CDKN2A", "GAPDH", "HSPA8", "ACTB"]
SPEC = """
[dataset]
id = "a"
files = ["{file}"]
values = "counts"
assay = "bulk_rna_seq"
{more}

[condition]
perturbation = "{column}"
kind = "crispr_knockout"
controls = ["control"]
context = {{ value = "B16-F10" }}

[genes]
id = "index"
{genes}
"""


def archs4(folder, organism, genes):
    """Write counts as ARCHS4 does, whose sample table names the organism of each."""
    with h5py.File(folder / "archs4.h5", "w") as file:
        file["data/expression"] = np.random.default_rng(0).poisson(50, (len(genes), 6)).astype(np.uint32)
        file["meta/genes/symbol"] = genes
        file["meta/samples/geo_accession"] = [f"GSM{at}" for at in range(6)]
        file["meta/samples/title"] = ["control"] * 3 + [genes[0]] * 3
        file["meta/samples/organism_ch1"] = organism
    return folder / "archs4.h5"


def ingested(folder, more="", genes="", file="archs4.h5", column="title"):
    (folder / "a.toml").write_text(SPEC.format(more=more, genes=genes, file=file, column=column))
    ingest_dataset(folder / "a.toml", folder / "warehouse")
    with Warehouse(folder / "warehouse") as store:
        query = "select organism, perturbation from dataset join condition using (dataset_id) where not is_control"
        return store.frame(query).rows()


def test_archs4__of_the_mouse_is_never_stored_as_human(tmp_path):
    archs4(tmp_path, ["Mus musculus"] * 6, HUMAN)
    with pytest.raises(SpecError, match="another species") as caught:
        ingested(tmp_path)
    for words in ("column 'organism_ch1'", "'Mus musculus'", 'organism = "mouse"', "translate_mouse = true"):
        assert words in str(caught.value)


def test_archs4__of_the_mouse_is_translated(tmp_path):
    path = archs4(tmp_path, ["Mus musculus"] * 6, MOUSE)
    draft = draft_spec(inspect_file(path), tmp_path)
    assert 'organism = "mouse"' in draft.text
    assert "translate_mouse = true  # CHECK" in draft.text
    assert ingested(tmp_path, 'organism = "mouse"', "translate_mouse = true") == [("mouse", "TP53")]
    with Warehouse(tmp_path / "warehouse") as store:
        assert sorted(store.frame("select distinct gene_symbol from signature")["gene_symbol"]) == sorted(HUMAN)


def test_translated_genes__are_not_of_a_human_dataset(tmp_path):
    rows = pl.DataFrame({"index": [f"S{at}" for at in range(6)], "title": ["control"] * 3 + ["Trp53"] * 3})
    write_h5ad(tmp_path / "a.h5ad", np.ones((6, 8), np.float32) * 9, rows, pl.DataFrame({"index": MOUSE}))
    with pytest.raises(SpecError, match="8 of 8 genes were translated from the mouse"):
        ingested(tmp_path, genes="translate_mouse = true", file="a.h5ad")


@pytest.mark.parametrize(
    ("column", "words", "is_refused"),
    [
        ("organism", "Homo sapiens", False),
        ("organism_ch1", "human", False),
        ("species", "HUMAN", False),
        ("species", "hg38", False),
        ("species", "mm10", True),
        ("organism_ontology_term_id", "NCBITaxon:9606", False),
        ("Organism", "Mus musculus", True),
        ("species", "mouse", True),
        ("sample_organism_ch1", "Rattus norvegicus", True),
        ("organism_ontology_term_id", "NCBITaxon:10090", True),
        ("species", "M. musculus", True),
        ("organism_name", "Danio rerio", True),
    ],
)
def test_organism__of_the_rows_is_compared(column, words, is_refused, tmp_path):
    rows = {"index": [f"S{at}" for at in range(6)], "title": ["control"] * 3 + ["TP53"] * 3, column: [words] * 6}
    counts = np.random.default_rng(1).poisson(9, (6, 8)).astype(np.float32)
    write_h5ad(tmp_path / "a.h5ad", counts, pl.DataFrame(rows), pl.DataFrame({"index": HUMAN}))
    if is_refused:
        with pytest.raises(SpecError, match=f"column '{column}'"):
            ingested(tmp_path, file="a.h5ad")
    else:
        assert ingested(tmp_path, file="a.h5ad") == [("human", "TP53")]


def test_organism__of_two_species_in_one_file_is_of_the_rows_that_are_kept(tmp_path):
    rows = {
        "index": [f"S{at}" for at in range(8)],
        "title": ["control"] * 3 + ["TP53"] * 3 + ["control", "Trp53"],
        "species": ["human"] * 6 + ["mouse"] * 2,
    }
    counts = np.random.default_rng(1).poisson(9, (8, 8)).astype(np.float32)
    write_h5ad(tmp_path / "a.h5ad", counts, pl.DataFrame(rows), pl.DataFrame({"index": HUMAN}))
    with pytest.raises(SpecError, match="take the rows of one species with where"):
        ingested(tmp_path, file="a.h5ad")
    text = (tmp_path / "a.toml").read_text().replace("[condition]", "[condition]\nwhere = \"species = 'human'\"")
    (tmp_path / "a.toml").write_text(text)
    assert ingest_dataset(tmp_path / "a.toml", tmp_path / "warehouse").is_new
