"""What a request asks for: the values in its address, and the snapshot that answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from featurestore.errors import QueryError
from featurestore.ui.questions import Questions


@dataclass(frozen=True)
class Asked:
    """One request.

    Parameters
    ----------
    page
        Name of the page, which is its path.
    values
        What follows ``?`` in the address.
    questions
        The snapshot.
    is_left
        Says whether whoever asked has gone, and waits for no answer.
    """

    page: str
    values: Mapping[str, str]
    questions: Questions
    is_left: Callable[[], bool] = lambda: False

    def text(self, name: str) -> str:
        """Return a value without the blanks around it, empty where it is not given."""
        return self.values.get(name, "").strip()

    def needed(self, name: str) -> str:
        """Return a value that the page cannot do without.

        Raises
        ------
        QueryError
            It is not given.
        """
        value = self.text(name)
        if not value:
            raise QueryError("The address is not whole.", expected=f"/{self.page}?{name}=...", do="search for a name")
        return value

    def number(self, name: str, default: int = 1) -> int:
        """Return a whole number of at least 1."""
        text = self.text(name)
        return max(int(text), 1) if text.isascii() and text.isdigit() and len(text) < len("1000000000") else default

    def with_values(self, **changed: Any) -> str:
        """Return the address of this page with other values; None takes a value away."""
        return address(self.page, **{**self.values, **changed})

    def part(self, name: str, suffix: str) -> str:
        """Return the address of a table, chart or file of this page, as a file."""
        return address(f"{self.page}/{name}.{suffix}".removeprefix("/"), **self.values)

    def parts(self, name: str, *suffixes: str) -> dict[str, str]:
        """Return suffix and address of each form in which a table or chart of this page can be had."""
        return {suffix: self.part(name, suffix) for suffix in suffixes}


def address(page: str, **values: Any) -> str:
    """Return an address of this server, what is empty left out."""
    given = {name: value for name, value in values.items() if value not in (None, "")}
    return f"/{page}" + (f"?{urlencode(given)}" if given else "")
