"""Files with any bytes changed, as hypothesis thinks of them: each is read to its end, or refused in a sentence."""

from __future__ import annotations

import shutil
from contextlib import closing
from pathlib import Path

import pytest
from bad_contents import KINDS, content, part_of
from conftest import IS_STRESS
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prison import Prison

from ingest.readers.open import open_source
from layouts.examples import EXAMPLES

CHANGES = st.lists(
    st.tuples(
        st.floats(0, 1),
        st.sampled_from(["put", "insert", "cut", "repeat"]),
        st.one_of(
            st.binary(min_size=1, max_size=8), st.sampled_from([b"\xff" * 8, b"\0" * 4, b"\n", b"\t", b'"', b"-"])
        ),
    ),
    min_size=1,
    max_size=4,
)
"""Where, of the whole length; what is done there; with which bytes."""


def changed(raw: bytes, changes: list[tuple[float, str, bytes]]) -> bytes:
    for where, how, piece in changes:
        at = int(where * len(raw))
        middle = {"put": piece, "insert": piece, "cut": b"", "repeat": raw[at : at + 64] * 2}[how]
        gone = {"put": len(piece), "insert": 0, "cut": len(piece), "repeat": 64}[how]
        raw = raw[:at] + middle + raw[at + gone :]
    return raw


def read_all(path: Path) -> None:
    """Read both tables and the whole matrix."""
    with closing(open_source(path)) as reader:
        reader.rows()
        reader.genes()
        for _ in reader.blocks():
            pass


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> dict[str, Path]:
    """A good file of every layout, in a folder of its own."""
    folder = tmp_path_factory.mktemp("good")
    written = {}
    for at, (kind, how) in enumerate(KINDS.items()):
        (folder / str(at)).mkdir()
        written[kind] = how.write(folder / str(at), content(how.values))
    for form in MORE:
        for layout, write in EXAMPLES[form].items():
            place = folder / f"{form}_{layout}"
            place.mkdir()
            written[f"{form}, {layout}"] = write(place)
    return written


MORE = ("quantified", "r", "xlsx")
"""Formats that hold other things than the contents of the other tests."""
LAYOUTS = sorted([*KINDS, *(f"{form}, {layout}" for form in MORE for layout in EXAMPLES[form])])


@pytest.fixture(scope="module")
def prison():
    with Prison(60.0) as prison:
        yield prison


def test_any_bytes__are_read_or_refused(files, prison, tmp_path_factory, faults):
    folder = tmp_path_factory.mktemp("changed")
    with faults("bad files, any bytes changed, by hypothesis") as trials:

        @settings(
            max_examples=400 if IS_STRESS else 25,
            derandomize=True,  # the same in every run, so that no run fails by chance
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        )
        @given(kind=st.sampled_from(LAYOUTS), share=st.floats(0, 1), changes=CHANGES)
        def read_or_refused(kind: str, share: float, changes: list[tuple[float, str, bytes]]) -> None:
            shutil.rmtree(folder)
            shutil.copytree(files[kind].parent, folder)
            path = folder / files[kind].name
            part = part_of(path, share)
            part.write_bytes(changed(part.read_bytes(), changes))
            verdict = prison.run(read_all, path)
            trials.n += 1
            assert verdict.outcome in {"done", "refused"}, (
                f"{kind}, {part.relative_to(folder)}, {changes}: {verdict.said[-1500:]}"
            )

        read_or_refused()
