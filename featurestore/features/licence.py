"""The licence gate: a matrix holds only what its terms allow, and a refusal names every dataset at fault."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import polars as pl

from featurestore.errors import FeatureError

if TYPE_CHECKING:
    from featurestore.features.block import Block
    from featurestore.features.spec import Licence

NON_COMMERCIAL = "non-commercial"
_EXCLUDES_COMMERCE = re.compile(r"\bNC\b|non-?\s?commercial|academic|research[- ]use|research only", re.IGNORECASE)


def check_licences(rule: Licence, rows: pl.DataFrame, blocks: Sequence[Block]) -> None:
    """Refuse a matrix with a source whose terms a spec forbids or does not allow.

    Raises
    ------
    FeatureError
        There is one; every one is named.
    """
    terms = set(rows.select("dataset_id", "licence").unique().iter_rows())
    terms |= {(origin["dataset_id"], origin["licence"]) for block in blocks for origin in block.origins}
    refuse_licences(terms, rule.forbid, rule.allow)


def refuse_licences(
    terms: Iterable[tuple[str, str | None]], forbid: Sequence[str], allow: Sequence[str] | None = None
) -> None:
    """Refuse datasets by their licences; an unknown licence is refused wherever there is a rule.

    Parameters
    ----------
    terms
        Datasets and their licences; a dataset that has several is listed with each.
    forbid
        Licences, or ``non-commercial`` for all that exclude commercial use.
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
            f"The licences of {len({name for name, _ in refused})} datasets are not allowed here.",
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
    named = {name.casefold() for name in forbid}
    commerce = NON_COMMERCIAL in named and _EXCLUDES_COMMERCE.search(licence) is not None
    outside = allow is not None and licence.casefold() not in {name.casefold() for name in allow}
    return commerce or licence.casefold() in named or outside
