"""Where the objects of a Zarr store lie: in a folder, in a zip archive, or elsewhere, read by range.

Nothing outside the store is followed, and what a packed object may grow to is bounded before it is unpacked.
"""

from __future__ import annotations

import os
import stat
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from pathlib import Path
from struct import Struct
from types import MappingProxyType

from featurestore.errors import SourceFormatError

ZIP = b"PK\x03\x04"
HIDDEN = frozenset({".zgroup", ".zarray", ".zattrs", ".zmetadata"})
"""The hidden files that are of a store; others are of the system, or of whoever copies it."""
LOCAL_HEAD = Struct("<26xHH")
"""The head of an archive's member: the lengths of its name and of what else is noted of it."""
BOMB_BYTES = 2**29
BOMB_RATIO = 500
"""More bytes than the first, and more for each byte stored than the second, are made to fill the memory."""


SERVED: ContextVar[Mapping[Path, Storage]] = ContextVar("SERVED", default=MappingProxyType({}))
"""Stores that lie elsewhere, by the folder that stands for each."""


class Storage(ABC):
    """The objects of a store, by key: ``obs/gene/codes/c/0``."""

    path: Path
    is_far = False
    """Whether each reading costs a request, so that neighbouring parts are read together."""

    @abstractmethod
    def size(self, key: str) -> int | None:
        """Return how large an object is, None where there is none. Unit: bytes."""

    @abstractmethod
    def read(self, key: str, start: int = 0, length: int | None = None) -> bytes:
        """Read an object, or a part of it."""

    @abstractmethod
    def names(self, prefix: str) -> list[str]:
        """List what is directly below a prefix that has something below it itself."""

    @abstractmethod
    def below(self, prefix: str) -> Iterator[tuple[str, int]]:
        """Yield the objects below a prefix, with their sizes. Unit: bytes."""

    def files(self, is_read: Callable[[str], bool]) -> tuple[Path, ...]:  # noqa: ARG002
        """List the files that the objects of these keys are in."""
        return (self.path,)

    def close(self) -> None:  # noqa: B027, most keep nothing open
        """Let go of the store."""


