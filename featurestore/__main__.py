"""The command ``featurestore``, which ``python -m featurestore`` runs too."""

from __future__ import annotations

import gc
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType

OBJECTS_BETWEEN_COLLECTIONS = 100_000
"""New objects after which those that hold each other are looked for: imports make many more than 700, and all stay."""


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Interrupt what is done; a module that is being loaded, which cannot be left half, ends the process at once.

    Of one written in C++ an exception would be the end too, in many words of its own.
    """
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            import signal  # noqa: PLC0415, loaded by then

            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        frame = frame.f_back
    raise KeyboardInterrupt


def process() -> None:
    """Run the command line; Ctrl-C while that is being loaded ends the process at once, without a traceback."""
    try:
        gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS)
        import signal  # noqa: PLC0415, after it may be interrupted

        is_heard = signal.getsignal(signal.SIGINT) is signal.default_int_handler
        if is_heard:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
        from featurestore.cli import process as run  # noqa: PLC0415, the same

        if is_heard:
            signal.signal(signal.SIGINT, _interrupt)
        run()
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        sys.exit(130)


if __name__ == "__main__":
    process()
