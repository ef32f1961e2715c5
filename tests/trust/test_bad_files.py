"""Bad files of every layout: each is one clear error or a correct ingest, in bounded memory and time.

Whatever a file does, the warehouse is as it was, or has a release that passes verification and holds the file's sums.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import pytest
from bad_bytes import BYTE_FAULTS, HDF5_FAULTS, LINKS, PARQUET_FAULTS, TEXT_FAULTS, datasets, of_parquet, of_text
from bad_contents import CONTENT_FAULTS, KINDS, NOT_OF_SCREENS, Content, content, part_of
from conftest import IS_STRESS
from prison import Prison

from featurestore.query.warehouse import Warehouse
from featurestore.upkeep.verify import verify
from ingest.inspection.draft import draft_spec
from ingest.inspection.inspect import inspect_file
from ingest.pipeline import ingest_dataset
from ingest.reader import INDEX

MOST_SECONDS = 60.0
MOST_MEMORY = 700 * 2**20
"""What a file of a few kilobytes may take: blocks, Parquet writers and the engine, whatever it claims to be."""
LARGE = ("gigabyte", "30 MB", "million", "bomb", "absurdly")
MADE_WHOLE = {"10x_h5", "triplets, headed", "triplets, bare", "archs4, version 1", "archs4, version 2"}
"""Layouts whose writers take whole numbers and make others so."""
SCREENS = {name for name, kind in KINDS.items() if kind.values == "gene_effect"}
TEXTS = {name for name in KINDS if name.startswith(("mtx", "triplets", "gct", "table", "depmap"))} - {
    "gctx",
    "gctx, gzip",
}
HDF5 = {name for name in KINDS if name.startswith(("h5ad", "h5mu", "loom", "10x", "gctx", "chronos", "archs4"))}
PARQUET = {name for name in KINDS if name.startswith(("tokens", "parquet"))}


@dataclass(frozen=True, slots=True)
class Bad:
    """A bad file: its layout, what is wrong, and how to make it of a good one in a folder."""

    kind: str
    fault: str
    spoil: Callable[[Path], None]
    what: Content
    is_known: bool = False
    """Whether the file holds exactly ``what``, so that sums can be compared."""


def spoilt(kind: str, fault: str, spoil: Callable[[Path], None]) -> Bad:
    return Bad(kind, fault, spoil, content(KINDS[kind].values))


def rng_of(*words: str) -> np.random.Generator:
    return np.random.default_rng(list("|".join(words).encode()))


def of_contents() -> Iterator[Bad]:
    for kind, how in KINDS.items():
        for fault, change in CONTENT_FAULTS.items():
            if kind not in SCREENS or fault not in NOT_OF_SCREENS:
                yield Bad(kind, fault, lambda path: None, change(content(how.values)), is_known=True)


def of_bytes() -> Iterator[Bad]:
    for kind in KINDS:
        for fault, change in BYTE_FAULTS.items():

            def spoil(path: Path, change=change, fault=fault, kind=kind) -> None:
                rng = rng_of(kind, fault)
                beside = sorted(each for each in path.parent.iterdir() if each.suffix != ".toml")
                path = beside[int(rng.integers(len(beside)))] if rng.random() < 0.3 else path
                path = part_of(path, rng.random()) if path.is_dir() else path
                path.write_bytes(change(path.read_bytes(), rng))

            yield spoilt(kind, fault, spoil)
        for fault, put in LINKS.items():

            def replace(path: Path, put=put) -> None:
                path = part_of(path, 0.5)
                path.unlink()
                put(path)

            yield spoilt(kind, fault, replace)


def of_texts() -> Iterator[Bad]:
    for kind in sorted(TEXTS):
        for fault in TEXT_FAULTS:

            def spoil(path: Path, kind=kind, fault=fault) -> None:
                rng = rng_of(kind, fault)
                path.write_bytes(of_text(fault, path.read_bytes(), rng))

            if "gigabyte" not in fault or kind in {"mtx, version 3", "triplets, bare", "table, TSV, gzip"}:
                yield spoilt(kind, fault, spoil)


def of_hdf5() -> Iterator[Bad]:
    for kind in sorted(HDF5):
        for fault, change in HDF5_FAULTS.items():
            for nth in range(12):

                def spoil(path: Path, change=change, nth=nth) -> None:
                    names = datasets(path)
                    if nth >= len(names):
                        pytest.skip("no such dataset")
                    with h5py.File(path, "r+") as file:
                        change(file, names[nth])

                yield spoilt(kind, f"{fault}: dataset {nth}", spoil)


def of_parquet_columns() -> Iterator[Bad]:
    for kind in sorted(PARQUET):
        for fault in PARQUET_FAULTS:
            for at in range(4):

                def spoil(path: Path, fault=fault, at=at) -> None:
                    of_parquet(fault, path, at)

                yield spoilt(kind, f"{fault}: column {at}", spoil)


SOURCES = {
    "content: numbers, labels, genes, barcodes, sizes": (of_contents, 3, 140),
    "bytes: cut, flipped, replaced, links": (of_bytes, 3, 130),
    "text: encodings, fields, claims, bombs": (of_texts, 2, 90),
    "HDF5: shapes, types, links, claims, bombs": (of_hdf5, 3, 200),
    "Parquet: types, lists, nulls": (of_parquet_columns, 2, 50),
}


def look(path: Path) -> None:
    """Inspect a file and draft its spec."""
    draft_spec(inspect_file(path), path.parent)


def states(root: Path) -> dict[str, tuple[int, int]]:
    return {str(path): (path.stat().st_mtime_ns, path.stat().st_size) for path in root.rglob("*")}


def require_sums(root: Path, bad: Bad) -> None:
    """Require that a release of counts holds the sums of its content, condition by condition and gene by gene."""
    query = (
        "select perturbation_label as label, gene_id, sum(count)::double as n from statistics "
        "join condition using (dataset_id, condition_id) where dataset_id = 'bad' group by all"
    )
    with Warehouse(root) as store:
        found = store.frame(query)
    labels = [str(label).strip() for label in bad.what.rows["perturbation"].to_list()]
    column = {gene.partition(".")[0]: at for at, gene in enumerate(bad.what.genes[INDEX])}
    for label, gene, n in found.rows():
        if gene in column and label in labels:
            rows = [at for at, each in enumerate(labels) if each == label]
            assert n == bad.what.matrix[rows, column[gene]].sum(), (label, gene, n)


def is_refused_by_its_writer(bad: Bad, folder: Path) -> Path | None:
    """Write a file; what its writer does not take is no trial."""
    try:
        with np.errstate(all="ignore"):
            path = KINDS[bad.kind].write(folder, bad.what)
        bad.spoil(path)
    except (ValueError, TypeError, IndexError, OverflowError, UnicodeError, OSError, pytest.skip.Exception, KeyError):
        return None
    except Exception as error:
        if "polars" in type(error).__module__ or "arrow" in str(type(error)).lower():
            return None
        raise
    return path


def sampled(cases: list[Bad], n: int) -> list[Bad]:
    """Take some, always the same, of all layouts and faults; of what takes long to write, only under stress."""
    order = np.random.default_rng(4).permutation(len(cases))
    chosen = [cases[at] for at in order]
    return [bad for bad in chosen if IS_STRESS or not any(word in bad.fault for word in LARGE)][:n]


@pytest.mark.parametrize("source", SOURCES)
def test_bad_file__is_one_clear_error_or_a_correct_ingest(source, published, tmp_path, faults, share):
    make, quick, stress = SOURCES[source]
    with faults(f"bad files, {source}") as trials, Prison(MOST_SECONDS) as prison:
        for bad in sampled(list(make()), share(quick, stress)):
            folder, root = tmp_path / "files", tmp_path / "warehouse"
            folder.mkdir()
            path = is_refused_by_its_writer(bad, folder)
            if path is not None:
                shutil.copytree(published, root)
                with trials.trial(f"{bad.kind}: {bad.fault}"):
                    require_survived(bad, path, root, prison)
                shutil.rmtree(root)
            shutil.rmtree(folder)


def require_survived(bad: Bad, path: Path, root: Path, prison: Prison) -> None:
    """Require that a bad file is looked at and ingested, or refused in a sentence, and nothing else."""
    before = states(root)
    spec = KINDS[bad.kind].write_spec(path.parent, path)
    for work, arguments in ((look, (path,)), (ingest_dataset, (spec, root))):
        verdict = prison.run(work, *arguments)
        name = work.__name__
        assert verdict.outcome in {"done", "refused"}, f"{name}: {verdict.outcome}: {verdict.said[-1500:]}"
        assert verdict.memory < MOST_MEMORY, f"{name}: {verdict.outcome} after {verdict.memory / 2**20:,.0f} MB"
        if verdict.outcome == "refused":
            assert "\n  " in verdict.said, f"{name} does not say where, what or what to do: {verdict.said}"
            assert len(verdict.said) < 5000, f"{name} says {len(verdict.said):,} letters"
            assert states(root) == before, f"{name} changed the warehouse"
    if verdict.outcome == "done":
        report = verify(root)
        assert report.faults == [], report.faults
        is_whole = np.array_equal(np.floor(bad.what.matrix), bad.what.matrix) or bad.kind not in MADE_WHOLE
        if bad.is_known and is_whole and KINDS[bad.kind].values == "counts":
            require_sums(root, bad)
    assert not list(path.parent.rglob("pickled"))
