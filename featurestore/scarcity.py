"""Want of memory, threads or open files: told as such, whatever a library calls it, and never as damage of a file.

So is an interruption: what other libraries call either is known here alone.
"""

from __future__ import annotations

import resource
from contextlib import suppress

from featurestore.errors import FeatureStoreError

LEAST_ADDRESS_SPACE = 1536 * 2**20
"""Below it no command loads: each library it is made of fails, or waits for ever, in words of its own. Unit: bytes."""
AMPLE_ADDRESS_SPACE = 4 * 2**30
"""What no command takes on a few cores: each thread of each library reserves some. Unit: bytes."""
LEAST_OPEN_FILES = 64
"""Below it some command on some small warehouse fails, in words of the library that got no file, or is ended by it."""
_MOST_ARENAS = -8
"""Of ``malloc.h``: how many heaps there are. Each reserves 64 MB, and there may be eight a core."""
_MEMORY = ("There is not enough memory.", "ask for less, or raise the limit (--memory, or ulimit -v)")
_THREADS = ("No thread could be started.", "give it more memory, or raise the limit of processes (ulimit -u)")
_RAISE_FILES = "raise the limit of open files: ulimit -n 1024"
_FILES = ("Too many files are open.", _RAISE_FILES)
_POLARS = ("Polars could not go on.", "give it more memory, or raise the limit of processes (ulimit -u)")
SIGNS = (
    ("MemoryError", "", _MEMORY),  # of Python, NumPy and Arrow
    ("OutOfMemoryException", "", _MEMORY),  # of DuckDB
    ("ImportError", "failed to map segment", _MEMORY),  # the loader of shared libraries
    ("ImportError", "cannot allocate memory", _MEMORY),  # the same, of what threads keep
    ("Exception", "Cannot allocate memory", _MEMORY),  # the system
    ("Exception", "bad_alloc", _MEMORY),  # C++
    ("Exception", "start new thread", _THREADS),  # Python
    ("Exception", "launch worker thread", _THREADS),  # Arrow
    ("Exception", "Resource temporarily unavailable", _THREADS),  # the system
    ("Exception", "Too many open files", _FILES),  # the system
    ("PanicException", "", _POLARS),
)
"""A class of the exception, by name, as most of these libraries are not loaded; words; what is wanting, with a way."""
INTERRUPTED = (
    ("KeyboardInterrupt", ""),
    ("RuntimeError", "Query interrupted"),  # of DuckDB
)
"""A class of the exception, and words, of what was interrupted."""


def scarcity(error: BaseException) -> FeatureStoreError | None:
    """Say of what lacks memory, threads or open files; nothing of all else, and of what is told already."""
    if isinstance(error, FeatureStoreError):
        return None
    for name, words, (what, do) in SIGNS:
        if _is_told(error, name, words):
            got = " ".join(str(error).split())
            return FeatureStoreError(what, got=got if got != words else "", do=do)
    return None


def is_interrupted(error: BaseException | None) -> bool:
    """Say whether an error is what came of an interruption: by itself, or by what it came of."""
    while error is not None:
        if any(_is_told(error, name, words) for name, words in INTERRUPTED):
            return True
        error = error.__cause__ or error.__context__
    return False


def _is_told(error: BaseException, name: str, words: str) -> bool:
    return words in str(error) and any(each.__name__ == name for each in type(error).__mro__)


def heed_scarcity(error: BaseException) -> None:
    """Let what would be told as damage be so only where nothing was wanting to read it.

    Raises
    ------
    FeatureStoreError
        Memory, threads or open files were.
    """
    if told := scarcity(error):
        raise told from error


def require_open_files() -> None:
    """Refuse to load a command that will find no file to open.

    Raises
    ------
    FeatureStoreError
        Fewer may be open than any command takes.
    """
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if limit != resource.RLIM_INFINITY and limit < LEAST_OPEN_FILES:
        raise FeatureStoreError(
            "Too few files may be open at once.",
            expected=f"at least {LEAST_OPEN_FILES}, and more for many datasets",
            got=f"{limit} (ulimit -n)",
            do=_RAISE_FILES,
        )


def require_address_space() -> str:
    """Return what to say before a command is loaded: nothing where its address space is ample.

    Where it is not, all threads share one heap: heaps of their own would take most of it.

    Raises
    ------
    FeatureStoreError
        It is limited to so little that nothing can be loaded.
    """
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if limit == resource.RLIM_INFINITY or limit >= AMPLE_ADDRESS_SPACE:
        return ""
    got = f"{limit / 2**30:.2g} GB of address space (ulimit -v)"
    if limit < LEAST_ADDRESS_SPACE:
        raise FeatureStoreError(
            "There is not enough memory to load a command.",
            expected=f"{AMPLE_ADDRESS_SPACE // 2**30} GB of address space, more on many cores",
            got=got,
            do=f"ulimit -v {AMPLE_ADDRESS_SPACE // 2**10}, or unlimited; memory itself is limited by --memory",
        )
    _share_heap()
    return f"Note: {got} may be too little: a library that finds none can end a command without a word."


def _share_heap() -> None:
    import ctypes  # noqa: PLC0415, where address space is scarce

    with suppress(AttributeError):  # of a C library that has no such heaps
        ctypes.CDLL(None).mallopt(_MOST_ARENAS, 1)
