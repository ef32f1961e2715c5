"""Labels written as slugs: ``[a-z0-9_]+``, readable, and different where the labels mean different things."""

from __future__ import annotations

import re
import unicodedata
from hashlib import sha256

_MARKER_SIGN = re.compile(r"(?<=[^\W_])([+-])(?=[\s,;/)]|$|CD\d|HLA)")


def slug(label: str) -> str:
    """Write a label as a slug.

    Greek letters are spelled out, a plus or minus that ends a marker becomes ``pos`` or ``neg``, and what has no Latin
    letter becomes its code point.

    Examples
    --------
    >>> slug("T cells CD4+"), slug("T cells CD4-"), slug("K562 + IFNG")
    ('t_cells_cd4_pos', 't_cells_cd4_neg', 'k562_ifng')
    """
    signed = _MARKER_SIGN.sub(lambda match: " pos " if match[1] == "+" else " neg ", label)
    latin = "".join(_latin(character) for character in unicodedata.normalize("NFKD", signed))
    words = re.findall(r"[a-z0-9]+", latin.casefold())
    return "_".join(words) or f"label_{sha256(label.encode()).hexdigest()[:8]}"


def _latin(character: str) -> str:
    if character.isascii():
        return character
    if unicodedata.combining(character):
        return ""
    name = unicodedata.name(character, "")
    if name.startswith("GREEK"):
        return f" {name.rsplit(maxsplit=1)[-1].lower()} "
    return f" u{ord(character):04x} " if character.isalnum() else " "
