"""Names of compounds made comparable: spelling, stereo descriptors, and the words that name a salt or solvate.

Names are compared whole. Only words of the closed lists here are ever left out, and only at the end of a name: the
``DMSO_TF`` of ``Trametinib (DMSO_TF solvate)`` is such a word, the one of a vehicle well is the whole label.
"""

from __future__ import annotations

import re
import unicodedata

_COUNT = "(?:mono|di|tri|tetra|penta|hexa|hepta|octa|nona|deca|hemi|sesqui|bis|[2-9])"
_ALWAYS = (
    "hydrochloride|chlorhydrate|hcl|hydrobromide|hbr|hydroiodide|hydriodide|mesylate|mesilate|methanesulfonate|tosylate|"
    "tosilate|besylate|besilate|esylate|isethionate|napsylate|edisylate|camsylate|maleate|tartrate|malate|"
    "trifluoroacetate|tfa|sodium|potassium|calcium|lithium|meglumine|erbumine|olamine|tromethamine"
)
_SOMETIMES = (
    "hydrate|fumarate|acetate|sulfate|phosphate|citrate|chloride|bromide|iodide|nitrate|succinate|lactate|oxalate|"
    "ammonium|benzoate|gluconate|pamoate|magnesium|zinc"
)
_ACIDS = r"(?:[ld]-)?(?:\([+-]\)-)?(?:tartaric|maleic|fumaric|methanesulfonic|toluenesulfonic|trifluoroacetic)-acid"
_SOLVATES = "(?:dmso(?:_tf)?|ethanol|methanol|acetone|ethyl-acetate|propylene-glycol)-solvate|solvate|salt|free-base"
_SALT_WORD = rf"{_COUNT}?(?:{_ALWAYS})|{_COUNT}(?:hydrate|fumarate)|{_ACIDS}|{_SOLVATES}"
_ANY_SALT_WORD = rf"(?:[sr]-)?{_COUNT}?(?:{_ALWAYS}|{_SOMETIMES})|{_ACIDS}|{_SOLVATES}"

_AT_END = re.compile(rf"-(?:{_SALT_WORD})$")
"""Words that at the end of a name mean a salt or solvate. Those that also end other names are not among them:
'acetate' and 'phosphate' may be esters, as is diroximel fumarate, and chloral hydrate is no hydrate."""

_AT_END_OF_SALT = re.compile(rf"-(?:{_ANY_SALT_WORD})$|(?<=.)-?\((?:[^()]|\([^()]*\))*\)$")
"""What may be left out at the end of the name of something known to be a salt: those words too, and any bracket."""

_IN_BRACKETS = re.compile(rf"-?\((?:(?:{_ANY_SALT_WORD})-?)+\)$")
"""A bracket at the end of a name that holds nothing but salt words; there, 'acetate' is a salt."""

_NOT_ALONE = re.compile(
    r"(?:(?:sodium|potassium|lithium|calcium|magnesium|zinc|ammonium|iron|ferric|antimony|bismuth)(?:-|$))+|.*yl"
)
"""What is no compound once the salt words are off: the rest of 'potassium tartrate' or 'dimethyl fumarate'."""

_SHORTEST = 3
"""Characters that are left of a name at least."""

_DESCRIPTOR = r"\((?:[+-]|\+/-|±|r|s|rs|e|z)\)"
_LEADING = re.compile(rf"((?:{_DESCRIPTOR}-)+)(.+)")
_TRAILING = re.compile(rf"(.+?)((?:-{_DESCRIPTOR})+)")
_DASHES = re.compile(r"[\u2010-\u2015\u2212\s-]+")


def normalise_name(name: str) -> str:
    """Bring a name to one spelling.

    Case, spaces against hyphens, kinds of dashes, and the place of a stereo descriptor do not distinguish compounds;
    the descriptor itself does.

    Examples
    --------
    >>> normalise_name("Erdafitinib "), normalise_name("JQ1-(+)"), normalise_name("(+)-JQ1")
    ('erdafitinib', '(+)-jq1', '(+)-jq1')
    """
    plain = unicodedata.normalize("NFKC", name).strip().casefold()
    text = _DASHES.sub("-", plain).strip("-") or plain
    leading, trailing = _LEADING.fullmatch(text), _TRAILING.fullmatch(text)
    if leading or not trailing:
        return text
    return f"{trailing[2].removeprefix('-')}-{trailing[1]}"


def active_name(name: str, *, is_salt: bool = False) -> str:
    """Leave out the words that name a salt or solvate.

    Parameters
    ----------
    name
        As published.
    is_salt
        Whether the structure is known to be a salt or solvate, so that words which alone would be doubtful name it.

    Examples
    --------
    >>> active_name("Riluzole hydrochloride"), active_name("Trametinib (DMSO_TF solvate)")
    ('riluzole', 'trametinib')
    >>> active_name("Larotrectinib sulfate"), active_name("Larotrectinib sulfate", is_salt=True)
    ('larotrectinib-sulfate', 'larotrectinib')
    """
    words = _AT_END_OF_SALT if is_salt else _AT_END
    whole = shorter = normalise_name(name)
    rest = ""
    while shorter != rest and len(shorter) >= _SHORTEST:
        rest = shorter
        shorter = normalise_name(words.sub("", _IN_BRACKETS.sub("", rest)))
    return whole if not rest or _NOT_ALONE.fullmatch(rest) else rest
