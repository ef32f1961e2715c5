"""The allocator of a process that ingests is set where it is glibc's and nobody says otherwise."""

from __future__ import annotations

import ctypes
import platform

import pytest

from ingest.commands.heap import OWN, keep_memory


@pytest.fixture
def unsaid(monkeypatch):
    for name in OWN:
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


@pytest.mark.usefixtures("unsaid")
def test_heap__is_set_of_glibc_alone():
    assert keep_memory() == (platform.libc_ver()[0] == "glibc")


@pytest.mark.parametrize("name", OWN)
def test_heap__is_left_as_the_environment_says(unsaid, name):
    unsaid.setenv(name, "2")
    assert not keep_memory()


def test_heap__of_another_library_is_left_alone(unsaid):
    unsaid.setattr(ctypes, "CDLL", lambda _: object())
    assert not keep_memory()
