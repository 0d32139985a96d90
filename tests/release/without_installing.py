"""Runs the built wheel's demo by `uvx` and its command by `pipx run`, which install nothing."""

import os
import sys
from pathlib import Path

from tests.support.processes import finished

_SECONDS = 600


def tried(wheel: Path, folder: Path) -> None:
    """Run both; say the last line of each.

    Raises:
        AssertionError: one of them ended with an error.
    """
    tools = Path(sys.executable).parent
    what = f"mixrelay[all] @ {wheel.as_uri()}"
    ways = {
        "uvx": [str(tools / "uvx"), "--from", what, "mixrelay", "demo"],
        "pipx run": [str(tools / "pipx"), "run", "--spec", what, "mixrelay", "demo"],
    }
    env = os.environ | {
        "UV_TOOL_DIR": str(folder / "uv-tools"),
        "PIPX_HOME": str(folder / "pipx"),
        "PYTHONPATH": "",
    }
    for name, command in ways.items():
        done = finished(
            command,
            cwd=folder,
            env=env,
            capture_output=True,
            text=True,
            check=True,
            timeout=_SECONDS,
        )
        last = done.stdout.strip().rpartition("\n")[2]
        print(f"{name} … mixrelay demo: {last}", flush=True)
