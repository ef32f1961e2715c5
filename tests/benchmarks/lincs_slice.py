"""Read a slice of a large GCTX beside cmapPy, on one synthetic file, in one run.

``python lincs_slice.py FOLDER --cmappy /path/to/python/with/cmapPy``: writes a matrix of 200,000 signatures x 12,328
genes (9.9 GB, once) with its tables into FOLDER, then measures three processes, the file being dropped from the page
cache before each: cmapPy's ``parse`` of 5,000 signatures x 978 genes, our reader of the same, and a whole ingest of
them. Both readings are compared value by value.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click
import h5py
import numpy as np
import polars as pl
from measure import ENVIRONMENT, forget

from ingest import reference

SPEC = """
[dataset]
id = "lincs_slice"
files = ["level5.gctx"]
values = "moderated_z"
assay = "l1000"
[condition]
perturbation = "cmap_name"
kind_column = "pert_type"
context = { column = "cell_iname" }
dose = { column = "pert_idose" }
time = { column = "pert_itime" }
where = "project_code = 'SLICE'"
[rows]
table = "siginfo_beta.txt"
key = "sig_id"
[genes]
table = "geneinfo_beta.txt"
key = "gene_id"
kind = "entrez"
where = "feature_space = 'landmark'"
[quality]
tas = "tas"
"""

CMAPPY = """
import sys, numpy as np
from cmapPy.pandasGEXpress.parse import parse
rows, genes = ([line.strip() for line in open(name)] for name in sys.argv[2:4])
matrix = parse(sys.argv[1], rid=genes, cid=rows).data_df.loc[genes, rows].to_numpy().T
"""

OURS = """
import sys, numpy as np, polars as pl
from ingest.readers.open import open_source
from ingest.readers.selection import selected_blocks
reader = open_source(sys.argv[1])
tables = reader.rows(["index"]).with_row_index("at"), reader.genes().with_row_index("at")
names = (pl.DataFrame({"index": [line.strip() for line in open(name)]}) for name in sys.argv[2:4])
rows, genes = (
    name.join(table, on="index", how="left", maintain_order="left")["at"].to_numpy()
    for name, table in zip(names, tables)
)
matrix = np.empty((rows.size, genes.size), np.float32)
for block in selected_blocks(reader, rows, genes):
    matrix[block.start : block.start + len(block.values)] = block.values
"""

INGEST = """
import sys
from pathlib import Path
from ingest.pipeline import ingest_dataset
ingest_dataset(Path(sys.argv[2]), Path(sys.argv[3]))
"""

TAIL = """
if "matrix" in globals():
    np.save(sys.argv[4], matrix.astype(np.float32))
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


def write_files(
    folder: Path, n_signatures: int, n_genes: int, n_landmarks: int, n_slice: int, *, scattered: bool
) -> None:
    """Write the matrix, its tables and the spec; the slice is spread evenly over the signatures."""
    rng = np.random.default_rng(0)
    entrez = reference.table("gene")["entrez_id"].drop_nulls().unique(maintain_order=True).head(n_genes)
    spaces = np.array(["landmark"] * n_landmarks + ["inferred"] * (entrez.len() - n_landmarks))
    if scattered:
        rng.shuffle(spaces)
    pl.DataFrame({"gene_id": entrez, "feature_space": spaces}).write_csv(folder / "geneinfo_beta.txt", separator="\t")
    number = pl.int_range(n_signatures, eager=True)
    ids = pl.select(pl.format("CPC{}_A375_24H:BRD-K{}:10", number // 300, number))["literal"].alias("sig_id")
    symbols = reference.table("gene")["gene_symbol"].head(4000)
    table = pl.DataFrame(
        {
            "sig_id": ids,
            "cmap_name": symbols.gather(rng.integers(0, symbols.len(), n_signatures)),
            "pert_type": rng.choice(["trt_xpr", "trt_sh"], n_signatures),
            "cell_iname": rng.choice(["A375", "A549", "MCF7", "PC3"], n_signatures),
            "pert_idose": "-666",
            "pert_itime": "96 h",
            "tas": rng.uniform(0, 1, n_signatures).round(4),
            "distil_ids": "X" * 200,
            "project_code": np.where(np.arange(n_signatures) % (n_signatures // n_slice) == 0, "SLICE", "REST"),
        }
    )
    table.sample(fraction=1.0, shuffle=True, seed=0).write_csv(folder / "siginfo_beta.txt", separator="\t")
    table.filter(pl.col("project_code") == "SLICE").select("sig_id").write_csv(
        folder / "rows.txt", include_header=False
    )
    entrez.filter(pl.Series(spaces == "landmark")).to_frame().write_csv(folder / "genes.txt", include_header=False)
    (folder / "slice.toml").write_text(SPEC)
    block = rng.normal(size=(2000, n_genes)).astype(np.float32)
    with h5py.File(folder / "level5.gctx", "w") as file:
        file.attrs["version"] = np.bytes_("GCTX1.0")
        file["0/META/COL/id"] = np.array(ids.to_list(), dtype=np.bytes_)
        file["0/META/ROW/id"] = np.array(entrez.to_list(), dtype=np.bytes_)
        matrix = file.create_dataset("0/DATA/0/matrix", (n_signatures, n_genes), np.float32)
        for start in range(0, n_signatures, len(block)):
            height = min(len(block), n_signatures - start)
            block[:, 0] = np.arange(start, start + len(block))
            matrix[start : start + height] = block[:height]


def measure(python: str, program: str, arguments: list[str], file: Path) -> tuple[float, float]:
    """Run a program on a file that is not in the page cache; return seconds and MB at most in memory."""
    forget(file)
    timed = "import time; started = time.perf_counter()\n" + program + "seconds = time.perf_counter() - started\n"
    command = [python, "-c", timed + TAIL + "print(seconds)", str(file), *arguments]
    answer = subprocess.run(command, capture_output=True, text=True, check=True, env=ENVIRONMENT)
    peak, seconds = answer.stdout.split()[-2:]
    return float(seconds), float(peak) / 1024


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--cmappy", "cmappy", default=sys.executable, help="A Python that has cmapPy.")
@click.option("--signatures", default=200_000)
@click.option("--genes", default=12_328)
@click.option("--landmarks", default=978)
@click.option("--chosen", default=5_000, help="Signatures of the slice.")
@click.option("--scattered", is_flag=True, help="Landmarks anywhere, not first as in the public files.")
def main(
    *, folder: Path, cmappy: str, signatures: int, genes: int, landmarks: int, chosen: int, scattered: bool
) -> None:
    """Measure."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "level5.gctx"
    if not file.exists():
        write_files(folder, signatures, genes, landmarks, chosen, scattered=scattered)
    names = [str(folder / "rows.txt"), str(folder / "genes.txt")]
    runs = {
        "cmapPy, parse": (cmappy, CMAPPY, [*names, str(folder / "cmappy.npy")]),
        "our reader": (sys.executable, OURS, [*names, str(folder / "ours.npy")]),
        "whole ingest": (sys.executable, INGEST, [str(folder / "slice.toml"), str(folder / "warehouse")]),
    }
    for name, (python, program, arguments) in runs.items():
        seconds, peak = measure(python, program, arguments, file)
        click.echo(f"{name:<16} {seconds:8.2f} s {peak:9.0f} MB")
    same = np.array_equal(np.load(folder / "cmappy.npy"), np.load(folder / "ours.npy"))
    click.echo(f"same {chosen:,} x {landmarks:,} values: {same}")


if __name__ == "__main__":
    main()
