"""What ``import featurestore as fs`` offers, and what ``help(fs)`` shows of it."""

from __future__ import annotations

import inspect

import featurestore as fs


def test_package__shows_what_it_offers_and_loads_it_when_asked():
    assert set(fs.__all__) <= set(dir(fs))
    assert {name for name, _ in inspect.getmembers(fs, inspect.isclass)} >= {"Store", "SignatureFeatures"}
    assert inspect.isfunction(fs.evaluate)
    for name in fs.__all__:
        assert inspect.getdoc(getattr(fs, name))
