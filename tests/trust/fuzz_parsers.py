"""Coverage-guided fuzzing of the parsers of text: ``python fuzz_parsers.py PARSER GOOD_FILE [-runs=N] SEEDS``.

Atheris looks which lines of a parser an input reaches, and changes inputs to reach others, beginning with the files of
the folder ``SEEDS``. Each takes the place of ``GOOD_FILE`` among copies of the files beside it, and is read, or refused
in a sentence: any other error ends the program, and the input is kept.
"""

from __future__ import annotations

import contextlib
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import atheris

import ingest.kernel  # compiled: it cannot be instrumented
import ingest.stored  # noqa: F401, as is this

PARSERS = ["ingest.readers", *(f"ingest.harmonise.{name}" for name in ("doses", "quantity", "units"))]
PARSERS += ["featurestore.spec_faults", *(f"featurestore.features.{name}" for name in ("spec", "sections"))]

with atheris.instrument_imports(include=PARSERS):
    from featurestore.errors import FeatureStoreError
    from featurestore.features import spec as feature_spec
    from ingest import spec as dataset_spec
    from ingest.harmonise import doses
    from ingest.readers import gct, gene_sets, mtx, table, triplets


def read_dose(path: Path) -> None:
    value, _, unit = path.read_text("utf-8", "replace").partition("\n")
    for read in (doses.dose_um, doses.time_h):
        quantity = read(value, unit or None)
        assert quantity.value is None or 0 <= quantity.value < float("inf"), quantity


def read_feature_spec(path: Path) -> None:
    feature_spec.parse_spec(path.read_text("utf-8", "replace"))


def matrix_of(form: Any) -> Callable[[Path], None]:
    """Make a parser of a format: what it recognises is opened and read to its end."""

    def read(path: Path) -> None:
        if form.recognises(path):
            with contextlib.closing(form.open(path)) as reader:
                reader.rows()
                reader.genes()
                for _ in reader.blocks():
                    pass

    return read


PARSERS: dict[str, Callable[[Path], object]] = {
    "dose": read_dose,
    "feature_spec": read_feature_spec,
    "dataset_spec": dataset_spec.read_spec,
    "gct": matrix_of(gct.GctFormat),
    "table": matrix_of(table.TableFormat),
    "mtx": matrix_of(mtx.MtxFormat),
    "triplets": matrix_of(triplets.TripletsFormat),
    "gene_sets": gene_sets.read_gmt,
    "creeds": gene_sets.read_creeds,
}


def fuzz(parse: Callable[[Path], object], good: Path, options: list[str]) -> None:
    """Try inputs until the options say that it is enough; the process then ends."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(shutil.copytree(good.parent, Path(name) / "files")) / good.name

        def one(raw: bytes) -> None:
            path.write_bytes(raw)
            with contextlib.suppress(FeatureStoreError):
                parse(path)

        atheris.Setup([sys.argv[0], *options], one)
        atheris.Fuzz()


if __name__ == "__main__":
    fuzz(PARSERS[sys.argv[1]], Path(sys.argv[2]), sys.argv[3:])
