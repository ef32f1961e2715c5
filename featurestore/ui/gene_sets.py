"""Gene sets that people bring: kept in memory by what they hold, with what was found, and written nowhere."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, TypeVar

from featurestore.errors import QueryError
from featurestore.gene_sets import gmt_sets
from featurestore.lookup.enrichment import Enrichment, GeneSets, How, enrich_condition
from featurestore.query.warehouse import Warehouse

MOST_BYTES = 32 * 2**20
"""What may be brought at once."""
_KEPT = 8
_FOUND = 32
_Kept = TypeVar("_Kept")


class BroughtSets:
    """Gene sets by a hash of their text, and the tests of them, the longest unused of both forgotten first."""

    def __init__(self) -> None:
        self._sets: OrderedDict[str, GeneSets] = OrderedDict()
        self._found: OrderedDict[tuple[str | int, ...], Enrichment] = OrderedDict()
        self._lock = threading.Lock()

    def keep(self, text: str) -> str:
        """Keep the sets of a GMT file, and return what they are called in addresses.

        Raises
        ------
        QueryError
            There is none, or two have one name.
        """
        name = hashlib.sha256(text.encode()).hexdigest()[:16]
        sets = gmt_sets(text, "the gene sets given")
        with self._lock:
            _put(self._sets, name, sets, _KEPT)
        return name

    def test(self, store: Warehouse, name: str, condition: Mapping[str, Any], how: How) -> Enrichment:
        """Test kept sets in the signature of a condition, one test at a time.

        Raises
        ------
        QueryError
            They are no longer kept; or as :func:`featurestore.lookup.enrichment.enrich` says.
        """
        key = (store.snapshot.number, name, condition["dataset_id"], condition["condition_id"], how)
        with self._lock:
            if name not in self._sets:
                raise QueryError("These gene sets are no longer kept.", got=name, do="give them again, below")
            if key not in self._found:
                _put(self._found, key, enrich_condition(store, condition, self._sets[name], how=how), _FOUND)
            self._sets.move_to_end(name)
            self._found.move_to_end(key)
            return self._found[key]


def _put(kept: OrderedDict[Any, _Kept], key: Any, value: _Kept, most: int) -> None:
    kept[key] = value
    kept.move_to_end(key)
    while len(kept) > most:
        kept.popitem(last=False)
