"""Structures: salts, solvates and free bases are one compound; complexes and mixtures are kept whole."""

from __future__ import annotations

import csv
from importlib import resources

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.harmonise.structures import ActiveStructure, active_structure, identify, parse_inchi_key, skeleton

pytest.importorskip("rdkit")

RILUZOLE = "C1=CC2=C(C=C1OC(F)(F)F)SC(=N2)N"
TRAMETINIB = "CC1=C2C(=C(N(C1=O)C)NC3=C(C=C(C=C3)I)F)C(=O)N(C(=O)N2C4=CC=CC(=C4)NC(=O)C)C5CC5"
DOXORUBICIN = "CC1C(C(CC(O1)OC2CC(CC3=C2C(=C4C(=C3O)C(=O)C5=C(C4=O)C(=CC=C5)OC)O)(C(=O)CO)O)N)O"


@pytest.mark.parametrize(
    ("free", "published", "removed"),
    [
        (RILUZOLE, f"{RILUZOLE}.Cl", ("Cl",)),
        (TRAMETINIB, f"{TRAMETINIB}.CS(C)=O", ("CS(C)=O",)),
        ("OC(=O)c1ccccc1O", "[O-]C(=O)c1ccccc1O.[Na+]", ("[Na+]",)),
        ("CN1CCN(CC1)c1ccccc1", "C[NH+]1CCN(CC1)c1ccccc1.[Cl-].O.O", ("Cl", "O")),
        ("CN1CCN(CC1)c1ccccc1", "CN1CCN(CC1)c1ccccc1.CN1CCN(CC1)c1ccccc1.O=C(O)/C=C/C(=O)O", ("O=C(O)/C=C/C(=O)O",)),
        ("CN1CCN(CC1)c1ccccc1", "CN1CCN(CC1)c1ccccc1.O[C@H]([C@@H](O)C(O)=O)C(O)=O", None),
        ("CC(O)C(O)=O", "C.CC(C(=O)[O-])O.[Ca+2]", ("C", "[Ca+2]")),
        (" " + RILUZOLE + "  ", RILUZOLE, ()),
    ],
)
def test_active_structure__is_that_of_the_free_form(free, published, removed):
    found = active_structure(published)
    assert found.inchi_key == active_structure(free).inchi_key
    assert removed is None or found.removed == removed


@pytest.mark.parametrize(
    "smiles",
    [
        "C1CCC(C(C1)[NH-])[NH-].C(=O)(C(=O)O)O.[Pt+2]",  # oxaliplatin
        "CC(=O)O",  # alone, an acid is the compound
        "[OH-].[OH-].[Mg+2]",
        "OC(=O)c1ccccc1O.CN1C=NC2=C1C(=O)N(C(=O)N2C)C",  # two drugs
    ],
)
def test_active_structure__keeps_complexes_and_mixtures_whole(smiles):
    assert active_structure(smiles).removed == ()


def test_active_structure__does_not_confuse_a_mixture_with_its_parts():
    mixture = active_structure("OC(=O)c1ccccc1O.CN1C=NC2=C1C(=O)N(C(=O)N2C)C.Cl")
    assert mixture.removed == ("Cl",)
    assert mixture.inchi_key not in {
        active_structure("OC(=O)c1ccccc1O").inchi_key,
        active_structure("CN1C=NC2=C1C(=O)N(C(=O)N2C)C").inchi_key,
    }


def test_active_structure__keeps_stereochemistry_isotopes_and_permanent_charges():
    keys = {
        active_structure(smiles).inchi_key
        for smiles in ("C[C@H](N)c1ccccc1", "C[C@@H](N)c1ccccc1", "CC(N)c1ccccc1", "[2H]C([2H])([2H])C(N)c1ccccc1")
    }
    assert len(keys) == 4
    assert (
        active_structure("C[N+](C)(C)Cc1ccccc1.[Cl-]").inchi_key == active_structure("C[N+](C)(C)Cc1ccccc1").inchi_key
    )
    assert active_structure("C[N+](C)(C)Cc1ccccc1").inchi_key != active_structure("CN(C)Cc1ccccc1").inchi_key


@pytest.mark.parametrize(
    ("smiles", "inchi_key"),
    [
        ("CCCCCCCCCCCCCCCCOP(=O)([O-])OCC[N+](C)(C)C", "PQLXHQMOHUQAKB-UHFFFAOYSA-N"),  # miltefosine
        ("C[N+](C)(C)CC(=O)[O-]", "KWIUHFFTVRNATP-UHFFFAOYSA-N"),  # betaine
        ("C[N+](C)(C)CC(=O)O.[Cl-]", "KWIUHFFTVRNATP-UHFFFAOYSA-N"),
        ("C[N+](C)(C)C[C@H](O)CC(=O)[O-]", "PHIQHXFUZVPYII-ZCFIWIBFSA-N"),  # carnitine
        ("C[N+](C)(C)CCO.[Cl-]", "OEYIOHPDSNJKLS-UHFFFAOYSA-N"),  # choline
    ],
)
def test_active_structure__gives_zwitterions_and_cations_their_standard_key(smiles, inchi_key):
    assert active_structure(smiles).inchi_key == inchi_key
    assert identify(inchi_key, smiles).inchi_key == inchi_key


