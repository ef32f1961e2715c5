"""Addresses on object stores, told from folders."""

from __future__ import annotations

import os
import re
from pathlib import Path

SEPARATOR = "://"
_PATTERN = re.compile(r"[*?[]")
_FEW_SLASHES = re.compile(r"(s3a?|gs|az|abfss?):/?(?=[^/])", re.IGNORECASE)
SCHEMES = {
    "s3": ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_ENDPOINT_URL"),
    "gs": ("GOOGLE_APPLICATION_CREDENTIALS",),
    "az": ("AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_ACCOUNT_KEY"),
}
"""What an address may begin with, and where its store's keys come from."""
_SAME = {"s3a": "s3", "azure": "az", "abfs": "az", "abfss": "az", "adl": "az"}
_WITHOUT_KEYS = ("file", "http", "https")


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


def meant_place(path: str) -> str | None:
    """Return the address or folder that was meant, where what is written is another folder, which is not there.

    Examples
    --------
    >>> meant_place("s3:/lab/warehouse"), meant_place("S3:lab/w"), meant_place("file:/lab/w"), meant_place("lab")
    ('s3://lab/warehouse', 's3://lab/w', '/lab/w', None)
    """
    if match := _FEW_SLASHES.match(path):
        return plain_url(f"{match[1]}{SEPARATOR}{path[match.end() :]}")
    if path.lower().startswith("file:"):
        return path.partition(":")[2]
    other = os.path.expandvars(Path(path).expanduser()) if path.startswith(("~", "$")) else path
    return other if other != path and not Path(path).exists() else None


def keys_of(url: str) -> str:
    """Say what to check where a store does not answer: the address, and what its keys come from.

    Examples
    --------
    >>> keys_of("gs://lab/w"), keys_of("https://lab/w")
    ('check the address and GOOGLE_APPLICATION_CREDENTIALS', 'check the address')
    >>> keys_of("ftp://lab/w")
    'known: s3://, gs://, az://, file://, http://, https://'
    """
    scheme = url.partition(SEPARATOR)[0].lower()
    keys = SCHEMES.get(_SAME.get(scheme, scheme))
    if keys is None and scheme not in _WITHOUT_KEYS:
        return f"known: {', '.join(f'{each}{SEPARATOR}' for each in (*SCHEMES, *_WITHOUT_KEYS))}"
    return " and ".join(["check the address", *([", ".join(keys)] if keys else [])])
