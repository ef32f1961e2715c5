"""Words that stand in columns of perturbations for something else: cells that were not called, and reference cells."""

from __future__ import annotations

import re
from collections.abc import Iterable


def spelled(words: Iterable[str]) -> frozenset[str]:
    """Return words in the spellings of tools: any sign between, lower case, capitals, titles, humps, sgRNA.

    Examples
    --------
    >>> sorted(spelled(["no call"]))[:4]
    ['NO CALL', 'NO-CALL', 'NO.CALL', 'NOCALL']
    """
    cased = {
        form
        for word in words
        for form in (word, word.upper(), word.capitalize(), word.title(), word[:1] + word.title()[1:], _titled(word))
    }
    cased |= {re.sub(r"(?i)(s?)grna", r"\1gRNA", form) for form in cased}
    return frozenset(form.replace(" ", sign) for form in cased for sign in (" ", "_", "-", ".", ""))


def _titled(words: str) -> str:
    """Begin each word with a capital, and leave the capitals of ``HTO`` as they are."""
    return " ".join(word[:1].upper() + word[1:] for word in words.split(" "))


ABSENT = frozenset({"", "nan", "NaN", "None", "NA", "-666", "<NA>"}) | spelled(["none", "null", "n/a"])
"""Words for nothing: after another component of a combination, that there is no second one."""

NOT_CALLED = spelled(
    (
        *("negative", "doublet", "doublets", "multiplet", "multiplets", "unassigned", "not assigned", "no assignment"),
        *("unassignable", "unclassified", "unknown", "undetermined", "not determined", "ambiguous", "unsure"),
        *("no guide", "no guides", "no sgrna", "no grna", "no protospacer", "no feature", "no barcode", "no hashtag"),
        *("no guide assigned", "no guide detected", "HTO negative", "HTO doublet", "mixture", "mixed"),
        *("two guides", "multiple assignment", "Singlet NA", "unmapped", "not detected", "filtered", "filtered out"),
        *("no call", "not called", "uncalled", "no perturbation", "no reads", "no reads found", "low quality"),
        *(
            "multiple",
            "multi",
            "multiple guides",
            "multi guide",
            "multiple sgrnas",
            "multiple grnas",
            "multi sgrna",
            "multi grna",
        ),
    )
)
"""Words by which callers of guides and hashtags (HTODemux, MULTI-seq, Cell Ranger, Vireo) say that they called none.

None of them is a gene, nor a name that one ever had.
"""

UNASSIGNED = ABSENT | NOT_CALLED | {"*", "-", "--", "---", ".", "?", "rest"} | {f"{n}+ guides" for n in (2, 3)}
"""Labels that mean no perturbation is known, in any source, unless its spec calls one of them a control.

``rest`` is scanpy's word for all other cells, and no way of writing REST.
"""

LOOKS_LIKE_CONTROL = re.compile(
    r"non.?target|neg.?(?:ctrl|control)|safe.?harbou?r|intergenic|non.?gene|no.?target|luciferase|"
    r"(?:^|[^a-z]|^s[hi])(?:ctrl|control|scrambled?|safe|mock|vehicle|dmso|untreated|unperturbed|unstim(?:ulated)?|pbs"
    r"|lacz|luc|e?gfp|rfp|mcherry|empty.?vector|ev|parental|wild.?type|healthy|rosa26|aavs1)(?![a-z])"
    r"|^ntc?[-_. ]?\d*$|^(?:s[hgi])?[-_ ]?(?:nc|scr|neg|unt|ut|ctl|veh|empty)[-_. ]?\d*$",
    re.IGNORECASE,
)
"""Labels that a human should look at, as they may be controls too; never taken for controls."""

REFERENCES = {
    "guides without a target": r"non?.?target|^ntc?(?![a-z])|scrambled?|safe.?target|neg(?:ative)?.?(?:ctrl|control)",
    "guides between genes": r"intergenic",
    "vehicle": r"dmso|dimethyl sulfoxide|vehicle",
    "buffer": r"^pbs$",
    "mock": r"^mock$",
    "untreated": r"untreated|unperturbed|^wt$|untrt",
}
"""What labels of controls say was done to the cells; ``control`` alone says nothing."""


APART = (
    "leave out of controls those that perturbed cells are not to be compared with, or name as batch the column that "
    "says which belong together"
)
"""What to do about controls of several kinds."""


def kinds_of_controls(labels: Iterable[str]) -> str:
    """Say of which kinds controls are; nothing where all that say so are of one.

    Examples
    --------
    >>> kinds_of_controls(["DMSO", "untreated", "control"])
    "'DMSO' (vehicle), 'untreated' (untreated)"
    >>> kinds_of_controls(["DMSO", "Vehicle_control", "control"])
    ''
    """
    found: dict[str, str] = {}
    for label in labels:
        for kind, pattern in REFERENCES.items():
            if re.search(pattern, label, re.IGNORECASE):
                found.setdefault(kind, label)
                break
    return ", ".join(f"{label!r} ({kind})" for kind, label in found.items()) if len(found) > 1 else ""


UNEXPRESSED = re.compile(r"OR\d{1,2}[A-Z]{1,2}\d{1,3}[A-Z]?")
"""Olfactory receptors, of which guide libraries take some for controls."""
