"""How much of published gene lists is mapped; each number is a floor that the reference reaches."""

import h5py
import polars as pl
import pytest

from ingest.harmonise.genes import best_release, collapse, decide_by_context, map_genes, map_targets


@pytest.fixture(scope="module")
def challenge(real_data):
    """Gene list of the Virtual Cell Challenge 2025."""
    path = real_data / "vcc2025" / "gene_names.csv"
    return map_genes(pl.read_csv(path, has_header=False, new_columns=["name"])["name"])


@pytest.fixture(scope="module")
def lincs(real_data):
    """Genes of L1000 as GEO publishes them."""
    path = real_data / "lincs" / "GSE92742_Broad_LINCS_gene_info.txt"
    return pl.read_csv(path, separator="\t", infer_schema=False)


@pytest.fixture(scope="module")
def tahoe(real_data):
    """Genes of Tahoe-100M."""
    return pl.read_parquet(real_data / "tahoe100m" / "gene_metadata.parquet")


def test_challenge__every_symbol_has_a_stated_fate(challenge):
    assert len(challenge) == 18_080
    assert challenge.counts() == {
        "approved": 17_526,
        "previous": 489,
        "gencode_name": 2,
        "alias": 1,
        "historic_name": 50,
        "suffix_flagged": 3,
        "ambiguous": 8,
        "retired_no_successor": 1,
    }
    assert challenge.unmapped["original"].to_list() == ["AC119396.1"]
    flagged = challenge.table.filter(pl.col("status") == "suffix_flagged")["original"]
    assert set(flagged) == {"TBCE-1", "HSPA14-1", "TMSB15B-1"}


def test_challenge__ambiguous_symbols_are_previous_symbols_and_clone_names_that_moved(challenge):
    names = challenge.ambiguous["original"].to_list()
    assert {name for name in names if not name.startswith("A")} == {"QARS", "C18orf21"}
    assert set(challenge.ambiguous["method"]) == {"previous", "historic_name"}


def test_challenge__context_decides_all_of_them(challenge):
    decided = decide_by_context(challenge)
    assert decided.mapped.height / len(decided) > 0.9999
    by_name = dict(decided.table.select("original", "gene_symbol").iter_rows())
    assert (by_name["QARS"], by_name["C18orf21"]) == ("QARS1", "RMP24")
    assert decided.ambiguous.is_empty()


def test_challenge__is_told_to_be_of_ensembl_100_or_near(challenge):
    assert best_release(challenge.table["original"]).row(0)[0] == "ensembl_100"


def test_challenge__has_one_true_merger_and_three_flagged_names(challenge):
    axis = collapse(challenge, value_is_additive=True)
    merged = {tuple(row["originals"]): row["n_used"] for row in axis.members().iter_rows(named=True)}
    assert merged == {
        ("MYO18A", "TIAF1"): 2,
        ("TBCE", "TBCE-1"): 1,
        ("HSPA14", "HSPA14-1"): 1,
        ("TMSB15B", "TMSB15B-1"): 1,
    }


def test_challenge__every_target_is_mapped(real_data):
    path = real_data / "vcc2025" / "pert_counts_Validation.csv"
    assert map_targets(pl.read_csv(path)["target_gene"].to_list()).unmapped.is_empty()


@pytest.mark.parametrize(
    ("flag", "n_genes", "floor"), [("pr_is_lm", 978, 1.0), ("pr_is_bing", 10_174, 0.998), (None, 12_328, 0.998)]
)
def test_lincs__entrez_ids_are_current(lincs, flag, n_genes, floor):
    genes = lincs if flag is None else lincs.filter(pl.col(flag) == "1")
    mapping = map_genes(genes["pr_gene_id"])
    assert len(mapping) == n_genes
    assert mapping.mapped.height >= floor * n_genes


def test_lincs__landmark_genes_all_have_ensembl_ids(lincs):
    landmarks = map_genes(lincs.filter(pl.col("pr_is_lm") == "1")["pr_gene_id"])
    assert landmarks.table["gene_id"].str.starts_with("ENSG").all()
    assert landmarks.table["gene_id"].is_unique().all()


def test_lincs__symbols_drifted_but_never_contradict_the_ids(lincs):
    mapping = map_genes(lincs["pr_gene_id"], symbols=lincs["pr_gene_symbol"])
    assert mapping.mapped.height >= 0.999 * len(mapping)
    assert "conflict" not in mapping.counts()
    assert 400 < mapping.drifted.height < 700


def test_tahoe__ensembl_ids_are_of_gencode_44(tahoe):
    mapping = map_genes(tahoe["ensembl_id"])
    assert mapping.mapped.height >= 0.98 * len(mapping)
    assert set(mapping.counts()) == {"current", "retired_replaced", "retired_no_successor", "unmapped"}
    release, _, _, coverage = best_release(tahoe["ensembl_id"]).row(0)
    assert release == "gencode_44"
    assert coverage > 0.999


def test_tahoe__token_ids_are_not_taken_for_entrez_ids(tahoe):
    assert map_genes(tahoe["token_id"].cast(pl.String)).counts() == {"unmapped": tahoe.height}


@pytest.mark.parametrize("line", ["k562", "rpe1", "jurkat"])
@pytest.mark.parametrize("column", ["gene", "pert"])
def test_perturbqa__only_two_symbols_are_in_doubt(real_data, line, column):
    symbols = pl.read_csv(real_data / "perturbqa" / f"{line}-de.csv")[column].unique().sort()
    mapping = map_genes(symbols)
    assert mapping.unmapped.is_empty()
    assert set(mapping.ambiguous["original"]) <= {"QARS", "C18orf21"}


def test_depmap__headers_are_all_current(real_data):
    with h5py.File(real_data / "depmap" / "gene_effect.hdf5") as file:
        headers = [label.decode() for label in file["dim_1"][:]]
    mapping = map_genes(headers)
    assert (mapping.kind, mapping.counts()) == ("symbol_entrez", {"current": 883})
