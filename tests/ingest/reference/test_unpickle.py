"""Pickles may hold tables and nothing else."""

import os
import pickle

import numpy as np
import pandas as pd
import pytest
from pandas.core.internals.managers import BlockManager

from featurestore.errors import SourceFormatError
from ingest.reference.unpickle import read_array, read_frame


class _State:
    """Pickles as a call of a class followed by a state."""

    def __init__(self, kind, state):
        self.kind = kind
        self.state = state

    def __reduce__(self):
        return self.kind, (), self.state


class _Call:
    def __init__(self, function, *arguments):
        self.parts = function, arguments

    def __reduce__(self):
        return self.parts


def _column(*texts):
    return np.array([texts], dtype=object)


def _pandas_1_frame():
    """A frame in the layout of pandas 1: two text columns, one categorical."""
    new_index = pd.core.indexes.base._new_Index
    names = _Call(new_index, pd.Index, {"data": np.array(["name", "place", "id"], dtype=object), "name": None})
    index = _Call(new_index, pd.Index, {"data": np.array(["ENSG1", "ENSG2", "ENSG3"], dtype=object), "name": None})
    places = _Call(new_index, pd.Index, {"data": np.array(["X", "Y"], dtype=object), "name": None})
    dtype = _State(pd.CategoricalDtype, {"categories": places, "ordered": False})
    categorical = _State(pd.Categorical, {"_codes": np.array([1, -1, 0], dtype=np.int8), "_dtype": dtype})
    texts = np.concatenate([_column("TP53", "XIST", None), _column("7157", None, "1")])
    blocks = [
        {"values": texts, "mgr_locs": slice(0, 4, 2)},
        {"values": categorical, "mgr_locs": slice(1, 2, 1)},
    ]
    manager = _State(BlockManager, ([names, index], [], [], {"0.14.1": {"axes": [], "blocks": blocks}}))
    return pickle.dumps(_State(pd.DataFrame, {"_mgr": manager}), protocol=5)


old_pandas = pytest.mark.skipif(pd.DataFrame.__module__ == "pandas", reason="the wheels hold pickles of pandas 1 and 2")


@pytest.mark.parametrize("protocol", [4, 5])
def test_read_array__returns_texts_and_sets(protocol):
    array = np.array([["TP53", {"7157"}]], dtype=object)
    assert read_array(pickle.dumps(array, protocol=protocol)).tolist() == [["TP53", {"7157"}]]


@old_pandas
def test_read_frame__returns_the_columns_asked_for():
    columns = read_frame(_pandas_1_frame(), ("name", "place", "id"))
    assert {name: values.tolist() for name, values in columns.items()} == {
        "index": ["ENSG1", "ENSG2", "ENSG3"],
        "name": ["TP53", "XIST", None],
        "place": ["Y", None, "X"],
        "id": ["7157", None, "1"],
    }


@old_pandas
def test_read_frame__names_a_missing_column():
    with pytest.raises(SourceFormatError, match="lacks columns") as raised:
        read_frame(_pandas_1_frame(), ("name", "strand"))
    assert raised.value.expected == "strand"


def test_read_frame__refuses_what_is_no_frame():
    with pytest.raises(SourceFormatError, match="holds no data frame"):
        read_frame(pickle.dumps(["TP53"]), ("name",))


@pytest.mark.parametrize("reader", [read_array, lambda pickled: read_frame(pickled, ())])
def test_unpickling__never_calls_what_is_not_allowed(reader, tmp_path):
    target = tmp_path / "made"
    pickled = pickle.dumps(_Call(os.mkdir, str(target)))
    with pytest.raises(SourceFormatError, match="names something") as raised:
        reader(pickled)
    assert "mkdir" in raised.value.got
    assert not target.exists()
