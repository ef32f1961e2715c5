"""``featurestore demo``: the whole job on a small simulated world, or on real files, one command after another."""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path

import click

from featurestore.cli import featurestore
from featurestore.commands.options import as_meant
from featurestore.errors import FeatureStoreError, SpecError
from ingest.synthetic import make_world, write_cells, write_signatures

MARK = ".featurestore-demo"
REAL = {
    "papalexi_2021_thp1": "perturb_seq",
    "norman_mcfaline_four_lines": "perturb_seq",
    "lincs_modzs_272": "lincs",
}
LINES = {"K562": 0.9, "RPE1": 0.9, "A549": 0.7, "HT29": 0.5}

SPEC = """\
[dataset]
id = "replogle_demo_{name}"
files = ["{name}_raw_singlecell.h5ad"]
values = "counts"
assay = "perturb_seq"
experiment = "replogle_demo_{name}"
title = "Simulated CRISPRi screen in {line}, in the layout of Replogle et al. 2022"
licence = "CC0-1.0"

[condition]
perturbation = "gene"
kind = "crispri"
controls = ["non-targeting"]
context = {{ value = "{line}" }}
batch = "gem_group"
time = {{ value = 6, unit = "d" }}
"""

LINCS_SPEC = """\
[dataset]
id = "lincs_demo"
files = ["level5_xpr.gctx"]
values = "moderated_z"
assay = "l1000"
title = "Simulated knock-out signatures in A549 and HT29, in the layout of LINCS level 5"
licence = "CC0-1.0"

[condition]
perturbation = "pert_iname"
kind_column = "pert_type"
context = { column = "cell_id" }
time = { column = "pert_itime" }

[genes]
kind = "entrez"

[quality]
replicate_correlation = "distil_cc_q75"
signature_strength = "ss_ngene"
"""

FEATURES = """\
name = "k562_from_other_experiments"

[target]
dataset = "replogle_demo_k562"
where = "not is_control"

[[feature]]
kind = "signature"
datasets = ["replogle_demo_rpe1"]
components = 15

[[feature]]
kind = "signature"
datasets = ["lincs_demo"]
effect_kind = "moderated_z"
components = 15

[split]
folds = 5
seed = 0
"""

PUBLISHED_NAMES = """\
TP53
ENSG00000141510.18
A1CF (29974)
MARCH8
KIAA1804
ENSG00000112096
QARS
EPRS
1-Mar
ERCC-00002
NOTAGENE1
"""
"""Gene names as papers print them: current, versioned, with Entrez id, renamed, retired, ambiguous, spoilt, none."""

REAL_FEATURES = """\
name = "u87mg_from_other_lines"

[target]
dataset = "norman_mcfaline_four_lines"
where = "not is_control and context_label = 'U87MG'"

[[feature]]
kind = "signature"
datasets = ["norman_mcfaline_four_lines"]
where = "context_label != 'U87MG'"
components = 10

[split]
folds = 5
seed = 0
"""

BY_DATASET = (
    "select dataset_id, count(*) as conditions, sum(is_responder::int) as responders, "
    "round(median(knockdown_ratio), 2) as median_knockdown "
    "from condition left join quality using (dataset_id, condition_id) where not is_control group by all order by all"
)
LEDGER = "select entity, status, count(*) as identifiers from mapping group by all order by all"
TOP_GENES = (
    "select target_symbols[1] as target, gene_symbol, round(effect, 2) as effect, round(z, 1) as z "
    "from signature join condition using (dataset_id, condition_id) where dataset_id = '{}' and z is not null "
    "and not list_contains(target_gene_ids, gene_id) order by abs(z) desc limit 8"
)


