"""The entry point: what stays importable when the console's own packages are not installed."""

import os
import signal
import sys
from types import FrameType

from mixrelay.console.exits import ExitCode
from mixrelay.console.first_process import leave_first_place

_NEEDED = ("typer", "rich", "rq", "starlette", "uvicorn")


def main() -> None:
    """Runs the command line and exits with its code."""
    leave_first_place()
    if sys.argv[1:2] == ["worker"]:
        # A deploy may stop a worker that is not up yet; its own handler replaces this one.
        signal.signal(signal.SIGTERM, _leave)
    try:
        from mixrelay.console.app import run  # noqa: PLC0415 - it needs what may be missing
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _NEEDED:
            raise
        sys.stderr.write(
            f"mixrelay: the command line needs {error.name!r}, which is not installed.\n"
            "Install it: pip install 'mixrelay[console]'\n"
        )
        sys.exit(ExitCode.MISSING)
    sys.exit(run())


def _leave(_signum: int, _frame: FrameType | None) -> None:
    # At once: an exception in the middle of an import may be caught by whoever tries it.
    os._exit(ExitCode.OK)
