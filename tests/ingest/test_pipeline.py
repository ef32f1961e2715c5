from __future__ import annotations

import os
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy import sparse

from featurestore.errors import SourceFormatError, SpecError
from featurestore.features.effects.halves import read_halves
from featurestore.query.warehouse import Warehouse
from featurestore.storage.snapshot import read_snapshot, snapshot_numbers
from ingest.commands.left_open import left_open
from ingest.layouts import write_gctx, write_h5ad, write_h5ad_rows
from ingest.pipeline import ingest_dataset
from ingest.reader import INDEX
from ingest.signatures.recompute import recompute
from layouts.gct import write_gct

GENES = ["ENSG00000141510", "ENSG00000146648", "ENSG00000136997", "ENSG00000133703", "ENSG00000157764"]
LABELS = ["ctrl", "TP53", "TP53+ctrl", "ctrl+TP53", "MYC+TP53", "TP53+MYC", "nan", "KNTC1", "NOSUCHGENE9"]
SPEC = """
[dataset]
id = "small"
files = {files}
values = "counts"
assay = "perturb_seq"
[condition]
perturbation = "condition"
kind = "crispri"
controls = ["ctrl"]
separator = "+"
context = {{ column = "line" }}
batch = "batch"
{more}
"""


def cells(n=400, seed=0):
    rng = np.random.default_rng(seed)
    rows = pl.DataFrame(
        {
            INDEX: [f"{seed}_{i}" for i in range(n)],
            "condition": rng.choice(LABELS, n),
            "line": rng.choice(["K562", "k-562", "RPE1"], n),
            "batch": rng.choice(["a", "b"], n),
            "depth": rng.uniform(0, 1, n),
        }
    )
    return rng.poisson(3.0, (n, len(GENES))).astype(np.float32), rows


def put(folder: Path, name: str, counts, rows, genes=GENES):
    write_h5ad(folder / name, sparse.csr_array(counts), rows, pl.DataFrame({INDEX: genes}))


def spec(folder: Path, files=("x.h5ad",), more="") -> Path:
    path = folder / "small.toml"
    path.write_text(SPEC.format(files=list(files), more=more))
    return path


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    folder = tmp_path_factory.mktemp("small")
    counts, rows = cells()
    put(folder, "x.h5ad", counts, rows)
    ingest_dataset(spec(folder), folder / "warehouse")
    with Warehouse(folder / "warehouse") as store:
        yield store, counts, rows


def test_labels__combinations_are_one_condition_whatever_their_order(small):
    store, _, rows = small
    found = store.frame(
        "select perturbation_label, target_symbols, sum(n_cells)::int as n from condition "
        "where not is_control group by all"
    )
    table = {row[0]: row[1:] for row in found.rows()}
    assert set(table) == {"TP53 | TP53+ctrl | ctrl+TP53", "MYC+TP53 | TP53+MYC", "KNTC1", "NOSUCHGENE9"}
    expected = rows.filter(pl.col("condition").is_in(["TP53", "TP53+ctrl", "ctrl+TP53"])).height
    assert table["TP53 | TP53+ctrl | ctrl+TP53"] == (["TP53"], expected)
    assert table["MYC+TP53 | TP53+MYC"][0] == ["MYC", "TP53"]
    assert table["NOSUCHGENE9"][0] == []


def test_labels__spellings_of_one_line_are_one_context(small):
    store, _, _ = small
    assert sorted(store.frame("select distinct context_id from condition")["context_id"]) == ["CVCL_0004", "CVCL_4388"]


