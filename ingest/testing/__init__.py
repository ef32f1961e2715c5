"""Checks that any reader of a file format has to pass, one of featurestore's own or a third party's.

In the tests of a package that ships a format, on the smallest file of each of its layouts::

    @pytest.mark.parametrize("check", CHECKS)
    def test_my_format(check, tmp_path):
        check(Case(MyFormat, write_my_file(tmp_path)))

:func:`check_reader` runs them all. A check raises AssertionError that says what the reader did and what it should do.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ingest.reader import Format
from ingest.testing.case import Case
from ingest.testing.damage import check_damage
from ingest.testing.matrix import assemble
from ingest.testing.whole import check_attributes, check_blocks, check_recognition, check_refusals, check_tables

__all__ = ["CHECKS", "Case", "assemble", "check_reader"]


def check_reader(kind: type[Format], path: Path, *, matrix: str | None = None, knows_its_end: bool = True) -> None:
    """Check a format on one of its files, in every way there is.

    Raises
    ------
    AssertionError
        The reader does not keep what the protocol promises; the message says which promise.
    """
    for check in CHECKS:
        check(Case(kind, path, matrix, knows_its_end))


CHECKS: tuple[Callable[[Case], None], ...] = (
    check_recognition,
    check_attributes,
    check_tables,
    check_blocks,
    check_refusals,
    check_damage,
)
