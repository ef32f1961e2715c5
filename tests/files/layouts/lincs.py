"""LINCS L1000 folders as published: GCTX with identifiers only, and what they mean in separate tables.

The tables hold what the real ones do: lines of signatures that are in no matrix, ``-666``, two doses in one field, a
compound on several lines, genes without Ensembl id, unbalanced quotation marks, Latin-1.
"""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from ingest.layouts.gctx import write_gctx
from ingest.reader import INDEX

TYPES = ("trt_cp", "trt_sh", "trt_xpr", "trt_oe", "trt_lig", "ctl_vehicle")
SPACES = ("landmark", "best inferred", "inferred")
DOSES = ("10 uM", "300 ng|300 ng", "-666", "0.12 \u00b5M")
ACTIVE = 0.2
"""Activity score above which the tables call a signature high quality."""
COMPOUNDS = {
    "BRD-K45293975": ("fingolimod", "KKGQTZUTZRNORY-UHFFFAOYSA-N", ("S1PR1", "S1PR2", "S1PR3")),
    "BRD-K81418486": ("vorinostat", "WAEXFXRVDQXREF-UHFFFAOYSA-N", ("HDAC1", "HDAC2")),
    "BRD-K12343256": ("trametinib", "LIRYPHYGHXZJBZ-UHFFFAOYSA-N", ("MAP2K1",)),
}
"""Broad id to name, InChIKey and targets."""


@dataclass(frozen=True, slots=True)
class LincsSignatures:
    """What a LINCS folder is written from.

    Parameters
    ----------
    matrix
        Shape (signatures, genes).
    rows
        ``index``, ``pert_id``, ``name``, ``pert_type``, ``cell``, ``dose``, ``time``, ``tas``, ``cc``, ``n``.
    genes
        ``index`` (Entrez as text), ``symbol``, ``ensembl_id``, ``space``.
    """

    matrix: npt.NDArray[np.float32]
    rows: pl.DataFrame
    genes: pl.DataFrame


