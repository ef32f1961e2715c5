"""Compounds: one id per active structure, and no merging on a name alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from featurestore.compound_names import active_name, normalise_name
from featurestore.contract import RELEASE, conform
from featurestore.errors import SourceFormatError
from ingest.harmonise import structures
from ingest.harmonise.compound_identity import parse_broad_id, parse_cid, parse_targets
from ingest.harmonise.compounds import compound_table, map_compounds, read_compound_dictionary
from ingest.harmonise.structures import has_rdkit, skeleton

needs_rdkit = pytest.mark.skipif(not has_rdkit(), reason="RDKit is not installed")

RILUZOLE = "C1=CC2=C(C=C1OC(F)(F)F)SC(=N2)N"
RILUZOLE_KEY = "FTALBRSUTCGOEG-UHFFFAOYSA-N"
JQ1_KEY = "DNVXATUJJDPFDM-KRWDZBQOSA-N"
ALANINE, L_ALANINE, D_ALANINE = "CC(N)C(O)=O", "C[C@H](N)C(O)=O", "C[C@@H](N)C(O)=O"
THREONINE = "CC(O)C(N)C(O)=O"  # two centres: threonine and allothreonine are drawn alike


def compounds(**columns):
    return pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String))


def ids(mapped):
    return mapped["compound_id"].to_list()


@pytest.fixture
def without_rdkit(monkeypatch):
    monkeypatch.setattr(structures, "find_spec", lambda name: None)
    for function in (structures.has_rdkit, structures.active_structure):
        function.cache_clear()
    yield
    monkeypatch.undo()
    for function in (structures.has_rdkit, structures.active_structure):
        function.cache_clear()


@pytest.mark.parametrize(
    ("name", "normal", "active"),
    [
        ("Erdafitinib ", "erdafitinib", "erdafitinib"),
        ("JQ1-(+)", "(+)-jq1", "(+)-jq1"),
        ("(+)-JQ1", "(+)-jq1", "(+)-jq1"),
        ("(\u2212)-JQ1", "(-)-jq1", "(-)-jq1"),
        ("retinoic-acid", "retinoic-acid", "retinoic-acid"),
        ("Retinoic  acid", "retinoic-acid", "retinoic-acid"),
        ("Riluzole hydrochloride", "riluzole-hydrochloride", "riluzole"),
        ("Trametinib (DMSO_TF solvate)", "trametinib-(dmso_tf-solvate)", "trametinib"),
        ("ENMD-2076 L-(+)-Tartaric acid", "enmd-2076-l-(+)-tartaric-acid", "enmd-2076"),
        ("L-Thyroxine (sodium salt pentahydrate)", "l-thyroxine-(sodium-salt-pentahydrate)", "l-thyroxine"),
        ("Pasireotide (acetate)", "pasireotide-(acetate)", "pasireotide"),
        ("DMSO_TF", "dmso_tf", "dmso_tf"),
        ("Dimethyl fumarate", "dimethyl-fumarate", "dimethyl-fumarate"),
        ("diroximel-fumarate", "diroximel-fumarate", "diroximel-fumarate"),
        ("Abiraterone acetate", "abiraterone-acetate", "abiraterone-acetate"),
        ("Potassium chloride", "potassium-chloride", "potassium-chloride"),
        ("potassium tartrate", "potassium-tartrate", "potassium-tartrate"),
        ("antimony potassium tartrate", "antimony-potassium-tartrate", "antimony-potassium-tartrate"),
        ("Diclofenac sodium", "diclofenac-sodium", "diclofenac"),
        ("Rosuvastatin Calcium salt", "rosuvastatin-calcium-salt", "rosuvastatin"),
        ("Alendronate sodium trihydrate", "alendronate-sodium-trihydrate", "alendronate"),
        ("chloral hydrate", "chloral-hydrate", "chloral-hydrate"),
        ("Betamethasone dipropionate", "betamethasone-dipropionate", "betamethasone-dipropionate"),
        ("(S)-Crizotinib", "(s)-crizotinib", "(s)-crizotinib"),
        ("-", "-", "-"),
    ],
)
def test_names__lose_spelling_and_salts_but_no_more(name, normal, active):
    assert normalise_name(name) == normal
    assert active_name(name) == active


def test_active_name__leaves_more_out_of_what_is_known_to_be_a_salt():
    assert active_name("Larotrectinib sulfate", is_salt=True) == "larotrectinib"
    assert active_name("Dapagliflozin ((2S)-1,2-propanediol, hydrate)", is_salt=True) == "dapagliflozin"
    assert active_name("(R)-Verapamil (hydrochloride)", is_salt=True) == "(r)-verapamil"
    assert active_name("Ammonium iron citrate", is_salt=True) == "ammonium-iron-citrate"


WORDS = st.lists(
    st.sampled_from(
        ["foo", "(+)", "(R)", "(-)", "hydrochloride", "(sodium salt)", "sodium", "hydrate", "-", " ", "acid", "yl", "2"]
    )
)


@given(st.one_of(st.text(), WORDS.map("-".join), WORDS.map(" ".join)))
def test_names__are_idempotent(name):
    assert normalise_name(normalise_name(name)) == normalise_name(name)
    assert active_name(active_name(name)) == active_name(name)


def test_map_compounds__meets_by_name_what_differs_in_spelling_or_salt():
    names = [
        "(+)-JQ1",
        "JQ1-(+)",
        "Trametinib",
        "Trametinib (DMSO_TF solvate)",
        "ENMD-2076 L-(+)-Tartaric acid",
        "ENMD-2076",
    ]
    mapped = map_compounds(compounds(name=names))
    assert ids(mapped) == ["name:(+)-jq1"] * 2 + ["name:trametinib"] * 2 + ["name:enmd-2076"] * 2
    assert mapped["name"].to_list() == ["(+)-JQ1"] * 2 + ["Trametinib"] * 2 + ["ENMD-2076"] * 2
    assert mapped["original"].to_list() == names
    assert mapped["status"].unique().to_list() == ["name"]


def test_map_compounds__takes_a_published_key_then_a_pubchem_id_then_a_name():
    table = compounds(
        name=["a", "b", "c", "d"],
        inchi_key=[f"InChIKey={JQ1_KEY}", "-666", None, "nonsense"],
        pubchem_cid=["1", "6005.0", "0", None],
    )
    mapped = map_compounds(table)
    assert ids(mapped) == [JQ1_KEY, "CID:6005", "name:c", "name:d"]
    assert mapped["status"].to_list() == ["approved", "cid", "name", "name"]
    assert mapped["method"].to_list() == ["InChIKey", "PubChem id", "name", "name"]


@pytest.mark.parametrize("name", [None, "", " ", "-666", "restricted", "nan"])
def test_map_compounds__reports_missing_names(name):
    mapped = map_compounds(compounds(name=[name]))
    assert mapped["compound_id"].item() is None
    assert mapped["status"].item() == "missing"


def test_map_compounds__cleans_what_it_hands_on():
    table = pl.DataFrame(
        {
            "name": ["a", "b", "CHEMBL25"],
            "smiles": ["restricted", None, "-666"],
            "pubchem_cid": [387447.0, None, float("nan")],
            "broad_id": ["BRD-K76022557-003-28-9", "DMSO", None],
            "targets": [["PSMB5", "PSMB1"], [], None],
            "moa": [" x ", "-666", None],
        }
    )
    mapped = map_compounds(table)
    assert mapped["smiles"].null_count() == 3
    assert mapped["pubchem_cid"].to_list() == ["387447", None, None]
    assert mapped["broad_id"].to_list() == ["BRD-K76022557", None, None]
    assert mapped["targets"].to_list() == [["PSMB1", "PSMB5"], [], []]
    assert mapped["moa"].to_list() == ["x", None, None]
    assert mapped["chembl_id"].to_list() == [None, None, "CHEMBL25"]


def test_parsers__read_what_sources_write():
    assert parse_targets("PSMB1, PSMB2|PSMB5; PSMB1") == ["PSMB1", "PSMB2", "PSMB5"]
    assert parse_targets("-666") == []
    assert [parse_cid(text) for text in (6005.0, "6005", "CID:6005", "0", "-666", None)] == ["6005"] * 3 + [None] * 3
    assert parse_broad_id("BRD-A00047421") == "BRD-A00047421"
    assert parse_broad_id("BRD") is None


@needs_rdkit
def test_map_compounds__meets_by_structure_what_names_miss():
    names = ["Riluzole hydrochloride", "PK 26124", "riluzole"]
    mapped = map_compounds(compounds(name=names, smiles=[f"{RILUZOLE}.Cl", RILUZOLE, None]))
    assert ids(mapped) == [RILUZOLE_KEY] * 3
    assert mapped["status"].to_list() == ["approved", "approved", "alias"]
    assert mapped["method"].to_list() == ["SMILES", "SMILES", "name without salt, another row"]
    assert mapped["smiles"].to_list() == [f"{RILUZOLE}.Cl", RILUZOLE, None]
    assert mapped["note"].to_list() == ["taken off: Cl", None, None]
    assert mapped["name"].unique().to_list() == ["riluzole"]


@needs_rdkit
def test_map_compounds__never_merges_two_structures_of_one_name():
    mapped = map_compounds(compounds(name=["X", "x ", "x"], smiles=[RILUZOLE, L_ALANINE, None]))
    first, second, third = ids(mapped)
    assert len({first, second, third}) == 3
    assert third == "name:x"
    assert mapped["status"].to_list() == ["conflict"] * 3
    assert set(mapped["candidates"][0]) == {second, third}
    assert set(mapped["candidates"][2]) == {first, second}
    assert "'x' names 3 compounds" in mapped["note"][0]


@needs_rdkit
def test_map_compounds__tells_apart_what_is_drawn_alike_for_want_of_stereochemistry():
    table = compounds(
        name=["Threonine", "Threonine (hydrochloride)", "Allothreonine", "Other"],
        smiles=[THREONINE, f"{THREONINE}.Cl", THREONINE, THREONINE],
        pubchem_cid=["205", "999", "99289", None],
    )
    mapped = map_compounds(table)
    assert ids(mapped) == ["CID:205", "CID:205", "CID:99289", "name:other"]
    assert mapped["status"].to_list() == ["conflict"] * 4
    assert mapped["candidates"].to_list() == [["AYFVYJQAPQTCCC-UHFFFAOYSA-N"]] * 4


@needs_rdkit
def test_map_compounds__keeps_the_key_of_what_is_drawn_alike_if_names_or_ids_link_it():
    table = compounds(name=["Abc", "Abc (sodium)", "Xyz"], smiles=[THREONINE] * 3, pubchem_cid=["205", "206", "206"])
    assert set(ids(map_compounds(table))) == {"AYFVYJQAPQTCCC-UHFFFAOYSA-N"}


@needs_rdkit
def test_map_compounds__leaves_open_what_a_source_publishes_as_open():
    table = compounds(
        name=["racemate", "other"], smiles=[ALANINE, ALANINE], inchi_key=["QNAYBMKLOCPYGJ-UHFFFAOYSA-N", None]
    )
    mapped = map_compounds(table)
    assert ids(mapped) == ["QNAYBMKLOCPYGJ-UHFFFAOYSA-N", "name:other"]
    assert mapped["status"].to_list() == ["approved", "conflict"]


def test_map_compounds__says_that_it_could_not_read_structures(without_rdkit):
    table = compounds(name=["Riluzole hydrochloride", "JQ1"], smiles=[f"{RILUZOLE}.Cl"] * 2, inchi_key=[None, JQ1_KEY])
    mapped = map_compounds(table)
    assert ids(mapped) == ["name:riluzole", JQ1_KEY]
    assert mapped["note"].to_list() == ["SMILES not used: RDKit is not installed"] * 2


@needs_rdkit
def test_map_compounds__notes_a_structure_that_cannot_be_read():
    mapped = map_compounds(compounds(name=["a"], smiles=["not a molecule"]))
    assert (ids(mapped), mapped["note"].to_list()) == (["name:a"], ["SMILES cannot be read"])


def test_map_compounds__has_the_columns_of_the_contract_whatever_is_given():
    for table in (compounds(name=[]), compounds(name=["a", None])):
        mapped = map_compounds(table)
        assert mapped.columns == ["original", *RELEASE["compound"].columns, "status", "method", "candidates", "note"]
        conform(RELEASE["compound"], compound_table(mapped))
    assert map_compounds(compounds(name=[])).schema == map_compounds(compounds(name=["a"])).schema


NAMES = st.sampled_from(
    ["a", "A hydrochloride", "b", "B ", "(+)-b", "b-(+)", "CID:7", "-666", None, "name:c", JQ1_KEY, "-"]
)
SMILES = st.sampled_from(
    [None, RILUZOLE, f"{RILUZOLE}.Cl", ALANINE, L_ALANINE, D_ALANINE, THREONINE, "restricted", "bad"]
)
CIDS = st.sampled_from([None, "1", "2.0", "0"])


@given(st.lists(st.tuples(NAMES, SMILES, CIDS), max_size=8), st.randoms())
def test_map_compounds__is_order_free_and_row_by_row(rows, random):
    table = pl.DataFrame(rows, schema={"name": pl.String, "smiles": pl.String, "pubchem_cid": pl.String}, orient="row")
    mapped = map_compounds(table)
    assert mapped["original"].to_list() == table["name"].to_list()
    order = list(range(table.height))
    random.shuffle(order)
    shuffled = map_compounds(table[order])
    assert_frame_equal(mapped[order], shuffled)
    assert_frame_equal(compound_table(mapped), compound_table(shuffled))
    named = compound_table(mapped)
    assert named["compound_id"].is_unique().all()
    assert set(named["compound_id"]) == set(mapped["compound_id"].drop_nulls())


@given(st.lists(st.one_of(NAMES, st.text(max_size=10)), max_size=8))
def test_map_compounds__maps_its_own_ids_to_themselves(names):
    once = ids(map_compounds(compounds(name=names)))
    assert ids(map_compounds(compounds(name=once))) == once


HUB = (
    "broad_id\tpert_iname\tmoa\ttarget\tsmiles\tInChIKey\tpubchem_cid\tdeprecated_broad_id\n"
    "BRD-K00000001-001-01-1\triluzole\tglutamate inhibitor\tSLC7A11|SCN5A\t{riluzole}\t{riluzole_key}\t5070.0\t\n"
    "BRD-K00000001-003-02-1\triluzole\tglutamate inhibitor\tSCN4A\t{riluzole}\t{riluzole_key}\t\tBRD-A00000009-001\n"
    "BRD-K00000002-001-01-1\tL-alanine\t\t\t{l_alanine}\t{l_alanine_key}\t5950.0\t\n"
    "BRD-K00000003-001-01-1\tD-alanine\t\t\t{d_alanine}\t{d_alanine_key}\t71080.0\t\n"
    "BRD-K00000004-001-01-1\tnothing\t\t\t-666\trestricted\t\t\n"
).format(
    riluzole=RILUZOLE,
    riluzole_key=RILUZOLE_KEY,
    l_alanine=L_ALANINE,
    l_alanine_key="QNAYBMKLOCPYGJ-REOHCLBHSA-N",
    d_alanine=D_ALANINE,
    d_alanine_key="QNAYBMKLOCPYGJ-UWTATZPHSA-N",
)


@pytest.fixture
def hub(tmp_path):
    path = tmp_path / "repurposing.tsv"
    path.write_text(HUB)
    return read_compound_dictionary(path)


def test_read_compound_dictionary__merges_the_rows_of_a_compound(hub):
    assert hub.height == 3
    riluzole = hub.row(by_predicate=pl.col("compound_id") == RILUZOLE_KEY, named=True)
    assert riluzole["targets"] == ["SCN4A", "SCN5A", "SLC7A11"]
    assert riluzole["broad_ids"] == ["BRD-A00000009", "BRD-K00000001"]
    assert riluzole["moa"] == "glutamate inhibitor"
    assert riluzole["pubchem_cid"] == "5070"


@pytest.mark.parametrize(
    ("column", "value", "method"),
    [
        ("broad_id", "BRD-K00000001-999-99-9", "Broad id, dictionary"),
        ("pubchem_cid", "5070.0", "PubChem id, dictionary"),
        ("name", "Riluzole", "name, dictionary"),
        ("name", "Riluzole (hydrochloride)", "name without salt, dictionary"),
    ],
)
def test_map_compounds__takes_structures_from_a_dictionary(hub, column, value, method):
    mapped = map_compounds(compounds(**{"name": ["compound 7"], column: [value]}), dictionary=hub).row(0, named=True)
    assert (mapped["compound_id"], mapped["name"]) == (RILUZOLE_KEY, "riluzole")
    assert (mapped["status"], mapped["method"]) == ("alias", method)
    assert mapped["smiles"] == RILUZOLE
    assert mapped["targets"] == ["SCN4A", "SCN5A", "SLC7A11"]


@needs_rdkit
def test_map_compounds__takes_stereochemistry_that_the_source_leaves_open(hub):
    table = compounds(
        name=["Alanine", "D-Alanine (hydrochloride)"], smiles=[ALANINE, f"{ALANINE}.Cl"], pubchem_cid=["5950", None]
    )
    mapped = map_compounds(table, dictionary=hub)
    assert ids(mapped) == ["QNAYBMKLOCPYGJ-REOHCLBHSA-N", "QNAYBMKLOCPYGJ-UWTATZPHSA-N"]
    assert mapped["smiles"].to_list() == [ALANINE, f"{ALANINE}.Cl"]
    assert "the source leaves it open" in mapped["note"][0]


@needs_rdkit
def test_map_compounds__believes_the_source_before_the_dictionary(hub):
    mapped = map_compounds(compounds(name=["Riluzole", "L-alanine"], smiles=[L_ALANINE, D_ALANINE]), dictionary=hub)
    assert ids(mapped) == ["QNAYBMKLOCPYGJ-REOHCLBHSA-N", "QNAYBMKLOCPYGJ-UWTATZPHSA-N"]
    assert mapped["status"].to_list() == ["conflict", "approved"]
    assert mapped["candidates"][0].to_list() == [RILUZOLE_KEY]
    assert mapped["note"].to_list() == [
        "the dictionary has this name for another structure",
        "the dictionary has other stereochemistry: QNAYBMKLOCPYGJ-REOHCLBHSA-N",
    ]


def test_read_compound_dictionary__reads_lincs_and_keeps_compounds_only(tmp_path):
    path = tmp_path / "compoundinfo_beta.txt"
    path.write_text(
        "pert_id\tcmap_name\tpert_type\ttarget\tmoa\tcanonical_smiles\tinchi_key\tcompound_aliases\n"
        f"BRD-K00000001\triluzole\ttrt_cp\tSCN5A\ta\t-666\tInChIKey={RILUZOLE_KEY}\tPK-26124\n"
        f"BRD-K00000001\triluzole\ttrt_cp\tSCN4A\tb\t-666\t{RILUZOLE_KEY}\t\n"
        f"TRCN0001\tTP53\ttrt_sh\t\t\t\t{JQ1_KEY}\t\n"
    )
    dictionary = read_compound_dictionary(path)
    assert dictionary.height == 1
    assert dictionary["names"].to_list() == [["PK-26124", "riluzole"]]
    assert dictionary["moa"].item() == "a | b"
    assert ids(map_compounds(compounds(name=["pk-26124"]), dictionary=dictionary)) == [RILUZOLE_KEY]


def test_read_compound_dictionary__refuses_what_it_cannot_use(tmp_path):
    path = tmp_path / "names.csv"
    path.write_text("name,price\na,1\n")
    with pytest.raises(SourceFormatError, match="is not a compound dictionary"):
        read_compound_dictionary(path)
    with pytest.raises(SourceFormatError, match="cannot be read"):
        read_compound_dictionary(tmp_path / "absent.tsv")


def test_compounds__import_no_chemistry_until_it_is_needed():
    code = "import sys, ingest.harmonise.compounds; print('rdkit.Chem' in sys.modules)"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
        == "False"
    )


@pytest.fixture(scope="module")
def tahoe(real_data: Path):
    drugs = pl.read_parquet(real_data / "tahoe100m" / "drug_metadata.parquet")
    return drugs.rename({"drug": "name", "canonical_smiles": "smiles", "moa-fine": "moa"})


def meetings(drugs, dictionary):
    """How a screen's drugs meet a dictionary: by name, by structure, and where the two differ."""
    mapped = map_compounds(drugs, dictionary=dictionary)
    by_name: dict[str, set[str]] = {}
    for compound_id, names in dictionary.select("compound_id", "names").iter_rows():
        for name in names:
            by_name.setdefault(name.strip().lower(), set()).add(compound_id)
    known = set(dictionary["compound_id"])
    pairs = mapped.select("original", "compound_id").rows()
    named = {original for original, _ in pairs if original.strip().lower() in by_name}
    met = {original for original, compound_id in pairs if compound_id in known}
    separated = {
        original
        for original, compound_id in pairs
        if original in named
        and compound_id.count("-") == 2
        and all(skeleton(compound_id) != skeleton(other) for other in by_name[original.strip().lower()])
    }
    return mapped, named, met, separated


