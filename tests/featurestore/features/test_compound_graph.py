"""Compounds that are one over all datasets of a snapshot, whatever each dataset knows of them."""

from __future__ import annotations

import duckdb
import numpy as np
import polars as pl
import pytest

from featurestore.compound_groups import compound_groups
from featurestore.features.builder import build
from featurestore.features.compound_graph import compound_graph
from featurestore.features.identifiers import harmonise
from featurestore.features.matching import match_conditions
from featurestore.features.perturbation_split import PerturbationSplit
from featurestore.features.perturbations import shared_target_groups
from featurestore.features.spec import read_spec
from featurestore.query.views import DATABASE
from featurestore.query.warehouse import Warehouse
from ingest.layouts import write_h5ad
from ingest.pipeline import ingest_dataset

GENES = ["TP53", "MYC", "ABL1", "STAT1", "TYK2", "ISG15", "GAPDH", "ACTB"]
VEMURAFENIB, VORINOSTAT = "GPXBXXGIAQBQNI-UHFFFAOYSA-N", "WAEXFXRVDQXREF-UHFFFAOYSA-N"
SPEC = """
[dataset]
id = "{name}"
files = ["{name}.h5ad"]
values = "counts"
assay = "drug_seq"

[condition]
perturbation = "drug"
kind = "compound"
controls = ["DMSO"]
context = {{ value = "{line}" }}

[genes]
id = "index"

[compound]
{columns}
"""


SHARED = """
select
    k.name, list_sort(list(distinct dataset_id)) as datasets,
    list_sort(list(distinct joined_by) filter (joined_by is not null)) as joined_by
from condition join compound_identity using (compound_id) join compound as k on k.compound_id = canonical_id
group by all having count(distinct dataset_id) > 1 order by 1
"""


def screen(folder, name, drugs, line="A549", **columns):
    """Ingest a screen of some drugs, each column with a value for each of them."""
    each = 8
    given = {key: [value for value in ("", *values) for _ in range(each)] for key, values in columns.items()}
    labels = [label for label in ("DMSO", *drugs) for _ in range(each)]
    rows = pl.DataFrame({"index": [f"w{at}" for at in range(len(labels))], "drug": labels, **given})
    counts = np.random.default_rng(len(name)).poisson(20, (len(labels), len(GENES))).astype(np.float32)
    write_h5ad(folder / f"{name}.h5ad", counts, rows, pl.DataFrame({"index": GENES}))
    named = "\n".join(f'{key} = "{key}"' for key in columns)
    (folder / f"{name}.toml").write_text(SPEC.format(name=name, line=line, columns=named))
    ingest_dataset(folder / f"{name}.toml", folder / "warehouse")


def conditions(store, dataset):
    frame = store.frame("select * from condition where dataset_id = ? and not is_control order by 1, 2", [dataset])
    return compound_graph(store).apply(frame)


ACCESSIONS = [
    ({"broad_id": ["BRD-K56343971-001-14-8", "BRD-K56343971", "BRD-K81418486"]}, "BRD-K56343971"),
    ({"pubchem_cid": ["42611257", "42611257", "5311"]}, "42611257"),
]


@pytest.mark.parametrize(("columns", "shared"), ACCESSIONS)
def test_two_names_of_one_accession__are_one_perturbation_and_one_fold(columns, shared, tmp_path):
    drugs = ["vemurafenib", "PLX-4032", "vorinostat"]
    screen(tmp_path, "a", drugs, **columns)
    with Warehouse(tmp_path / "warehouse") as store:
        found = store.frame("select perturbation, perturbation_label, n_cells from condition where not is_control")
        rows = conditions(store, "a")
        names = ["vemurafenib", "PLX-4032", "plx-4032", "vorinostat"]
        known = harmonise(store, names)["target_id"].to_list()
        folds = [set(test) for _, test in PerturbationSplit(n_splits=2, store=store).split(np.array(names))]
    assert known[0] == known[1] == known[2] != known[3]
    assert sorted(map(sorted, folds)) == [[0, 1, 2], [3]]
    assert sorted(found.rows()) == [
        ("vemurafenib", "PLX-4032 | vemurafenib", 16), ("vorinostat", "vorinostat", 8)
    ]  # fmt: skip
    assert shared_target_groups(rows).n_unique() == 2


