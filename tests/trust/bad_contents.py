"""Tables and matrices that are not as they should be, written by the writer of every layout.

A fault is a function of the content: labels, barcodes, genes, numbers. Whatever can hold the content, holds it.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from ingest.layouts import write_gctx, write_h5ad, write_replogle
from ingest.reader import INDEX
from layouts.examples import COUNTS, DEPMAP_GENES, EFFECTS, GENES
from layouts.gct import write_gct
from layouts.h5mu import write_h5mu
from layouts.loom import write_loom
from layouts.mtx import write_10x, write_scperturb
from layouts.tables import write_archs4, write_chronos, write_depmap, write_wide, write_wide_parquet
from layouts.tenx import write_10x_h5
from layouts.tokens import ORION, TAHOE, write_tokens, write_vocabulary
from layouts.triplets import write_triplets
from layouts.zarr import write_zarr, zipped

TARGETS = ["non-targeting", "MYC", "STAT1", "TYK2"]
SPEC = """\
[dataset]
id = "bad"
files = ["{file}"]
values = "{values}"
assay = "{assay}"
[condition]
perturbation = "{perturbation}"
kind = "{kind}"
controls = ["non-targeting"]
unassigned = ["nan"]
context = {{ {context} }}
{more}
"""
SIDE = '[rows]\ntable = "sheet.tsv"\nkey = "index"\n'


@dataclass(frozen=True, slots=True)
class Content:
    """What a file holds: ``matrix`` has shape (rows, genes); ``rows`` has ``index``, ``perturbation``, ``batch``."""

    matrix: np.ndarray
    rows: pl.DataFrame
    genes: pl.DataFrame


def content(values: str) -> Content:
    """Give content in which nothing is wrong."""
    n = len(COUNTS)
    labels = [TARGETS[at % len(TARGETS)] for at in range(n)]
    rows = pl.DataFrame({INDEX: [f"CELL{at}-1" for at in range(n)], "perturbation": labels, "batch": ["a"] * n})
    return Content(COUNTS.astype(np.float64) if values == "counts" else EFFECTS.astype(np.float64), rows, GENES)


@dataclass(frozen=True, slots=True)
class Kind:
    """A layout: how content is written as it, and what its spec says besides the usual."""

    write: Callable[[Path, Content], Path]
    values: str = "counts"
    spec: dict[str, str] | None = None

    def write_spec(self, folder: Path, path: Path) -> Path:
        usual = {
            "assay": "perturb_seq" if self.values == "counts" else "l1000",
            "perturbation": "perturbation",
            "kind": "crispri",
            "context": 'value = "K562"',
            "more": "",
        }
        spec = folder / "bad.toml"
        given = usual | (self.spec or {}) | {"file": path.name, "values": self.values}
        spec.write_text(SPEC.format(**given), encoding="utf-8")
        return spec


def _whole(matrix: np.ndarray) -> np.ndarray:
    """Make integers of what is whole, as counts are written."""
    with np.errstate(invalid="ignore"):
        whole = matrix.astype(np.int64)
    return whole if np.array_equal(whole, matrix) else matrix


def _h5ad(**how: Any) -> Callable[[Path, Content], Path]:
    return lambda folder, what: write_h5ad(
        folder / "x.h5ad", what.matrix.astype(np.float32), what.rows, what.genes, **how
    )


def _legacy(folder: Path, what: Content) -> Path:
    return write_replogle(folder / "x.h5ad", what.matrix, what.rows, what.genes)


def _mudata(folder: Path, what: Content) -> Path:
    """Write labels with guides, and counts without."""
    guides = np.ones((len(what.rows), 2)), what.rows, pl.DataFrame({INDEX: ["MYCg1", "NTg1"]})
    rna = what.matrix.astype(np.float32), what.rows.select(INDEX, "batch"), what.genes
    return write_h5mu(folder / "x.h5mu", {"rna": rna, "gdo": guides}, compression="gzip", chunk_length=16)


def _loom(folder: Path, what: Content) -> Path:
    return write_loom(folder / "x.loom", what.matrix.astype(np.float32), what.rows, what.genes)


def _zarr(*, packed: bool = False, **how: Any) -> Callable[[Path, Content], Path]:
    def write(folder: Path, what: Content) -> Path:
        path = write_zarr(folder / "x.zarr", what.matrix.astype(np.float32), what.rows, what.genes, **how)
        if not packed:
            return path
        archive = zipped(path)
        shutil.rmtree(path)
        return archive

    return write


def _beside(write: Callable[[Path, Content], Path]) -> Callable[[Path, Content], Path]:
    """Write labels into a table beside a file that has barcodes alone."""

    def both(folder: Path, what: Content) -> Path:
        what.rows.write_csv(folder / "sheet.tsv", separator="\t")
        return write(folder, what)

    return both


def _tokens(dialect: Any) -> Callable[[Path, Content], Path]:
    def write(folder: Path, what: Content) -> Path:
        write_vocabulary(folder, what.genes, dialect=dialect)
        return write_tokens(folder / "x.parquet", what.matrix, what.rows, dialect=dialect)

    return write


def _models(what: Content) -> list[str]:
    return what.rows[INDEX].str.replace("CELL(\\d+)-1", "ACH-${1}").to_list()


def _gene_labels(what: Content) -> list[str]:
    known = dict(zip(GENES[INDEX], DEPMAP_GENES, strict=True))
    return [known.get(gene, gene) for gene in what.genes[INDEX]]


EFFECT = "moderated_z"
SCREEN = {
    "assay": "crispr_screen",
    "perturbation": "columns",
    "kind": "crispr_knockout",
    "context": 'column = "model_id"',
}
KINDS: dict[str, Kind] = {
    "h5ad, csr": Kind(_h5ad()),
    "h5ad, csr, gzip": Kind(_h5ad(compression="gzip", chunk_length=16)),
    "h5ad, csc": Kind(_h5ad(layout="csc")),
    "h5ad, dense": Kind(_h5ad(layout="dense")),
    "h5ad, dense, lzf": Kind(_h5ad(layout="dense", compression="lzf", chunk_length=4)),
    "h5ad, legacy": Kind(_legacy),
    "h5mu": Kind(_mudata, spec={"perturbation": "gdo:perturbation"}),
    "loom": Kind(_loom),
    "zarr, version 2": Kind(_zarr(version=2)),
    "zarr, sharded": Kind(_zarr(sharded=(16, 64))),
    "zarr, dense, zip": Kind(_zarr(layout="dense", packed=True)),
    "10x_h5": Kind(
        _beside(lambda folder, what: write_10x_h5(folder / "x.h5", _whole(what.matrix), what.rows, what.genes)),
        spec={"more": SIDE},
    ),
    "mtx, version 3": Kind(
        _beside(lambda folder, what: write_10x(folder, _whole(what.matrix), what.rows, what.genes)),
        spec={"more": SIDE},
    ),
    "mtx, version 2": Kind(
        _beside(lambda folder, what: write_10x(folder, _whole(what.matrix), what.rows, what.genes, compressed=False)),
        spec={"more": SIDE},
    ),
    "mtx, R": Kind(lambda folder, what: write_scperturb(folder, what.matrix, what.rows, what.genes.select(INDEX))),
    "triplets, headed": Kind(lambda folder, what: write_triplets(folder, "x_", what.matrix, what.rows, what.genes)),
    "triplets, bare": Kind(
        lambda folder, what: write_triplets(
            folder, "x_", what.matrix, what.rows, what.genes, annotations="bare", with_cells=False
        )
    ),
    "gctx": Kind(lambda folder, what: write_gctx(folder / "x.gctx", what.matrix, what.rows, what.genes), EFFECT),
    "gctx, gzip": Kind(
        lambda folder, what: write_gctx(folder / "x.gctx", what.matrix, what.rows, what.genes, chunk_rows=5), EFFECT
    ),
    "gct": Kind(
        lambda folder, what: write_gct(folder / "x.gct", what.matrix, what.rows, what.genes, encoding="utf-8"), EFFECT
    ),
    "tokens, Tahoe": Kind(_tokens(TAHOE)),
    "tokens, Orion": Kind(_tokens(ORION)),
    "table, CSV": Kind(lambda folder, what: write_wide(folder / "x.csv", what.matrix, what.rows, what.genes)),
    "table, TSV, gzip": Kind(lambda folder, what: write_wide(folder / "x.tsv.gz", what.matrix, what.rows, what.genes)),
    "parquet_table": Kind(
        lambda folder, what: write_wide_parquet(
            folder / "x.parquet", what.matrix, what.rows.select("perturbation", "batch"), what.genes
        ),
        "log2_fold_change",
        {"assay": "de_table"},
    ),
    "depmap": Kind(
        lambda folder, what: write_depmap(folder / "x.csv", what.matrix, _models(what), _gene_labels(what), "24q4"),
        "gene_effect",
        SCREEN,
    ),
    "chronos": Kind(
        lambda folder, what: write_chronos(folder / "x.hdf5", what.matrix, _models(what), _gene_labels(what)),
        "gene_effect",
        SCREEN | {"context": 'column = "index"'},
    ),
    "archs4, version 1": Kind(
        lambda folder, what: write_archs4(folder / "x.h5", what.matrix, what.rows, what.genes, version=1)
    ),
    "archs4, version 2": Kind(
        lambda folder, what: write_archs4(folder / "x.h5", what.matrix, what.rows, what.genes, version=2)
    ),
}


def part_of(path: Path, share: float) -> Path:
    """Choose one file of a folder by its place among all, from 0 to 1; a file is chosen itself."""
    files = sorted(each for each in path.rglob("*") if each.is_file()) if path.is_dir() else [path]
    return files[min(int(share * len(files)), len(files) - 1)]


Change = Callable[[Content], Content]


def number(value: float, *, share: float = 0.0) -> Change:
    """Put a number at one place, or at a share of all."""

    def change(what: Content) -> Content:
        matrix = what.matrix.copy()
        matrix[0, 0] = value
        matrix[np.random.default_rng(1).random(matrix.shape) < share] = value
        return replace(what, matrix=matrix)

    return change


def scaled(factor: float) -> Change:
    """Multiply every number."""
    return lambda what: replace(what, matrix=what.matrix * factor)


def part(rows: slice = slice(None), genes: slice = slice(None)) -> Change:
    """Keep some rows and genes."""
    return lambda what: Content(what.matrix[rows, genes], what.rows[rows], what.genes[genes])


def label(*labels: str | None) -> Change:
    """Give every second row one of some labels in turn."""

    def change(what: Content) -> Content:
        old = what.rows["perturbation"].to_list()
        new = [labels[at // 2 % len(labels)] if at % 2 else text for at, text in enumerate(old)]
        return replace(what, rows=what.rows.with_columns(perturbation=pl.Series(new, dtype=pl.String)))

    return change


def every_label(*labels: str | None) -> Change:
    """Give all rows some labels in turn."""
    return lambda what: replace(
        what,
        rows=what.rows.with_columns(
            perturbation=pl.Series([labels[at % len(labels)] for at in range(what.rows.height)], dtype=pl.String)
        ),
    )


def key(*keys: str, of: str = "rows") -> Change:
    """Give the first rows or genes other names."""

    def change(what: Content) -> Content:
        table = getattr(what, of)
        names = [*keys, *table[INDEX].to_list()[len(keys) :]]
        return replace(what, **{of: table.with_columns(pl.Series(INDEX, names))})

    return change


def after(*changes: Change) -> Change:
    """Make several changes."""

    def change(what: Content) -> Content:
        for each in changes:
            what = each(what)
        return what

    return change


PATHS = ("../../../etc/passwd", "/etc/passwd", "C:\\windows\\x", "a/b", ".", "..", "%2e%2e%2f", "~/x", "staging")
TRICKS = ("'; drop view dataset; --", "{0.__class__}", "${HOME}", "$(touch /x)", "{{7*7}}", "=1+1", "%s%n", "__proto__")
UNICODE = ("\u202eTP53", "TP53\u200b", "n\u0303on-targeting", "\U0001f9ec", "\ufeffMYC", "İ", "ﬀ", "\x7f", "MYC\u2028")
LONG = "x" * 100_000

CONTENT_FAULTS: dict[str, Change] = {
    "nothing wrong": lambda what: what,
    "a NaN": number(np.nan),
    "NaN everywhere": number(np.nan, share=1.0),
    "an infinity": number(np.inf),
    "minus infinity": number(-np.inf),
    "a negative number": number(-1.0),
    "negative numbers": scaled(-1.0),
    "a fraction": number(0.5),
    "1e300": number(1e300),
    "1e-300": number(1e-300),
    "2^31": number(2.0**31),
    "2^53": number(2.0**53),
    "2^63": number(2.0**63),
    "2^31 everywhere": number(2.0**31, share=1.0),
    "2^62 everywhere": number(2.0**62, share=1.0),
    "-666": number(-666.0),
    "zeros": scaled(0.0),
    "tiny numbers": scaled(1e-30),
    "huge numbers": scaled(1e30),
    "one row": part(rows=slice(0, 1)),
    "one gene": part(genes=slice(0, 1)),
    "one row and gene": part(slice(0, 1), slice(0, 1)),
    "two rows": part(rows=slice(0, 2)),
    "no rows": part(rows=slice(0, 0)),
    "no genes": part(genes=slice(0, 0)),
    "nothing": part(slice(0, 0), slice(0, 0)),
    "a barcode twice": key("CELL3-1"),
    "one barcode": key(*["CELL0-1"] * 24),
    "an empty barcode": key(""),
    "a gene twice": key("ENSG00000136997", of="genes"),
    "one gene eight times": key(*["ENSG00000136997"] * 8, of="genes"),
    "an empty gene": key("", of="genes"),
    "unknown genes": key(*[f"gene{at}" for at in range(8)], of="genes"),
    "genes as paths": key(*PATHS[:8], of="genes"),
    "genes of tricks": key(*TRICKS, of="genes"),
    "genes in Unicode": key(*UNICODE[:8], of="genes"),
    "genes of mixed kinds": key("TP53", "4609", "ENSG00000097007.12", "HGNC:11362", "NM_003331", of="genes"),
    "a very long gene": key(LONG, of="genes"),
    "barcodes as paths": key(*PATHS),
    "barcodes in Unicode": key(*UNICODE),
    "no control": every_label("MYC", "STAT1"),
    "all control": every_label("non-targeting"),
    "one control": after(every_label("MYC", "STAT1"), lambda what: _first_label(what, "non-targeting")),
    "one cell a condition": every_label("non-targeting", *[f"GENE{at}" for at in range(23)]),
    "no labels": every_label(None),
    "empty labels": every_label(""),
    "labels of spaces": label("   ", "\t", " non-targeting "),
    "labels as paths": label(*PATHS),
    "labels of tricks": label(*TRICKS),
    "labels in Unicode": label(*UNICODE),
    "labels of digits": label("1", "2.0", "1e5", "0x10", "-1"),
    "labels of case": label("myc", "Myc", "MYC", "NON-TARGETING", "NaN", "None", "null", "True"),
    "labels of separators": label("MYC+STAT1", "MYC,STAT1", "MYC;STAT1", "a\tb", "a\nb", 'a"b', "a'b", "a|b", "a;b,c"),
    "a NUL in a label": label("MY\x00C"),
    "a very long label": label(LONG),
    "labels in two encodings": label("caf\u00e9", "caf\u00c3\u00a9", "\u00b5M", "\u03bcM"),
}
"""By name."""
NOT_OF_SCREENS = {name for name in CONTENT_FAULTS if "label" in name or "control" in name or "condition" in name}
"""Faults of labels: cell lines by genes have none."""


def _first_label(what: Content, text: str) -> Content:
    rows = what.rows.with_columns(perturbation=pl.Series([text, *what.rows["perturbation"].to_list()[1:]]))
    return replace(what, rows=rows)