@click.command()
@click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    callback=as_meant,
    default=Path("demo"),
    show_default=True,
    help="Folder for the files, the warehouse and the report; made afresh.",
)
@click.option(
    "--data",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Run on the real files under this folder instead: Papalexi, Norman/McFaline and LINCS.",
)
def demo(output: Path, data: Path | None) -> None:
    """Run the whole job, showing every command: files in, SQL, features, a scored regression.

    Without --data it makes a small world first, in published layouts and with planted effects: CRISPRi screens in two
    cell lines as Replogle et al. publish theirs, and knock-out signatures as LINCS does.
    """
    started = time.monotonic()
    fresh_folder(output)
    if data is None:
        make_files(output)
        specs = [[str(output / f"{name}.toml")] for name in ("replogle_demo_k562", "replogle_demo_rpe1", "lincs_demo")]
        target = "replogle_demo_k562"
    else:
        (output / "features.toml").write_text(REAL_FEATURES, encoding="utf-8")
        specs = [[name, "--data", str(data / folder)] for name, folder in REAL.items()]
        target = "papalexi_2021_thp1"
    for arguments in specs:
        run(output, "ingest", *arguments)
    run(output, "ingest", *specs[0])
    if data is None:
        run(output, "genes", str(output / "published_names.txt"))
    run(output, "sql", BY_DATASET)
    run(output, "sql", LEDGER)
    run(output, "sql", TOP_GENES.format(target))
    run(output, "build", str(output / "features.toml"), "-o", str(output / "matrix"))
    run(output, "evaluate", str(output / "features.toml"), "-o", str(output / "report"), "--predictions", "ridge")
    seconds = time.monotonic() - started
    click.echo(f"\nDone in {seconds:.0f} s. The warehouse is {output}/warehouse; pictures are in {output}/report.")


def make_files(output: Path) -> None:
    """Write the simulated world and its specs."""
    click.echo("Simulating three datasets in their published layouts ...")
    world = make_world(LINES, n_targets=150, n_genes=600, seed=20)
    for seed, line in enumerate(("K562", "RPE1")):
        name = line.lower()
        write_cells(world, line, output / f"{name}_raw_singlecell.h5ad", seed=seed)
        spec = SPEC.format(name=name, line=line)
        (output / f"replogle_demo_{name}.toml").write_text(spec, encoding="utf-8")
    write_signatures(world, {"A549": "A549", "HT29": "HT29"}, output / "level5_xpr.gctx", n_genes=300)
    (output / "lincs_demo.toml").write_text(LINCS_SPEC, encoding="utf-8")
    (output / "features.toml").write_text(FEATURES, encoding="utf-8")
    (output / "published_names.txt").write_text(PUBLISHED_NAMES, encoding="utf-8")


def fresh_folder(output: Path) -> None:
    """Make the folder of the demonstration, over an earlier one but over nothing else.

    Raises
    ------
    SpecError
        The folder holds something else.
    """
    if output.exists() and any(output.iterdir()):
        if not (output / MARK).exists():
            raise SpecError(
                "The folder is not empty.",
                where=str(output),
                expected="an empty folder or an earlier demo",
                do="use -o",
            )
        shutil.rmtree(output)
    output.mkdir(parents=True, exist_ok=True)
    (output / MARK).touch()


def run(output: Path, *arguments: str) -> None:
    """Show one command and run it on the demonstration's warehouse.

    Raises
    ------
    FeatureStoreError
        The command failed.
    """
    words = ["--warehouse", str(output / "warehouse"), *arguments]
    shown = " ".join([program(), *(f'"{word}"' if " " in word else word for word in words)])
    click.secho(f"\n$ {shown}", bold=True)
    if featurestore.main(words, prog_name="featurestore", standalone_mode=False):
        raise FeatureStoreError(f"The command failed: {shown}")


def program() -> str:
    """Return how the shell finds featurestore: by its name, or by its path where no environment is activated."""
    script, here = Path(sys.executable).with_name("featurestore"), Path.cwd()
    if shutil.which("featurestore") or not script.exists():
        return "featurestore"
    return str(script.relative_to(here) if script.is_relative_to(here) else script)
