"""``make bench``: each task against the tool a user would pick instead, or against the limit of the machine.

Programs run in turn (ours, other, ours, other ...), so that what slows the machine for a while slows both; ratios are
of medians in one run. The table goes to the terminal and, with ``--readme``, into this folder's page. Nothing here is
a test: a slow machine fails nothing. Sizes are a part of those of ``make bench-full``.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
import estimate
import features
import lincs_slice
import published
from goals import CORES, FASTER, ITS_TIME, judged
from measure import HEAD, HERE, PEERS, Program, Row, apart, command, compared, ours, peer, take_turns, text_of
from screen import write_dense, write_screen, write_shards, write_text

from warehouse import write_copies, write_warehouse

README = HERE / "README.md"
BETWEEN = re.compile(r"(<!-- benchmarks -->\n).*(<!-- end of benchmarks -->)", re.DOTALL)


@dataclass(frozen=True)
class Bench:
    """Where files are written, how large, and how often each program runs."""

    folder: Path
    is_full: bool
    n_runs: int
    parts: dict[str, float]
    """What one part of a large dataset takes, as measured on the way: see ``paper``. Unit: seconds."""
    before: Path | None = None
    """Another checkout with an environment of its own, to compare with."""

    def size(self, small: int, full: int) -> int:
        """Choose a size."""
        return full if self.is_full else small


def megabytes_of(folder: Path) -> float:
    """Add up the files of a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


def digest_of(root: Path) -> str:
    """Tell the tables of a warehouse's releases by their bytes; when they were ingested is in ``dataset`` alone."""
    found = [json.loads(path.read_text(encoding="utf-8"))["files"] for path in root.glob("releases/*/*/manifest.json")]
    told = sorted((each["path"], each["blake3"]) for files in found for each in files if each["table"] != "dataset")
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:12]


def ingests(bench: Bench, spec: Path) -> dict[str, Program]:
    """Ingest by this checkout, and by the one before where it is there; each once before it counts, to compile."""
    checkouts = {"ours": None} | ({} if bench.before is None else {"before": bench.before})
    found = {
        name: command(path, bench.folder / f"{name}_warehouse", "ingest", spec) for name, path in checkouts.items()
    }
    for program in found.values():
        Program(program.command, program.made).run()
    return found


def beside_before(runs: list[Program]) -> list[Any]:
    """Return our program, and that of the build before with its name, if it ran."""
    return [*runs, "the build before"] if len(runs) > 1 else [*runs]


