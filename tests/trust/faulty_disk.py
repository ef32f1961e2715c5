"""A disk that fails: at the k-th call that changes it, the process dies, or the call is refused."""

from __future__ import annotations

import builtins
import errno
import io
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

CHANGES = ("mkdir", "rename", "replace", "link", "unlink", "remove", "rmdir", "fsync", "write")
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
FREEING = ("unlink", "remove", "rmdir")


class Died(BaseException):
    """The process is dead: nothing it does from here on reaches the disk."""


class FaultyDisk:
    """Counts the calls that change the disk, and lets the k-th of them fail.

    Parameters
    ----------
    at
        Which call fails, counted from 1; none where it is 0.
    error
        With what the call is refused; where None, the process dies there: this call and all later ones do nothing.
    stays
        Whether later calls are refused too, but for those that free space: a full or read-only disk.
    """

    def __init__(self, at: int = 0, error: int | None = None, *, stays: bool = False) -> None:
        self.at, self.error, self.stays = at, error, stays
        self.n_calls = 0
        self.failed = ""

    def check(self, name: str) -> None:
        self.n_calls += 1
        if not self.at or self.n_calls < self.at:
            return
        if self.error is None:
            self.failed = self.failed or name
            raise Died
        if self.n_calls == self.at or (self.stays and name not in FREEING):
            self.failed = self.failed or name
            raise OSError(self.error, os.strerror(self.error))

    def _wrap(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def changing(*arguments: Any, **named: Any) -> Any:
            self.check(name)
            return call(*arguments, **named)

        return changing

    def _wrap_os_open(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def opening(path: Any, flags: int, *arguments: Any, **named: Any) -> Any:
            if flags & WRITING:
                self.check("open")
            return call(path, flags, *arguments, **named)

        return opening

    def _wrap_open(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def opening(file: Any, mode: str = "r", *arguments: Any, **named: Any) -> Any:
            if set(mode) & set("wax+"):
                self.check("open")
            return call(file, mode, *arguments, **named)

        return opening

    @contextmanager
    def inserted(self) -> Iterator[FaultyDisk]:
        """Put the disk under whatever is done in this block."""
        patches = [mock.patch.object(os, name, self._wrap(name, getattr(os, name))) for name in CHANGES]
        patches.append(mock.patch.object(os, "open", self._wrap_os_open(os.open)))
        patches += [mock.patch.object(module, "open", self._wrap_open(open)) for module in (io, builtins)]
        with ExitStack() as stack:
            for patch in patches:
                stack.enter_context(patch)
            yield self


FAULTS = {
    "killed": (None, False),
    "one I/O error": (errno.EIO, False),
    "disk full": (errno.ENOSPC, True),
    "disk turned read-only": (errno.EROFS, True),
}
