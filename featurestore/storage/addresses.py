"""Addresses on object stores, told from folders."""

from __future__ import annotations

import re

SEPARATOR = "://"
_PATTERN = re.compile(r"[*?[]")
_ONE_SLASH = re.compile(r"(s3a?|gs|az|abfss?):/(?=[^/])", re.IGNORECASE)


def is_url(path: object) -> bool:
    """Say whether this names a place on an object store, not on a disk."""
    return isinstance(path, str) and SEPARATOR in path


def plain_url(url: str) -> str:
    """Write an address as it is compared: its scheme in small letters, no slash at its end.

    Examples
    --------
    >>> plain_url("S3://lab/Warehouse/")
    's3://lab/Warehouse'
    """
    scheme, separator, rest = url.partition(SEPARATOR)
    return f"{scheme.lower()}{separator}{rest.rstrip('/')}"


def plain_path(path: str) -> str:
    """Write a path as DuckDB reads it: ``*``, ``?`` and ``[`` in names match nothing but themselves.

    Examples
    --------
    >>> plain_path("lab/screens [2]/a.parquet")
    'lab/screens [[]2]/a.parquet'
    """
    return path if is_url(path) else _PATTERN.sub(r"[\g<0>]", path)


def meant_url(path: str) -> str | None:
    """Return the address that was meant by what looks like one, but is a folder as it is written.

    Examples
    --------
    >>> meant_url("s3:/lab/warehouse")
    's3://lab/warehouse'
    """
    match = _ONE_SLASH.match(path)
    return None if match is None else plain_url(f"{match[1]}{SEPARATOR}{path[match.end() :]}")