def screen(bench: Bench) -> list[Row]:
    """Raw counts, CSR, gzip."""
    path = bench.folder / "screen.h5ad"
    n_cells = bench.size(10_000, 40_000)
    apart(write_screen, path, n_cells=n_cells, n_genes=18_000, n_perturbations=500 * n_cells // 40_000)
    runs = ingests(bench, path.with_suffix(".toml"))
    others = {
        "scanpy": (peer("scanpy", path), ", sums only"),
        "crispyx": (peer("crispyx", path, bench.folder / "crispyx"), ", effects only"),
        "bare inflation": (ours("inflate", path), ""),
    }
    if "before" in runs:
        others = {"the build before": (runs["before"], "")} | others
    take_turns([runs["ours"], *(program for program, _ in others.values())], bench.n_runs)
    task = f"CSR gzip h5ad, {n_cells:,} cells x 18,000 genes, to a release"
    rows = [
        compared(task, f"screen, {name}", runs["ours"], program, name + part)
        for name, (program, part) in others.items()
    ]
    cores = [statistics.median(run.of_cores) for run in runs.values()]
    busy = [run.share_of_cores for run in runs.values()]
    sizes = [megabytes_of(run.made) for run in runs.values() if run.made]
    its_size = {"x its size": sizes[0] / sizes[1]} if len(sizes) > 1 else {}
    return [
        *rows,
        _beside("of all cores", [f"{each:.1f} s" for each in cores]),
        _beside("cores busy", [f"{each:.2f}" for each in busy], judged("screen, cores", {CORES: busy[0]})),
        _beside("its release", [f"{each:,.0f} MB" for each in sizes], judged("screen, release", its_size)),
    ]


def _beside(what: str, found: list[str], goal: str = "") -> Row:
    """Say what else was found of the same runs, ours and those of the build before, if it ran."""
    other = f"the build before {found[1]}" if len(found) > 1 else ""
    return Row(f"the same: {what}", found[0], other, "", "", goal)


def in_memory(bench: Bench) -> list[Row]:
    """The whole of a screen that fits in memory, beside a script."""
    path = bench.folder / "fits.h5ad"
    n_cells, n_genes, n_perturbations = bench.size(5_000, 20_000), 15_000, bench.size(75, 300)
    apart(write_screen, path, n_cells=n_cells, n_genes=n_genes, n_perturbations=n_perturbations)
    own, script = ingests(bench, path.with_suffix(".toml"))["ours"], peer("in_memory", path, bench.folder / "table")
    take_turns([own, script], bench.n_runs)
    task = f"CSR gzip h5ad, {n_cells:,} cells x {n_genes:,} genes x {n_perturbations}, to a release"
    return [compared(task, "in memory", own, script, "a SciPy script, all in memory, t-tests")]


def small(bench: Bench) -> list[Row]:
    """What a user waits for who has little to do."""
    path = bench.folder / "small.h5ad"
    apart(write_screen, path, n_cells=1_000, n_genes=1_000, n_perturbations=20)
    runs = ingests(bench, path.with_suffix(".toml"))
    root = bench.folder / "asked"
    command(None, root, "ingest", path.with_suffix(".toml")).run()
    tasks = {"--version": ["--version"], "sql 'select 1'": ["sql", "select 1"]}
    asked = {
        name: [Program([*command(checkout, root).command, *words]) for checkout in (None, bench.before)[: len(runs)]]
        for name, words in tasks.items()
    }
    every = [*runs.values(), *(program for programs in asked.values() for program in programs)]
    take_turns(every, max(bench.n_runs, 5))
    return [
        compared("1,000 cells x 1,000 genes x 20, to a release", "small", *beside_before(list(runs.values()))),
        *(compared(f"`{name}`", name, *beside_before(programs)) for name, programs in asked.items()),
    ]


def dense(bench: Bench) -> list[Row]:
    """Dense and contiguous float32, as Replogle et al. publish it, from memory and from the disk."""
    path, n_cells = bench.folder / "dense.h5ad", bench.size(8_000, 100_000)
    apart(write_dense, path, n_cells=n_cells, n_genes=8_563, n_perturbations=200)
    task, words, rows = f"dense h5ad, {n_cells:,} cells x 8,563 genes", ("cached", "not cached"), []
    for word, forgotten in zip(words, (None, path), strict=True):
        own = ingests(bench, path.with_suffix(".toml"))["ours"]
        read = Program(["sh", "-c", 'cat "$0" > /dev/null', str(path)])
        take_turns([own, read], bench.n_runs, forgotten=forgotten)
        rows.append(compared(f"{task}, {word}", f"dense, {word}", own, read, "`cat` of the file"))
    return rows


def dense_growth(bench: Bench) -> list[Row]:
    """What a further dense cell takes, in time and memory."""
    path, few = bench.folder / "dense.h5ad", bench.size(8_000, 100_000)
    runs: list[list[Program]] = []
    for n_cells in (few, 4 * few):
        apart(write_dense, path, n_cells=n_cells, n_genes=8_563, n_perturbations=200)
        runs.append(
            [command(None, bench.folder / "warehouse", "ingest", path.with_suffix(".toml")), ours("add_up", path)]
        )
        take_turns(runs[-1], bench.n_runs)
        path.unlink()
    more, limit = (runs[1][i].median() - runs[0][i].median() for i in (0, 1))
    bench.parts["dense"] = more / (3 * few * 8_563)
    kilobytes = 1024 * (runs[1][0].memory - runs[0][0].memory) / (3 * few)
    memory = f"{runs[0][0].memory:,.0f} MB, with 4 x the cells {runs[1][0].memory:,.0f} MB: {kilobytes:.2f} kB a cell"
    ratio = f"{more / limit:.1f} x summing the map, a cell"
    goal = judged("dense, a cell", {"kB a cell": kilobytes})
    return [Row(f"dense h5ad, {4 * few:,} cells", runs[1][0].text(), "", ratio, memory, goal)]


def text(bench: Bench) -> list[Row]:
    """A table of text that is wide, looked at and ingested."""
    path, n_genes = bench.folder / "cells.csv", 20_000
    n_cells = bench.size(1_000, 5_000)
    apart(write_text, path, n_cells=n_cells, n_genes=n_genes, n_perturbations=20)
    runs = ingests(bench, path.with_suffix(".toml"))
    seen = {name: Program([run.command[0], "inspect", str(path)]) for name, run in runs.items()}
    other = peer("text", path)
    take_turns([*runs.values(), *seen.values(), other], bench.n_runs)
    task = f"CSV, {n_cells:,} cells x {n_genes:,} genes"
    rows = [compared(f"{task}, to a release", "text", runs["ours"], other, "pandas, group_by, sums only")]
    if "before" in runs:
        rows.append(compared("the same", "text", runs["ours"], runs["before"], "the build before"))
    return [*rows, compared("`inspect` of it", "text, inspect", *beside_before(list(seen.values())))]


def questions(bench: Bench) -> list[Row]:
    """One signature and one gene: at full size, and where the others can be written in little time."""
    n_genes = 10_000
    root = bench.folder / "large"
    apart(write_warehouse, root, n_datasets=1, n_conditions=20_000, n_genes=n_genes)
    own = ours("ask", root, "screen_0000")
    take_turns([own], bench.n_runs)
    of = f" of {20_000:,} conditions x {n_genes:,} genes"
    tasks = "signature", "gene"
    rows = [compared(f"one {task}{of}", task, own, of=task) for task in tasks]
    shutil.rmtree(root)
    n_conditions = bench.size(4_000, 20_000)
    apart(write_warehouse, root, n_datasets=1, n_conditions=n_conditions, n_genes=n_genes)
    copy = bench.folder / "matrix.npy"
    ours("matrix", root, "screen_0000", copy).run()
    peer("write_effects", copy, bench.folder).run()
    others = {name: peer("ask", bench.folder, name) for name in ("h5ad", "soma", "lance")}
    take_turns(list(others.values()), 1)
    best = {task: min(others, key=lambda name: others[name].median(task)) for task in tasks}
    own = ours("ask", root, "screen_0000")
    take_turns([own, *(others[name] for name in sorted(set(best.values())))], bench.n_runs)
    of = f" of {n_conditions:,} conditions x {n_genes:,} genes"
    for task, name in best.items():
        named = f"best of h5ad, SOMA, Lance: {name}"
        rows.append(compared(f"one {task}{of}", "the best of others", own, others[name], named, task))
    return rows


def matrix(bench: Bench) -> list[Row]:
    """A matrix of effects."""
    n_genes, root, copy = 10_000, bench.folder / "few", bench.folder / "few.npy"
    apart(write_warehouse, root, n_datasets=1, n_conditions=2_000, n_genes=n_genes)
    read = ours("matrix", root, "screen_0000", copy)
    read.run()
    peer("write_h5ad", copy, bench.folder).run()
    h5ad = peer("read_h5ad", bench.folder)
    take_turns([read, h5ad], bench.n_runs)
    row = compared(f"matrix of 2,000 conditions x {n_genes:,} genes", "matrix", read, h5ad, "read_h5ad, gzip")
    load = read.median("np.load")
    times = read.median() / load
    goal = judged("matrix, np.load", {ITS_TIME: times})
    return [
        row,
        Row("the same", text_of(read.median()), f"np.load {text_of(load)}", f"{times:.0f} {ITS_TIME}", "", goal),
    ]


def lincs(bench: Bench) -> list[Row]:
    """A slice of a large GCTX."""
    folder = bench.folder / "lincs"
    folder.mkdir()
    n, chosen = bench.size(40_000, 200_000), bench.size(1_000, 5_000)
    apart(lincs_slice.write_files, folder, n, 12_328, 978, chosen, scattered=False)
    names = [str(folder / "rows.txt"), str(folder / "genes.txt"), str(folder / "slice.npy")]
    file, programs = folder / "level5.gctx", ((sys.executable, lincs_slice.OURS), (str(PEERS), lincs_slice.CMAPPY))
    runs = [[lincs_slice.measure(*each, names, file) for each in programs] for _ in range(bench.n_runs)]
    (a, m), (b, k) = (tuple(map(statistics.median, zip(*part, strict=True))) for part in zip(*runs, strict=True))
    answer = chosen * 978 * 4 / 2**20
    memory = f"{m:,.0f} MB, {k:,.0f} MB (answer {answer:,.1f} MB)"
    task = f"GCTX, {chosen:,} x 978 of {n:,} x 12,328, not cached"
    goal = judged("slice", {FASTER: b / a})
    return [Row(task, text_of(a), f"cmapPy {text_of(b)}", f"{b / a:.1f} {FASTER}", memory, goal)]


def shards(bench: Bench) -> list[Row]:
    """Parquet shards of token lists; of all at once polars takes 0.1 MB a cell, so that the larger go in turn."""
    rows, seconds, tokens = [], [], []
    sizes = bench.size(48_000, 144_000), bench.size(96_000, 500_000)
    ways = "all at once", "file by file"
    for n_cells, task, how in zip(sizes, ("shards", "shards_in_turn"), ways, strict=True):
        folder = bench.folder / f"shards_{n_cells}"
        apart(write_shards, folder, n_cells=n_cells, n_genes=20_000, n_perturbations=100)
        own, other = command(None, bench.folder / "warehouse", "ingest", folder / "shards.toml"), peer(task, folder)
        take_turns([own, other], bench.n_runs)
        seconds.append(own.median())
        tokens.append(estimate.tokens(folder))
        title = f"Parquet token lists, {n_cells:,} cells, to a release"
        rows.append(compared(title, f"tokens, {how}", own, other, f"polars explode, group_by, {how}, sums only"))
        shutil.rmtree(folder)
    bench.parts["token"] = (seconds[1] - seconds[0]) / (tokens[1] - tokens[0])
    return rows


def dask(bench: Bench) -> list[Row]:
    """Two workers of one core each against one, up to the snapshot, once they have begun."""
    folder, n_files = bench.folder / "plates", bench.size(6, 12)
    folder.mkdir()
    path, n_cells = folder / "plate_0.h5ad", 20_000
    for number in range(n_files):  # a file that is given twice is refused
        plate = path.with_stem(f"plate_{number}")
        apart(write_screen, plate, n_cells=n_cells, n_genes=18_000, n_perturbations=50, seed=number)
    spec = path.with_suffix(".toml")
    spec.write_text(spec.read_text(encoding="utf-8").replace("plate_0.h5ad", "plate_*.h5ad"), encoding="utf-8")
    roots = {name: bench.folder / name for name in ("two workers", "one worker", "one process of two threads")}
    programs = [ours("dask", spec, root, n) for n, root in zip((2, 1), roots.values(), strict=False)]
    programs.append(ours("ingest", spec, list(roots.values())[-1]))
    take_turns(programs, min(bench.n_runs, 3))
    digests = {digest_of(root) for root in roots.values()}
    if len(digests) > 1:
        raise click.ClickException("releases of one input are not the same")
    two, one, here = programs
    task = f"Dask, two workers, {n_files} files of {n_cells:,} cells x 18,000 genes"
    alone = f"one process of two threads {here.text()}, the digest of all three {digests.pop()}"
    row = Row("the same", two.text(), alone, "", "", "the same digest: reached")
    return [compared(task, "two workers", two, one, "one worker"), row]


def signatures(bench: Bench) -> list[Row]:
    """Signatures that a source published, to a release."""
    n, m, rows = bench.size(500, 2_000), bench.size(4_000, 8_000), []
    folder = bench.folder / "published"
    folder.mkdir()
    apart(published.write_inputs, folder, n, m)
    for name, what in (("long", "lines with p and q"), ("wide", "a wide table")):
        runs = list(ingests(bench, folder / f"{name}.toml").values())
        take_turns(runs, bench.n_runs)
        task = f"published signatures, {n:,} x {m:,} in Parquet, {what}, to a release"
        rows.append(compared(task, "published", *beside_before(runs)))
    return rows


def matrices(bench: Bench) -> list[Row]:
    """Features of four sources, fits of a grid search, and at full size an evaluation."""
    n, m, folder = bench.size(500, 2_000), bench.size(2_000, 8_000), bench.folder / "features"
    folder.mkdir()
    apart(features.write_inputs, folder, n, m)
    kept = folder / "warehouse" / "matrices"

    def program(code: str, *more: str) -> Program:
        return Program([sys.executable, "-c", code, str(folder), *more], kept)

    own, fits, whole = program(features.OURS), program(features.FITS, str(n)), program(features.EVALUATE, "all")
    take_turns([own, fits], bench.n_runs)
    take_turns([whole], 1)
    of = f"four sources of {n:,} x {m:,}"
    later = compared("a later fit of `SignatureFeatures`", "later fit", fits, of="later fits")
    return [
        compared(f"features of {of}, 50 components each", "features", own),
        replace(later, other=f"the first {fits.text('first fit')}"),
        compared(f"`evaluate` of {of}, all models, once", "evaluate", whole),
    ]


def growth(bench: Bench) -> list[Row]:
    """Time a cell as cells grow; time of a question about one dataset as datasets grow."""
    seconds, memory = {}, []
    sizes = bench.size(20_000, 10_000), bench.size(40_000, 40_000), bench.size(80_000, 160_000), bench.size(0, 640_000)
    for n_cells in filter(None, sizes):
        path = bench.folder / "growth.h5ad"
        apart(write_screen, path, n_cells=n_cells, n_genes=3_000, n_perturbations=50, depth=2_000)
        own = command(None, bench.folder / "warehouse", "ingest", path.with_suffix(".toml"))
        take_turns([own], bench.n_runs)
        seconds[n_cells] = own.median()
        memory.append(own.memory)
    pairs = list(zip(list(seconds.items()), list(seconds.items())[1:], strict=False))
    each = [f"{1e6 * (t - s) / (m - n):.0f}" for (n, s), (m, t) in pairs]
    between = f"{min(seconds):,} to {max(seconds):,} cells"
    flat = f"{memory[0]:,.0f} to {memory[-1]:,.0f} MB"
    rows = [Row(f"a further cell, {between}", f"{', '.join(each)} µs", "", "", flat, "within 10 %")]
    asked = {n: ours("ask", bench.folder / f"datasets_{n}", "screen_0005") for n in (10, 100, 1_000)}
    for n in asked:
        apart(write_copies, bench.folder / f"datasets_{n}", n_datasets=n, n_conditions=200, n_genes=1_000)
    take_turns(list(asked.values()), min(bench.n_runs, 3))
    among = f"among {', '.join(f'{n:,}' for n in asked)} datasets"
    for task in ("signature", "gene"):
        times = ", ".join(text_of(program.median(task)) for program in asked.values())
        rows.append(Row(f"one {task} {among}", times, "", "", "", "flat"))
    return rows


def pairs(bench: Bench) -> list[Row]:
    """What a further condition and gene take, through sums, test, null and Parquet: of few cells, by the clock."""
    found = []
    sizes = 20, 270
    for n_perturbations in sizes:
        path = bench.folder / f"pairs_{n_perturbations}.h5ad"
        apart(write_screen, path, n_cells=4_000, n_genes=18_000, n_perturbations=n_perturbations)
        found.append(list(ingests(bench, path.with_suffix(".toml")).values()))
    take_turns([run for runs in found for run in runs], bench.n_runs)
    n_pairs = (sizes[1] - sizes[0]) * 18_000
    each = [(many.median() - few.median()) / n_pairs for few, many in zip(*found, strict=True)]
    of_cores = [
        (statistics.median(many.of_cores) - statistics.median(few.of_cores)) / n_pairs
        for few, many in zip(*found, strict=True)
    ]
    bench.parts["pair"] = each[0]
    texts = [f"{1e9 * a:.0f} ns, {1e9 * b:.0f} ns of cores" for a, b in zip(each, of_cores, strict=True)]
    other, ratio = (
        (f"the build before {texts[1]}", f"{each[0] / each[1]:.2f} x its time") if len(each) > 1 else ("", "")
    )
    goal = judged("condition and gene", {"ns": 1e9 * each[0]})
    return [Row("a condition and gene through sums, test, null and Parquet", texts[0], other, ratio, "", goal)]


def paper(bench: Bench) -> list[Row]:
    """Time of the parts that datasets too large to be had here are made of, and what they add up to.

    A condition and gene, a dense value and a token are taken from the rows above.
    """
    for name, task in (("pair", pairs), ("dense", dense_growth), ("token", shards)):
        if name not in bench.parts:
            task(bench)

    def a_level_5(n: int) -> float:
        folder = bench.folder / f"lincs_{n}"
        folder.mkdir()
        apart(lincs_slice.write_files, folder, n, 12_328, 12_328, n, scattered=False)
        own = command(None, bench.folder / "warehouse", "ingest", folder / "slice.toml")
        take_turns([own], min(bench.n_runs, 3))
        return own.median()

    parts = estimate.Parts(
        pair=bench.parts["pair"],
        dense=bench.parts["dense"],
        token=bench.parts["token"],
        z_score=(a_level_5(4_000) - a_level_5(1_000)) / (3_000 * 12_328),
    )
    if min(parts.pair, parts.dense, parts.token, parts.z_score) <= 0:
        raise click.ClickException("the parts are within the noise of the machine")
    return [Row(parts.text(), "", "", "", "", ""), *estimate.rows(parts)]


TASKS: dict[str, Callable[[Bench], list[Row]]] = {
    each.__name__: each
    for each in (
        screen,
        in_memory,
        small,
        dense,
        dense_growth,
        text,
        questions,
        matrix,
        lincs,
        shards,
        dask,
        signatures,
        matrices,
        growth,
        pairs,
        paper,
    )
}


def machine() -> str:
    """Describe the machine in a line."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    model = next((line.split(":")[1] for line in lines if line.startswith("model name")), "")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{' '.join(model.split())}, {os.cpu_count()} cores, {memory:.0f} GB, Python {platform.python_version()}"


@click.command()
@click.option("--full", "is_full", is_flag=True, help="The sizes of the goals: an hour, and 40 GB of disk.")
@click.option("--runs", default=3, show_default=True)
@click.option("--only", multiple=True, type=click.Choice(list(TASKS)))
@click.option("--readme", "is_for_readme", is_flag=True, help="Write the table into README.md.")
@click.option("--before", type=click.Path(exists=True, path_type=Path), help="Another checkout, to compare with.")
@click.option("--folder", type=click.Path(path_type=Path), help="Where files are written for a while.")
def main(
    *, is_full: bool, runs: int, only: tuple[str, ...], is_for_readme: bool, before: Path | None, folder: Path | None
) -> None:
    """Measure, and print tables in Markdown."""
    of = "" if is_full else " Goals are those of the full size (--full)."
    told = f"{machine()}; medians of {runs}, the machine's load {os.getloadavg()[0]:.1f} at the start.{of}"
    lines = [told, "", HEAD]
    click.echo("\n".join(lines))
    parts: dict[str, float] = {}
    for name in only or TASKS:
        with tempfile.TemporaryDirectory(dir=folder) as work:
            try:
                rows = TASKS[name](Bench(Path(work), is_full, runs, parts, before))
            except (click.ClickException, subprocess.CalledProcessError) as error:
                rows = [Row(name, "not measured", str(error)[-60:], "", "", "")]
            for row in rows:
                lines.append(row.line())
                click.echo(row.line())
    if is_for_readme:
        text = README.read_text(encoding="utf-8")
        README.write_text(BETWEEN.sub(lambda at: at[1] + "\n".join(lines) + "\n" + at[2], text), encoding="utf-8")


if __name__ == "__main__":
    main()