def test_dataset_with_structures__meets_one_without(tmp_path):
    broad = ["BRD-K56343971", "BRD-K81418486"]
    screen(tmp_path, "structures", ["vemurafenib", "vorinostat"], inchi_key=[VEMURAFENIB, VORINOSTAT], broad_id=broad)
    screen(tmp_path, "accessions", ["PLX4032", "SAHA"], "HT29", broad_id=broad)
    screen(tmp_path, "names", ["Vorinostat", "Vemurafenib ", "other"], "MCF7")
    with Warehouse(tmp_path / "warehouse") as store:
        joined = compound_graph(store).joined.sort("compound_id").rows()
        here, others = conditions(store, "structures"), [conditions(store, name) for name in ("accessions", "names")]
        asked = store.frame(SHARED)
        kept = store.frame("select count(*) from condition where compound_id = 'name:plx4032'").item()
        split = PerturbationSplit(n_splits=2, store=store)
        names = np.array(["PLX4032", "vemurafenib", VEMURAFENIB, "SAHA", "Vorinostat", "BRD-K81418486"])
        parts = [set(names[test]) for _, test in split.split(names)]
    assert joined == [
        ("name:plx4032", VEMURAFENIB, "Broad id BRD-K56343971"),
        ("name:saha", VORINOSTAT, "Broad id BRD-K81418486"),
        ("name:vemurafenib", VEMURAFENIB, "name vemurafenib"),
        ("name:vorinostat", VORINOSTAT, "name vorinostat"),
    ]
    assert asked.rows() == [
        ("vemurafenib", ["accessions", "names", "structures"], ["Broad id BRD-K56343971", "name vemurafenib"]),
        ("vorinostat", ["accessions", "names", "structures"], ["Broad id BRD-K81418486", "name vorinostat"]),
    ]
    for other in others:
        assert match_conditions(here, other).height == 2
    assert kept == 1
    assert sorted(map(sorted, parts)) == sorted(map(sorted, (set(names[:3]), set(names[3:]))))


def test_build__matches_by_identity_and_says_what_joined_whom(tmp_path):
    drugs, broad = [f"drug{n}" for n in "abcd"], [f"BRD-K0000000{n}" for n in range(4)]
    keys = [f"{letter * 14}-UHFFFAOYSA-N" for letter in "ABCD"]
    screen(tmp_path, "target", drugs, inchi_key=keys, broad_id=broad)
    screen(tmp_path, "source", [f"code{n}" for n in range(4)], "HT29", broad_id=broad)
    spec = tmp_path / "spec.toml"
    spec.write_text(
        'name = "x"\n[target]\ndataset = "target"\n[[feature]]\nkind = "signature"\ndatasets = ["source"]\n'
        "components = 2\n[split]\nfolds = 2\n"
    )
    with Warehouse(tmp_path / "warehouse") as store:
        matrix = build(store, read_spec(spec))
    assert matrix.mask.all()
    joined = matrix.manifest["guard"]["compounds"]
    assert joined[0] == {"compound_id": "name:code0", "is": keys[0], "by": "Broad id BRD-K00000000"}
    assert len(joined) == 4


@pytest.mark.parametrize(
    ("keys", "groups"),
    [
        ({"a": {("name", "x")}, "b": {("name", "x")}}, [["a", "b"]]),
        ({"a": {("Broad id", "1")}, "b": {("name", "x")}}, [["a"], ["b"]]),
        ({"a": {("Broad id", "1"), ("name", "y")}, "b": {("Broad id", "1")}, "c": {("name", "y")}}, [["a", "b", "c"]]),
        (
            {  # one name of two PubChem ids joins neither
                "CID:1": {("PubChem id", "1"), ("name", "x")},
                "CID:2": {("PubChem id", "2"), ("name", "x")},
                "n": {("name", "x")},
            },
            [["CID:1"], ["CID:2"], ["n"]],
        ),
        ({"name:x": {("name", "x")}, "CID:1": {("PubChem id", "1"), ("name", "x")}}, [["CID:1", "name:x"]]),
        ({"a": {("ChEMBL id", "CHEMBL1")}, "b": {("ChEMBL id", "CHEMBL1")}}, [["a", "b"]]),
    ],
)
def test_compound_groups__share_an_accession_or_an_unambiguous_name(keys, groups):
    assert compound_groups(keys) == groups


def test_name_of_two_structures__joins_neither(tmp_path):
    screen(tmp_path, "structures", ["a", "a "], inchi_key=[VEMURAFENIB, VORINOSTAT])
    screen(tmp_path, "names", ["a"], "HT29")
    with Warehouse(tmp_path / "warehouse") as store:
        assert compound_graph(store).joined.is_empty()


def test_forms_of_one_skeleton__have_one_canonical_id_and_keep_their_own_in_matching(tmp_path):
    r_form, s_form = "OKKJLVBELUTLKV-AAAAAAAAAA-N", "OKKJLVBELUTLKV-BBBBBBBBBB-N"
    screen(tmp_path, "r", ["x"], inchi_key=[r_form])
    screen(tmp_path, "s", ["y"], "HT29", inchi_key=[s_form])
    with Warehouse(tmp_path / "warehouse") as store:
        asked = store.sql("select * from COMPOUND_identity").fetchall()
        assert asked == [(r_form, r_form, None), (s_form, r_form, "skeleton OKKJLVBELUTLKV")]
        assert compound_graph(store).joined.is_empty()


def test_file_for_other_clients__shows_what_joined_whom(tmp_path):
    screen(tmp_path, "a", ["vorinostat"], inchi_key=[VORINOSTAT])
    screen(tmp_path, "b", ["Vorinostat"], "HT29")
    with duckdb.connect(str(tmp_path / "warehouse" / DATABASE), read_only=True) as client:
        lines = client.sql("select compound_id, canonical_id, joined_by from compound_identity order by 1").fetchall()
    assert lines == [(VORINOSTAT, VORINOSTAT, None), ("name:vorinostat", VORINOSTAT, "name vorinostat")]