def test_active_structure__knows_what_leaves_stereochemistry_open():
    assert active_structure(DOXORUBICIN).is_flat
    assert active_structure("CC=CC").is_flat
    assert not active_structure("C[C@H](N)c1ccccc1").is_flat
    assert not active_structure(RILUZOLE).is_flat


@pytest.mark.parametrize("smiles", ["", "not a molecule", "C1CC", "C(C)(C)(C)(C)C"])
def test_active_structure__gives_none_for_what_is_no_structure(smiles, capfd):
    assert active_structure(smiles) is None
    assert capfd.readouterr().err == ""


@given(st.permutations([RILUZOLE, "Cl", "O", "CS(O)(=O)=O", "[Na+]"]), st.integers(1, 5))
def test_active_structure__does_not_depend_on_the_order_of_fragments(fragments, n):
    kept = [RILUZOLE, *[fragment for fragment in fragments if fragment != RILUZOLE][:n]]
    ordered = [fragment for fragment in fragments if fragment in kept]
    assert active_structure(".".join(ordered)).inchi_key == active_structure(RILUZOLE).inchi_key


def test_identify__believes_a_published_key_unless_there_is_something_to_take_off():
    published = "LFOSJNYDRZKXFV-KRWDZBQOSA-N"
    assert identify(published, DOXORUBICIN).inchi_key == published
    assert identify(published, None).inchi_key == published
    assert identify(published, "unreadable.").inchi_key == published
    assert identify(published, f"{RILUZOLE}.Cl") == identify(None, f"{RILUZOLE}.Cl")
    assert identify(None, None) is None
    assert not identify(published, DOXORUBICIN).is_flat


def test_identify__keeps_the_published_stereochemistry_of_a_salt_that_is_drawn_flat():
    flat = "CC(C)NCC(O)COc1cccc2ccccc12.Cl"
    s_form, r_form = "AQHHHDLHHXJYJD-AWEZNQCLSA-N", "AQHHHDLHHXJYJD-CQSZACIVSA-N"
    for published in (s_form, r_form):
        assert identify(published, flat) == ActiveStructure(published, ("Cl",), is_flat=False)
    assert identify("AQHHHDLHHXJYJD-AWEZNQCLSA-O", flat.replace("NCC", "[NH2+]CC")).inchi_key == s_form
    key_of_salt = "ZMRUPTIKESYGQW-NTISSMGPSA-N"
    assert identify(key_of_salt, flat) == ActiveStructure("AQHHHDLHHXJYJD-UHFFFAOYSA-N", ("Cl",), is_flat=True)


def test_identify__takes_the_neutral_form_of_an_ion():
    anion = "[O-]C(=O)c1ccccc1"
    assert identify("WPYMKLBDIGXBTP-UHFFFAOYSA-M", anion).inchi_key == "WPYMKLBDIGXBTP-UHFFFAOYSA-N"


def test_parse_inchi_key__reads_keys_only():
    assert parse_inchi_key("InChIKey=WPYMKLBDIGXBTP-UHFFFAOYSA-N ") == "WPYMKLBDIGXBTP-UHFFFAOYSA-N"
    assert parse_inchi_key("wpymklbdigxbtp-uhfffaoysa-n") == "WPYMKLBDIGXBTP-UHFFFAOYSA-N"
    assert parse_inchi_key("WPYMKLBDIGXBTP") is None
    assert parse_inchi_key(None) is None
    assert skeleton("WPYMKLBDIGXBTP-UHFFFAOYSA-N") == "WPYMKLBDIGXBTP"


def test_counter_ions__are_neutral_readable_and_each_listed_once():
    text = resources.files("ingest.harmonise").joinpath("counter_ions.csv").read_text()
    rows = list(csv.DictReader(text.splitlines()))
    keys = [active_structure(row["smiles"]).inchi_key for row in rows]
    assert len(set(keys)) == len(keys)
    assert {row["kind"] for row in rows} == {"solvent", "acid", "base"}
    assert all(key.endswith("-N") for key in keys)
    for row in rows:
        assert active_structure(f"{RILUZOLE}.{row['smiles']}").inchi_key == active_structure(RILUZOLE).inchi_key, row
