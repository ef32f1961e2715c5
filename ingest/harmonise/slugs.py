"""Labels written as slugs: ``[a-z0-9_]+``, readable, and different where the labels mean different things."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from hashlib import sha256

_DASHES = str.maketrans(dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-"))
_MARKER_SIGN = re.compile(r"(?:(?<=[^\W_])|(?<=[+-]/))([+-])(?=[\s,;/)]|$|CD\d|HLA)")
_MINUS = re.compile(r"(?:(?<=[\s(_,;/])|^)-(?=[^\W_])")
_HYPHEN = re.compile(r"(?<=[^\W_])-(?=[^\W_])")
_STOPS = re.compile(r"[\s_.,;:/\\|'\"#]+")
_AROUND_SIGNS = re.compile(r" ?([^a-z0-9 ]) ?")
_BRACKETS_AND_QUOTES = {"Ps", "Pe", "Pi", "Pf"}


def slug(label: str) -> str:
    """Write a label as a slug.

    Greek letters are spelled out, a plus or minus that ends a marker becomes ``pos`` or ``neg``, a minus before a word
    becomes ``minus``, and what has no Latin letter becomes its code point.

    Examples
    --------
    >>> slug("T cells CD4+"), slug("T cells CD4-"), slug("K562 + IFNG"), slug("K562 -dox")
    ('t_cells_cd4_pos', 't_cells_cd4_neg', 'k562_ifng', 'k562_minus_dox')
    """
    return "_".join(re.findall(r"[a-z0-9]+", _spelled(label))) or f"label_{_hash(label)}"


def told_apart(labels: Iterable[str]) -> dict[str, str]:
    """Find the labels of which one slug has several meanings, and give each of them a slug of its own.

    Case, spaces, underscores, brackets, and hyphens or stops between words are spelling; any other sign has a meaning.

    Examples
    --------
    >>> told_apart(["<5%", ">5%", "< 5 %", "A-549", "a 549"])
    {'<5%': '5_3ce3e66a', '>5%': '5_b8bdcb2f', '< 5 %': '5_3ce3e66a'}
    """
    given = [(label, slug(label), _meaning(label)) for label in labels]
    meanings: dict[str, set[str]] = defaultdict(set)
    for _, plain, meaning in given:
        meanings[plain].add(meaning)
    return {label: f"{plain}_{_hash(meaning)}" for label, plain, meaning in given if len(meanings[plain]) > 1}


def _meaning(label: str) -> str:
    """Write a label so that what differs only by spelling is the same text."""
    plain = "".join(" " if unicodedata.category(c) in _BRACKETS_AND_QUOTES else c for c in _spelled(label))
    return _AROUND_SIGNS.sub(r"\1", _STOPS.sub(" ", plain).strip())


def _spelled(label: str) -> str:
    """Write the letters of a label in Latin and some of its signs as words, and leave the others."""
    plain = unicodedata.normalize("NFKC", label).translate(_DASHES)
    signed = _MARKER_SIGN.sub(lambda match: " pos " if match[1] == "+" else " neg ", plain)
    signed = _HYPHEN.sub(" ", _MINUS.sub(" minus ", signed))
    if signed.isascii():
        return signed.casefold()
    return "".join(_latin(character) for character in unicodedata.normalize("NFKD", signed)).casefold()


def _latin(character: str) -> str:
    if character.isascii():
        return character
    if unicodedata.combining(character):
        return ""
    name = unicodedata.name(character, "")
    if name.startswith("GREEK"):
        return f" {name.rsplit(maxsplit=1)[-1].lower()} "
    return f" u{ord(character):04x} " if character.isalnum() else character


def _hash(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:8]
