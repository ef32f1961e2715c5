"""Write an entry of the catalogue as TOML, to be corrected in a file of one's own."""

from __future__ import annotations

import json
from datetime import date

from ingest.catalogue.catalogue import Entry

OF_SOURCE = ("citation", "licence", "url", "doi")


def entry_text(entry: Entry, today: date) -> str:
    """Write an entry as a catalogue that holds nothing else.

    Parameters
    ----------
    entry
        The dataset, with what is said of its source.
    today
        The day that its ``checked`` says.
    """
    given = entry.model_dump(exclude_defaults=True)
    source = {"name": given.pop("source")} | {name: given.pop(name) for name in OF_SOURCE if name in given}
    files = given.pop("files", [])
    lines = [f"checked = {today}", "", "[[source]]", *_pairs(source), "", "[[source.dataset]]", *_pairs(given)]
    if files:
        held = [{name: value for name, value in file.items() if value is not None} for file in files]
        lines += ["files = [", *(f"  {{ {', '.join(_pairs(file))} }}," for file in held), "]"]
    return "\n".join(lines) + "\n"


def _pairs(values: dict[str, object]) -> list[str]:
    """Write keys and values; a text in JSON is one in TOML, but for the delete character."""
    return [
        f"{name} = {json.dumps(value, ensure_ascii=False) if isinstance(value, str) else value}"
        for name, value in values.items()
    ]