def test_contexts__that_differ_by_a_sign_have_controls_of_their_own(tmp_path):
    rng = np.random.default_rng(0)
    lines = ["THP-1 + LPS", "THP-1 - LPS"]
    rows = pl.DataFrame(
        {
            INDEX: [str(i) for i in range(80)],
            "condition": ["ctrl", "TP53"] * 40,
            "line": [lines[i // 40] for i in range(80)],
            "batch": "a",
        }
    )
    put(tmp_path, "x.h5ad", rng.poisson(3.0, (80, len(GENES))), rows)
    ingest_dataset(spec(tmp_path), tmp_path / "warehouse")
    with Warehouse(tmp_path / "warehouse") as store:
        found = store.frame("select context_id, is_control, n_cells from condition order by all").rows()
    ids = ["thp_1_lps_177b1e77", "thp_1_lps_490f85eb"]
    assert found == [(context, is_control, 20) for context in ids for is_control in (False, True)]


def test_cells__none_is_lost(small):
    store, _, rows = small
    kept = store.frame("select sum(n_cells) as n from condition")["n"].item()
    rejected = store.frame("select label, reason, n_cells from rejected")
    assert rejected.rows() == [("nan", "no perturbation assigned", rows.filter(pl.col("condition") == "nan").height)]
    assert kept + rejected["n_cells"].sum() == rows.height


def test_counts__sum_to_the_file(small):
    store, counts, rows = small
    total = store.frame("select sum(count)::int as n from statistics")["n"].item()
    assert total == counts[(rows["condition"] != "nan").to_numpy()].sum()


def test_signature__is_batch_matched(small):
    store, counts, rows = small
    logs = np.log1p(counts / counts.sum(axis=1, keepdims=True) * 1e4)
    line = rows["line"] == "RPE1"
    treated = (rows["condition"] == "KNTC1") & line
    n_treated = treated.sum()
    effect = logs[treated.to_numpy()].mean(axis=0)
    for batch in ("a", "b"):
        here = rows["batch"] == batch
        share = (treated & here).sum() / n_treated
        effect -= share * logs[((rows["condition"] == "ctrl") & line & here).to_numpy()].mean(axis=0)
    ours = store.frame(
        "select gene_id, effect from signature join condition using (dataset_id, condition_id) "
        "where perturbation_label = 'KNTC1' and context_label = 'RPE1'"
    )
    table = dict(ours.rows())
    np.testing.assert_allclose([table[gene] for gene in GENES], effect, rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("times", [("Day 3", "Day 9+"), ("Rest", "Stim/8hr")])
@pytest.mark.parametrize("cluster", [None, "a/b"])
def test_signature__is_set_against_the_controls_of_the_same_published_time(tmp_path, times, cluster):
    rng = np.random.default_rng(1)
    first, condition = np.arange(80) < 40, np.array(["ctrl", "TP53"] * 40)
    rows = pl.DataFrame(
        {
            INDEX: [str(i) for i in range(80)],
            "condition": condition,
            "line": "K562",
            "batch": "a",
            "time": np.where(first, *times),
            "state": cluster,
        }
    )
    rate = np.full((80, len(GENES)), 5.0)
    rate[~first, 1] = 40
    counts = rng.poisson(rate).astype(np.float32)
    put(tmp_path, "x.h5ad", counts, rows)
    more = 'time = { column = "time" }' + ('\ncluster = "state"' if cluster else "")
    release = ingest_dataset(spec(tmp_path, more=more), tmp_path / "warehouse").release_id
    logs = np.log1p(1e4 * counts / counts.sum(axis=1, keepdims=True))
    assert list(recompute(tmp_path / "warehouse", "small", release)) == []
    with Warehouse(tmp_path / "warehouse") as store:
        found = store.frame(
            "select condition_id, gene_id, effect from signature join condition using (dataset_id, condition_id)"
        )
        ids = sorted(found["condition_id"].unique())
        halves = read_halves(store, "small", pl.DataFrame({"condition_id": ids}), pl.DataFrame({"gene_id": GENES}))
    for name, is_own, whole in zip(ids, (first, ~first), halves.whole, strict=True):
        treated, control = (logs[is_own & (condition == label)].mean(axis=0) for label in ("TP53", "ctrl"))
        effects = dict(found.filter(pl.col("condition_id") == name).select("gene_id", "effect").rows())
        np.testing.assert_allclose([effects[gene] for gene in GENES], treated - control, rtol=2e-5, atol=1e-5)
        np.testing.assert_allclose(whole, treated - control, rtol=2e-5, atol=1e-5)


def test_where__leaves_out_and_counts(tmp_path):
    counts, rows = cells()
    put(tmp_path, "x.h5ad", counts, rows)
    ingest_dataset(spec(tmp_path, more='where = "depth > 0.25"'), tmp_path / "warehouse")
    with Warehouse(tmp_path / "warehouse") as store:
        kept = store.frame("select sum(n_cells) as n from condition")["n"].item()
        out = store.frame("select sum(n_cells) as n from rejected where reason = 'where: depth > 0.25'")["n"].item()
        unassigned = store.frame("select n_cells from rejected where label = 'nan' and reason like 'no %'")[
            "n_cells"
        ].item()
    assert out == (rows["depth"] <= 0.25).sum()
    assert kept + out + unassigned == rows.height


def test_files__split_in_any_way_give_the_same_tables(tmp_path):
    counts, rows = cells()
    tables = []
    for name, cuts in (("one", [400]), ("three", [10, 250, 400]), ("reordered", [400])):
        folder = tmp_path / name
        folder.mkdir()
        order = np.random.default_rng(1).permutation(400) if name == "reordered" else np.arange(400)
        start = 0
        for part, stop in enumerate(cuts):
            index = order[start:stop]
            put(folder, f"part{part}.h5ad", counts[index], rows[index.tolist()])
            start = stop
        ingest_dataset(spec(folder, files=["part*.h5ad"]), folder / "warehouse")
        with Warehouse(folder / "warehouse") as store:
            tables.append(
                [
                    store.frame(f"select * from {view} order by all")
                    for view in ("condition", "statistics", "signature", "quality", "rejected")
                ]
            )
    for other in tables[1:]:
        for left, right in zip(tables[0], other, strict=True):
            assert left.equals(right)


def test_files__that_measure_other_genes_are_refused(tmp_path):
    counts, rows = cells()
    put(tmp_path, "a.h5ad", counts, rows)
    put(tmp_path, "b.h5ad", counts[:, :4], rows, genes=GENES[:4])
    with pytest.raises(SourceFormatError, match=r"(?s)do not measure the same genes.*4 genes, without "):
        ingest_dataset(spec(tmp_path, files=["a.h5ad", "b.h5ad"]), tmp_path / "warehouse")


def test_files__that_name_further_genes_have_them_in_the_ledger_once(tmp_path):
    counts, rows = cells(60)
    named = [GENES, [*GENES, "FOOBAR1", "FOOBAR2"], [*GENES, "FOOBAR2"], GENES]
    for part, genes in enumerate(named):
        own = slice(part * 15, (part + 1) * 15)
        wide = np.pad(counts[own], ((0, 0), (0, len(genes) - len(GENES))))
        put(tmp_path, f"part{part}.h5ad", wide, rows[own], genes)
    ingest_dataset(spec(tmp_path, files=["part*.h5ad"], more="[genes]\nmax_unmapped = 0.5"), tmp_path / "warehouse")
    with Warehouse(tmp_path / "warehouse") as store:
        found = store.frame("select original, status from mapping where entity = 'gene'").rows()
        assert store.frame("select n_genes from dataset").item() == len(GENES)
    assert sorted(found) == [
        *((gene, "current") for gene in sorted(GENES)),
        ("FOOBAR1", "unmapped"),
        ("FOOBAR2", "unmapped"),
    ]


@pytest.mark.parametrize("files", [("x.h5ad", "x.h5ad"), ("x.h5ad", "*.h5ad"), ("x.h5ad", "copy/x.h5ad")])
def test_files__given_twice_would_count_cells_twice(tmp_path, files):
    counts, rows = cells(60)
    put(tmp_path, "x.h5ad", counts, rows)
    (tmp_path / "copy").mkdir()
    shutil.copyfile(tmp_path / "x.h5ad", tmp_path / "copy" / "x.h5ad")
    with pytest.raises(SpecError, match=r"A file is given twice|hold the same cells") as error:
        ingest_dataset(spec(tmp_path, files), tmp_path / "warehouse")
    assert "x.h5ad" in str(error.value)
    assert not snapshot_numbers(tmp_path / "warehouse")


@pytest.mark.parametrize(
    ("dose", "time", "lines"),
    [
        ([1.0, -3.0], [24.0, 24.0], ["  no dose for 2 of 4 conditions: below zero: '-3.0'"]),
        ([1.0, np.inf], [24.0, -1.0], ["  no dose for 2 of 4 conditions: not a dose: 'inf'", "  no time for 2 of 4"]),
        ([1.0, np.nan], [24.0, 48.0], ["  no dose for 2 of 4 conditions: missing"]),
        ([-1.0, -2.0], [24.0, 24.0], ["  no dose for 4 of 4 conditions: below zero: '-1.0', below zero: '-2.0'"]),
        ([1.0, 2.0], [24.0, 48.0], []),
        ([np.nan, np.nan], [24.0, 24.0], []),
    ],
)
def test_doses_and_times__that_cannot_be_read_are_said(tmp_path, dose, time, lines):
    labels = np.repeat(["NT", "TP53", "TP53", "MYC", "MYC"], 6)
    place = np.array([0, 0, 1, 0, 1]).repeat(6)
    rows = pl.DataFrame(
        {
            INDEX: [f"c{i}" for i in range(30)],
            "gene": labels,
            "dose": np.array(dose)[place],
            "time": np.where(labels == "NT", 24.0, np.array(time)[place]),
        }
    )
    counts = np.random.default_rng(0).poisson(4.0, (30, 2)).astype(np.float32)
    write_h5ad(tmp_path / "x.h5ad", counts, rows, pl.DataFrame({INDEX: ["TP53", "MYC"]}))
    (tmp_path / "x.toml").write_text(
        """
        [dataset]
        id = "doses"
        files = ["x.h5ad"]
        values = "counts"
        assay = "perturb_seq"
        [condition]
        perturbation = "gene"
        kind = "crispri"
        controls = ["NT"]
        context = { value = "K562" }
        dose = { column = "dose", unit = "uM" }
        time = { column = "time", unit = "h" }
        """
    )
    outcome = ingest_dataset(tmp_path / "x.toml", tmp_path / "warehouse")
    said = [line for line in left_open(tmp_path / "warehouse", outcome) if line.startswith(("  no dose", "  no time"))]
    assert len(said) == len(lines)
    assert [line[: len(start)] for line, start in zip(said, lines, strict=True)] == lines


def test_ingest__twice_is_nothing_and_a_change_is_a_new_release(tmp_path):
    counts, rows = cells()
    put(tmp_path, "x.h5ad", counts, rows)
    root = tmp_path / "warehouse"
    first = ingest_dataset(spec(tmp_path), root)
    before = {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in root.rglob("*")}
    again = ingest_dataset(spec(tmp_path), root)
    assert (again.is_new, again.release_id, again.snapshot) == (False, first.release_id, 1)
    assert {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in root.rglob("*")} == before
    changed_spec = ingest_dataset(spec(tmp_path, more='time = { value = 6, unit = "d" }'), root)
    put(tmp_path, "x.h5ad", counts + 1, rows)
    changed_input = ingest_dataset(spec(tmp_path), root)
    assert len({first.release_id, changed_spec.release_id, changed_input.release_id}) == 3
    put(tmp_path, "x.h5ad", counts, rows)
    back = ingest_dataset(spec(tmp_path), root)
    assert (back.is_new, back.release_id, back.snapshot) == (True, first.release_id, 4)
    assert snapshot_numbers(root) == [1, 2, 3, 4]
    assert read_snapshot(root).datasets == {"small": first.release_id}
    with Warehouse(root, snapshot=2) as store:
        assert store.frame("select distinct time_h from condition")["time_h"].to_list() == [144.0]


def test_ingest__the_release_does_not_depend_on_the_folder(tmp_path):
    counts, rows = cells()
    ids = []
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
        put(tmp_path / name, "x.h5ad", counts, rows)
        ids.append(ingest_dataset(spec(tmp_path / name), tmp_path / name / "warehouse").release_id)
    assert ids[0] == ids[1]


def test_gctx_and_gct__of_one_matrix_give_the_same_rows(tmp_path):
    rng = np.random.default_rng(3)
    matrix = rng.normal(size=(6, 4)).round(4).astype(np.float32)
    matrix[2, 1] = np.nan
    rows = pl.DataFrame(
        {
            INDEX: [f"S{i}" for i in range(6)],
            "pert": ["vemurafenib", "TP53", "DMSO", "MYC", "vemurafenib", "x"],
            "type": ["trt_cp", "trt_xpr", "ctl_vehicle", "trt_sh", "trt_cp", "trt_cp"],
            "cell": ["A549"] * 6,
            "dose": ["10 µM", "-666", "-666", "-666", "500 nM", "3 ng"],
        }
    )
    genes = pl.DataFrame({INDEX: ["7157", "1956", "4609", "3845"]})
    write_gctx(tmp_path / "x.gctx", matrix, rows, genes)
    write_gct(tmp_path / "x.gct", matrix, rows, genes)
    tables = []
    for suffix in ("gctx", "gct"):
        path = tmp_path / f"{suffix}.toml"
        path.write_text(
            f'[dataset]\nid = "l"\nfiles = ["x.{suffix}"]\nvalues = "moderated_z"\nassay = "l1000"\n'
            '[condition]\nperturbation = "pert"\nkind_column = "type"\ncontext = { column = "cell" }\n'
            'dose = { column = "dose" }\n[genes]\nkind = "entrez"\n'
        )
        ingest_dataset(path, tmp_path / suffix)
        with Warehouse(tmp_path / suffix) as store:
            tables.append(
                [store.frame(f"select * from {v} order by all") for v in ("condition", "signature", "mapping")]
            )
    for left, right in zip(*tables, strict=True):
        assert left.equals(right)
    condition, signature, _ = tables[0]
    assert condition["dose_um"].to_list() == [10.0, None, None, None, 0.5, None]
    assert condition["is_control"].to_list() == [False, False, True, False, False, False]
    assert signature["effect"].null_count() == 1
    assert condition["n_cells"].null_count() == 6


PEAK = """
import resource, sys
from pathlib import Path
from ingest.pipeline import ingest_dataset
ingest_dataset(Path(sys.argv[1]), Path(sys.argv[2]))
status = Path("/proc/self/status")  # on Linux usage begins with that of the process that started this one
usage = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(int(status.read_text().partition("VmHWM:")[2].split()[0]) if status.exists() else usage)
"""


def test_memory__does_not_grow_with_the_number_of_cells(tmp_path, monkeypatch):
    sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
    import screen

    monkeypatch.setattr(screen, "DRAWN", 2)  # the other cells are those again, in another order
    monkeypatch.setattr(screen, "write_h5ad_rows", partial(write_h5ad_rows, compression=1))  # of gzip, the quickest
    peaks = []
    given_back = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "131072"}  # else what was freed counts by chance
    for n_cells in (10_000, 40_000):  # of both, pretend conditions are as many as there can be
        path = tmp_path / f"s{n_cells}.h5ad"
        screen.write_screen(path, n_cells=n_cells, n_genes=2000, n_perturbations=50, depth=1500)
        command = [sys.executable, "-c", PEAK, str(path.with_suffix(".toml")), str(tmp_path / f"w{n_cells}")]
        answer = subprocess.run(command, capture_output=True, text=True, check=True, env=given_back)
        peaks.append(int(answer.stdout) / 1024)
        shutil.rmtree(tmp_path / f"w{n_cells}")
    assert peaks[1] - peaks[0] < 100, peaks  # MB: blocks on their way are at most 70, 30,000 further cells are 130


def test_a_column_decides__which_dataset_each_cell_of_one_file_belongs_to(tmp_path):
    counts, rows = cells(600)
    rows = rows.with_columns(screen=pl.Series(np.where(np.arange(600) % 3 == 0, "pilot", "main")))
    put(tmp_path, "x.h5ad", counts, rows)
    for name in ("pilot", "main"):
        text = SPEC.format(files=["x.h5ad"], more=f"where = \"screen = '{name}'\"")
        (tmp_path / f"{name}.toml").write_text(text.replace('id = "small"', f'id = "{name}"'))
        ingest_dataset(tmp_path / f"{name}.toml", tmp_path / "warehouse")
        put(
            tmp_path, f"{name}.h5ad", counts[(rows["screen"] == name).to_numpy()], rows.filter(pl.col("screen") == name)
        )
        alone = SPEC.format(files=[f"{name}.h5ad"], more="").replace('id = "small"', f'id = "{name}"')
        (tmp_path / f"{name}_alone.toml").write_text(alone)
        ingest_dataset(tmp_path / f"{name}_alone.toml", tmp_path / "alone")
    sums = "select * from statistics join condition using (dataset_id, condition_id) order by all"
    with Warehouse(tmp_path / "warehouse") as one, Warehouse(tmp_path / "alone") as two:
        assert one.frame(sums).equals(two.frame(sums))
        datasets = one.frame("select dataset_id, experiment_id from dataset order by all").rows()
        assert datasets == [("main", "main"), ("pilot", "pilot")]
        taken = dict(one.frame("select dataset_id, sum(n_cells)::int from condition group by all").rows())
        told = "select dataset_id, reason like 'where: %' as is_elsewhere, sum(n_cells)::int from rejected group by all"
        left = {tuple(row[:2]): row[2] for row in one.frame(told).rows()}
        rejected = dict(two.frame("select dataset_id, sum(n_cells)::int from rejected group by all").rows())
    for name, n, n_elsewhere in (("pilot", 200, 400), ("main", 400, 200)):
        assert left[name, True] == n_elsewhere
        assert left[name, False] == rejected[name]
        assert taken[name] + rejected[name] == n