@needs_rdkit
def test_map_compounds__finds_tahoe_in_the_repurposing_hub(real_data: Path, tahoe):
    hub = read_compound_dictionary(real_data / "drug_seq" / "repurposing_info.tsv")
    mapped, named, met, separated = meetings(tahoe, hub)
    assert mapped.height == 379
    assert len(named) == 204
    assert len(met - named) >= 120
    assert len(met) >= 320
    assert {"Baicalin", "Demeclocycline", "Oxaliplatin", "Vilanterol"} <= separated
    both = dict(mapped.select("original", "compound_id").rows())
    assert both["Trametinib"] == both["Trametinib (DMSO_TF solvate)"]
    assert both["Doxorubicin (hydrochloride)"] != both["Epirubicin (hydrochloride)"]
    assert both["crizotinib"] == both["Crizotinib (hydrochloride)"] != both["(S)-Crizotinib"]
    assert both["Sodium Salicylate"] == both["Salicylic acid"]


@needs_rdkit
def test_map_compounds__finds_tahoe_in_lincs(real_data: Path, tahoe):
    lincs = read_compound_dictionary(real_data / "lincs" / "pertinfo.tsv.gz")
    mapped, named, met, separated = meetings(tahoe, lincs)
    assert len(named) == 125
    assert len(met - named) >= 70
    assert {"Allopurinol", "Meloxicam", "Piroxicam"} <= separated
    assert mapped.filter(pl.col("original") == "Rapamycin")["name"].item() == "sirolimus"
    paclitaxel = mapped.row(by_predicate=pl.col("original") == "Docetaxel", named=True)
    assert paclitaxel["status"] == "conflict"
    assert len(paclitaxel["candidates"]) == 3


@needs_rdkit
def test_read_compound_dictionary__reads_lincs_in_seconds(real_data: Path):
    lincs = read_compound_dictionary(real_data / "lincs" / "pertinfo.tsv.gz")
    assert 20_000 < lincs.height < 20_413
    assert lincs["compound_id"].is_unique().all()
    assert lincs.filter(~pl.col("compound_id").str.contains(r"^([A-Z]{14}-[A-Z]{10}-[A-Z]|CID:\d+)$")).is_empty()
