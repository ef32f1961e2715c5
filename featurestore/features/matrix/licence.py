"""The licence gate: a matrix holds only what its terms allow, and a refusal names every dataset at fault."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING

import polars as pl

from featurestore.counts import count_of
from featurestore.errors import FeatureError, did_you_mean

if TYPE_CHECKING:
    from featurestore.features.blocks.block import FeatureBlock
    from featurestore.features.sections import Licence
    from featurestore.features.spec import FeatureSpec
    from featurestore.query.warehouse import Warehouse

NON_COMMERCIAL = "non-commercial"
WIDELY_USED = (
    *(f"CC-{terms}-{v}" for v in ("4.0", "3.0", "2.0") for terms in ("BY", "BY-SA", "BY-ND")),
    *(f"CC-{terms}-{v}" for v in ("4.0", "3.0", "2.0") for terms in ("BY-NC", "BY-NC-SA", "BY-NC-ND")),
    *("CC0-1.0", "PDDL-1.0", "ODbL-1.0", "ODC-By-1.0", "MIT", "BSD-2-Clause", "BSD-3-Clause", "Apache-2.0"),
    *("MPL-2.0", "Artistic-2.0", "GPL-2.0", "GPL-3.0", "LGPL-2.1", "LGPL-3.0", "AGPL-3.0"),
)
"""SPDX names of licences that a rule may name wherever it holds, whether a dataset has them or none."""
_EXCLUDES_COMMERCE = re.compile(r"\bNC\b|non-?\s?commercial|academic|research[- ]use|research only", re.IGNORECASE)


def check_licences(rule: Licence, rows: pl.DataFrame, blocks: Sequence[FeatureBlock]) -> None:
    """Refuse a matrix with a source whose terms a spec forbids or does not allow.

    Raises
    ------
    FeatureError
        There is one; every one is named.
    """
    terms = set(rows.select("dataset_id", "licence").unique().iter_rows())
    terms |= {(origin["dataset_id"], origin["licence"]) for block in blocks for origin in block.origins}
    refuse_licences(terms, rule.forbid, rule.allow)


def check_words(words: Collection[str], warehouse: Warehouse, files: Iterable[str | None] = ()) -> None:
    """Refuse a rule with a word that can forbid nothing: no licence of a warehouse, of files, or widely used.

    Raises
    ------
    FeatureError
        There is one; every one is named.
    """
    known = [NON_COMMERCIAL, *filter(None, files), *WIDELY_USED]
    if _unknown(words, known):
        found = warehouse.frame("select distinct licence from dataset where licence is not null order by all")
        known[1:1] = found["licence"].to_list()
    if unknown := _unknown(words, known):
        raise FeatureError(
            "No licence is called so: it would forbid nothing.",
            where="the licence gate",
            expected=f"{NON_COMMERCIAL!r}, or a licence of a dataset or of wide use",
            got=", ".join(map(repr, unknown)),
            do="\n            ".join(did_you_mean(word, known) for word in unknown),
        )


def check_spec_words(spec: FeatureSpec, warehouse: Warehouse, forbid: Collection[str] = ()) -> None:
    """Check the words that a spec forbids, and others; licences of the files that it names are known."""
    check_words([*spec.licence.forbid, *forbid], warehouse, (getattr(each, "licence", None) for each in spec.feature))


def refuse_licences(
    terms: Iterable[tuple[str, str | None]], forbid: Sequence[str], allow: Sequence[str] | None = None
) -> None:
    """Refuse datasets by their licences; an unknown licence is refused wherever there is a rule.

    Parameters
    ----------
    terms
        Datasets and their licences; a dataset that has several is listed with each.
    forbid
        Licences, by name, whatever else the terms say; or ``non-commercial`` for all that exclude commercial use.
    allow
        The only licences allowed; None allows every one that is not forbidden.

    Raises
    ------
    FeatureError
        A dataset is refused; every one is named.
    """
    refused = {(name, licence or "unknown") for name, licence in terms if _is_refused(licence, forbid, allow)}
    if refused:
        rules = [f"none of {', '.join(forbid)}"] if forbid else []
        rules += [f"one of {', '.join(allow)}"] if allow is not None else []
        raise FeatureError(
            f"The licences of {count_of(len({name for name, _ in refused}), 'dataset')} are not allowed here.",
            where="the licence gate",
            expected=" and ".join(rules),
            got="\n            ".join(f"{name}: {licence}" for name, licence in sorted(refused)),
            do="leave these datasets out",
        )


def _is_refused(licence: str | None, forbid: Sequence[str], allow: Sequence[str] | None) -> bool:
    if not forbid and allow is None:
        return False
    if not licence:
        return True
    named = any(re.search(rf"(?<![\w.-]){re.escape(name)}(?![\w.-])", licence, re.IGNORECASE) for name in forbid)
    commerce = NON_COMMERCIAL in map(str.casefold, forbid) and _EXCLUDES_COMMERCE.search(licence) is not None
    outside = allow is not None and licence.casefold() not in {name.casefold() for name in allow}
    return commerce or named or outside


def _unknown(words: Collection[str], known: Iterable[str]) -> list[str]:
    folded = {name.casefold() for name in known}
    return [word for word in words if word.casefold() not in folded]