def draw_signatures(genes: pl.DataFrame, *, n: int, seed: int = 0) -> LincsSignatures:
    """Draw signatures of every perturbation type in two lines; a third of the genes are landmarks.

    Parameters
    ----------
    genes
        ``gene_id``, ``gene_symbol`` and ``entrez_id``; the first eight are the targets of genetic perturbations.
    n
        Signatures.
    seed
        The same seed draws the same signatures.
    """
    rng = np.random.default_rng(seed)
    targets = genes["gene_symbol"].head(8).to_list()
    rows = []
    for number in range(n):
        kind = TYPES[number % len(TYPES)]
        pert_id, name = f"TRCN{number:010d}", targets[number % len(targets)]
        if kind == "trt_cp":
            pert_id = list(COMPOUNDS)[number // len(TYPES) % len(COMPOUNDS)]
            name = COMPOUNDS[pert_id][0]
        elif kind == "ctl_vehicle":
            pert_id = name = "DMSO"
        rows.append((f"SIG{number:03d}_A375_24H:{chr(65 + number % 16)}{number % 24 + 1:02d}", pert_id, name, kind))
    table = pl.DataFrame(rows, schema=[INDEX, "pert_id", "name", "pert_type"], orient="row")
    correlations = [-666.0 if k % 7 == 0 else round(float(c), 4) for k, c in enumerate(rng.uniform(0, 1, n))]
    table = table.with_columns(
        cell=pl.Series(rng.choice(["A375", "HAP1.TP53"], n)),
        dose=pl.Series([DOSES[k // len(TYPES) % len(DOSES)] for k in range(n)]),
        time=pl.lit("24 h"),
        tas=pl.Series(rng.uniform(0.0, 0.6, n).round(4)),
        cc=pl.Series(correlations),
        n=pl.Series(rng.integers(1, 6, n)),
    )
    described = genes.select(
        pl.col("entrez_id").alias(INDEX),
        symbol="gene_symbol",
        ensembl_id=pl.when(pl.int_range(pl.len()) % 5 == 0).then(pl.lit("")).otherwise("gene_id"),
        space=pl.Series([SPACES[k % len(SPACES)] for k in range(genes.height)]),
    )
    return LincsSignatures(rng.normal(size=(n, genes.height)).astype(np.float32), table, described)


def write_lincs_2020(folder: Path, given: LincsSignatures, *, unlisted: str = "") -> Path:
    """Write a folder of the 2020 release: one matrix for each perturbation type, and four tables.

    ``unlisted`` is a signature that is in a matrix and in no table.
    """
    for (kind,), rows in given.rows.with_row_index("at").group_by("pert_type", maintain_order=True):
        group = {"trt_lig": "trt_misc", "ctl_vehicle": "ctl"}.get(str(kind), kind)
        path = folder / f"level5_beta_{group}_n{rows.height}x{given.genes.height}.gctx"
        write_gctx(path, given.matrix[rows["at"].to_list()], rows, given.genes, with_metadata=False)
    constants = {"build_name": "", "nearest_dose": "-666", "pert_dose": "300.0|300.000000", "pert_dose_unit": "uM"}
    siginfo = given.rows.select(
        *(pl.lit(value).alias(name) for name, value in constants.items()),
        pert_idose="dose", pert_itime="time", nsample="n", cc_q75="cc", tas="tas",
        is_hiq=(pl.col("tas") > ACTIVE).cast(pl.Int64), qc_pass=pl.lit(1), pert_id="pert_id", sig_id=INDEX,
        pert_type="pert_type", cell_iname="cell", cmap_name="name",
    )  # fmt: skip
    absent = siginfo.head(3).with_columns(sig_id=pl.lit("ABSENT_") + pl.col("sig_id"))
    listed = siginfo.filter(pl.col("sig_id") != unlisted).reverse()
    _write(folder / "siginfo_beta.txt", pl.concat([absent, listed]))
    genes = given.genes.select(
        gene_id=INDEX, gene_symbol="symbol", ensembl_id="ensembl_id", gene_title=pl.lit('5\'-nucleotidase, "putative'),
        feature_space="space",
    )  # fmt: skip
    _write(folder / "geneinfo_beta.txt", genes.reverse())
    lines = [
        (pert_id, name, target, f"{target} modulator", "CCO", key)
        for pert_id, (name, key, targets) in COMPOUNDS.items()
        for target in targets
    ]
    names = ["pert_id", "cmap_name", "target", "moa", "canonical_smiles", "inchi_key"]
    _write(folder / "compoundinfo_beta.txt", pl.DataFrame(lines, schema=names, orient="row"))
    cells = {"cell_iname": ["A375", "HAP1.TP53"], "cellosaurus_id": ["CVCL_0132", "-666"], "cell_lineage": ["skin"] * 2}
    _write(folder / "cellinfo_beta.txt", pl.DataFrame(cells))
    return folder


def write_lincs_wells(folder: Path, level: int, given: LincsSignatures) -> Path:
    """Write wells of the 2020 release, level 3 or 4: knock-outs and controls in a matrix each, and their table.

    The rows of ``given`` are wells and have a column ``plate`` too.
    """
    for group, rows in (
        ("ctl", given.rows.with_row_index("at").filter(pl.col("pert_type").str.starts_with("ctl_"))),
        ("trt_xpr", given.rows.with_row_index("at").filter(pl.col("pert_type") == "trt_xpr")),
    ):
        path = folder / f"level{level}_beta_{group}_n{rows.height}x{given.genes.height}.gctx"
        write_gctx(path, given.matrix[rows["at"].to_list()], rows, given.genes, with_metadata=False)
    wells = given.rows.select(
        pert_idose=pl.lit("-666"), pert_itime="time", det_plate="plate", pert_id="pert_id", sample_id=INDEX,
        pert_type="pert_type", cell_iname="cell", qc_pass=pl.lit(1), cmap_name="name",
    )  # fmt: skip
    _write(folder / "instinfo_beta.txt", wells.reverse())
    _write(folder / "geneinfo_beta.txt", given.genes.select(gene_id=INDEX, gene_symbol="symbol", feature_space="space"))
    return folder


def write_gse92742(
    folder: Path, given: LincsSignatures, *, prefix: str = "GSE92742_Broad_LINCS", suffix: str = ""
) -> Path:
    """Write a folder of GEO: one matrix, its tables compressed and in the older columns, quality in a table apart."""
    shape = f"n{given.rows.height}x{given.genes.height}"
    level = "Level5_COMPZ" if suffix else "Level5_COMPZ.MODZ"
    write_gctx(folder / f"{prefix}_{level}_{shape}{suffix}.gctx", given.matrix, given.rows, given.genes,
               with_metadata=False)  # fmt: skip
    sig_info = given.rows.select(
        sig_id=INDEX, pert_id="pert_id", pert_iname="name", pert_type="pert_type", cell_id="cell",
        pert_dose=pl.lit("300.0|300.000000"), pert_idose="dose", pert_itime="time", distil_id=pl.lit("A|B"),
    )  # fmt: skip
    _write(folder / f"{prefix}_sig_info{suffix}.txt.gz", sig_info)
    metrics = given.rows.select(sig_id=INDEX, distil_cc_q75="cc", distil_nsample="n", tas="tas")
    _write(folder / f"{prefix}_sig_metrics{suffix}.txt.gz", metrics.reverse())
    space = pl.col("space")
    genes = given.genes.select(
        pr_gene_id=INDEX, pr_gene_symbol="symbol", pr_is_lm=(space == "landmark").cast(pl.Int64),
        pr_is_bing=(space != "inferred").cast(pl.Int64),
    )  # fmt: skip
    _write(folder / f"{prefix}_gene_info{suffix}.txt.gz", genes)
    perts = [(pert_id, name, key, "CCO") for pert_id, (name, key, _) in COMPOUNDS.items()]
    names = ["pert_id", "pert_iname", "inchi_key", "canonical_smiles"]
    _write(folder / f"{prefix}_pert_info{suffix}.txt.gz", pl.DataFrame(perts, schema=names, orient="row"))
    return folder


def _write(path: Path, table: pl.DataFrame) -> None:
    lines = [table.columns, *table.cast(pl.String).fill_null("-666").rows()]
    raw = "".join("\t".join(line) + "\n" for line in lines).encode("latin-1")
    path.write_bytes(gzip.compress(raw) if path.suffix == ".gz" else raw)
