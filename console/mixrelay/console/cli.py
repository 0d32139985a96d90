"""The entry point: what stays importable when the console's own packages are not installed."""

import sys

from mixrelay.console.exits import ExitCode

_NEEDED = ("typer", "rich", "rq", "starlette", "uvicorn")


def main() -> None:
    """Runs the command line and exits with its code."""
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