class Folder(Storage):
    """A store that is a folder, with a file for each object."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def size(self, key: str) -> int | None:
        """Return how large an object is."""
        try:
            found = os.lstat(self.path / key)
        except (FileNotFoundError, NotADirectoryError):
            return None
        if stat.S_ISLNK(found.st_mode):
            raise self._link(key)
        return found.st_size if stat.S_ISREG(found.st_mode) else None

    def read(self, key: str, start: int = 0, length: int | None = None) -> bytes:
        """Read an object, or a part of it.

        Raises
        ------
        FileNotFoundError
            There is no such object.
        """
        if self.size(key) is None:
            raise FileNotFoundError(f"'{key}' is missing")
        with (self.path / key).open("rb") as file:
            file.seek(start)
            return file.read(-1 if length is None else length)

    def names(self, prefix: str) -> list[str]:
        """List the folders in a folder."""
        return [Path(entry).name for entry in self._entries(prefix) if entry.is_dir()]

    def files(self, is_read: Callable[[str], bool]) -> tuple[Path, ...]:
        """List the files of these keys."""
        return tuple(self.path / key for key, _ in self.below("") if is_read(key))

    def below(self, prefix: str) -> Iterator[tuple[str, int]]:
        """Yield the files in a folder and in those in it."""
        for entry in self._entries(prefix):
            key = f"{prefix}/{entry.name}".removeprefix("/")
            if entry.is_dir():
                yield from self.below(key)
            elif entry.is_file() and (not entry.name.startswith(".") or entry.name in HIDDEN):
                yield key, entry.stat().st_size

    def _entries(self, prefix: str) -> list[os.DirEntry[str]]:
        with os.scandir(self.path / prefix) as found:
            entries = sorted(found, key=lambda entry: entry.name)
        for entry in entries:
            if entry.is_symlink():
                raise self._link(f"{prefix}/{entry.name}".removeprefix("/"))
        return entries

    def _link(self, key: str) -> SourceFormatError:
        return SourceFormatError(
            "a link leads out of the store and is not followed",
            where=f"{key} of {self.path}",
            expected="files in the folder itself",
            got="a symbolic link",
            do="copy what it points at into its place",
        )


class Mirror(Folder):
    """A store that lies elsewhere, and for which a folder stands: files of the same sizes, of which none has content.

    Parameters
    ----------
    path
        The folder, empty or not there.
    sizes
        The objects, by key. Unit: bytes.
    read_range
        Reads a part of an object: key, start and length.

    Attributes
    ----------
    n_fetched
        What was read so far. Unit: bytes.
    """

    is_far = True

    def __init__(self, path: Path, sizes: Mapping[str, int], read_range: Callable[[str, int, int], bytes]) -> None:
        super().__init__(path)
        self._read_range, self.n_fetched = read_range, 0
        for key, size in sizes.items():
            file = path / key
            file.parent.mkdir(parents=True, exist_ok=True)
            with file.open("wb") as empty:
                empty.truncate(size)

    def read(self, key: str, start: int = 0, length: int | None = None) -> bytes:
        """Read an object, or a part of it, where it lies.

        Raises
        ------
        FileNotFoundError
            There is no such object.
        """
        size = self.size(key)
        if size is None:
            raise FileNotFoundError(f"'{key}' is missing")
        length = size - start if length is None else min(length, size - start)
        self.n_fetched += length
        return self._read_range(key, start, length) if length > 0 else b""


@contextmanager
def served(storage: Storage) -> Iterator[Path]:
    """Let whoever opens the folder that stands for a store read the store."""
    token = SERVED.set({**SERVED.get(), storage.path: storage})
    try:
        yield storage.path
    finally:
        SERVED.reset(token)


class Listed(Storage):
    """A store of which all objects are known from a list.

    Parameters
    ----------
    sizes
        The objects, by key. Unit: bytes.
    """

    def __init__(self, path: Path, sizes: Mapping[str, int]) -> None:
        self.path, self._sizes = path, sizes
        self._below: dict[str, dict[str, None]] = {}
        for key in sizes:
            folder, _, _ = key.rpartition("/")
            while folder:
                parent, _, name = folder.rpartition("/")
                self._below.setdefault(parent, {})[name] = None
                folder = parent

    def size(self, key: str) -> int | None:
        """Return how large an object is."""
        return self._sizes.get(key)

    def names(self, prefix: str) -> list[str]:
        """List what is directly below a prefix that has something below it itself."""
        return list(self._below.get(prefix, ()))

    def below(self, prefix: str) -> Iterator[tuple[str, int]]:
        """Yield the objects below a prefix."""
        yield from ((key, size) for key, size in self._sizes.items() if key.startswith(f"{prefix}/"))


class Zip(Listed):
    """A store in a zip archive, at its root or in the one folder of it; members are stored as they are, or packed."""

    def __init__(self, path: Path) -> None:
        with ExitStack() as stack:  # closed where it cannot be used
            self._archive = stack.enter_context(zipfile.ZipFile(path))
            members = {info.filename: info for info in self._archive.infolist() if not info.is_dir()}
            for info in members.values():
                _refuse_bomb(path, info)
            prefix = _prefix(list(members))
            own = {name.removeprefix(prefix): info for name, info in members.items() if name.startswith(prefix)}
            self._members = own
            super().__init__(path, {key: info.file_size for key, info in own.items()})
            self._file = stack.enter_context(path.open("rb", buffering=0))
            stack.pop_all()
        self._starts: dict[str, int] = {}

    def read(self, key: str, start: int = 0, length: int | None = None) -> bytes:
        """Read an object, or a part of it.

        Raises
        ------
        FileNotFoundError
            There is no such object.
        """
        info = self._members.get(key)
        if info is None:
            raise FileNotFoundError(f"'{key}' is missing")
        stop = info.file_size if length is None else min(start + length, info.file_size)
        if info.compress_type != zipfile.ZIP_STORED or not hasattr(os, "pread"):
            return self._archive.read(info)[start:stop]
        return os.pread(self._file.fileno(), stop - start, self._start(info) + start)

    def _start(self, info: zipfile.ZipInfo) -> int:
        if info.filename not in self._starts:
            head = os.pread(self._file.fileno(), LOCAL_HEAD.size, info.header_offset)
            if not head.startswith(ZIP):
                raise zipfile.BadZipFile(f"'{info.filename}' has no head")
            self._starts[info.filename] = info.header_offset + len(head) + sum(LOCAL_HEAD.unpack(head))
        return self._starts[info.filename]

    def close(self) -> None:
        """Close the archive."""
        self._archive.close()
        self._file.close()


def _prefix(names: list[str]) -> str:
    """Return the folder of an archive that everything is in, where its root is no store."""
    first = {name.partition("/")[0] for name in names}
    is_within = len(first) == 1 and not {"zarr.json", ".zgroup"} & first
    return f"{first.pop()}/" if is_within else ""


def _refuse_bomb(path: Path, info: zipfile.ZipInfo) -> None:
    if info.file_size > BOMB_BYTES and info.file_size > BOMB_RATIO * info.compress_size:
        raise SourceFormatError(
            "a member of the archive claims far more than is stored of it",
            where=f"{info.filename} of {path}",
            expected=f"at most {BOMB_RATIO} bytes for each one stored",
            got=f"{info.file_size:,} bytes out of {info.compress_size:,}",
            do="fetch the file again and compare its size and checksum with the publisher's",
        )
