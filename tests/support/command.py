"""The command `mixrelay` as a user runs it, in a process of its own."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.support.processes import finished

COMMAND = Path(sys.executable).with_name("mixrelay")
SECONDS = 60


def environment(**variables: str) -> dict[str, str]:
    """This one's, without what a developer has set for mixrelay, and with a width."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("MIXRELAY_", "MIXPANEL_"))
    }
    return kept | {"COLUMNS": "100"} | variables


def mixrelay(
    *arguments: str,
    env: Mapping[str, str] | None = None,
    stdin: bytes = b"",
    expect: int | None = 0,
    **variables: str,
) -> subprocess.CompletedProcess[bytes]:
    """Runs the command to its end; fails the test when the exit code is not the expected one."""
    ended = finished(
        [COMMAND, *arguments],
        env=env or environment(**variables),
        input=stdin,
        capture_output=True,
        timeout=SECONDS,
        check=False,
    )
    shown = f"exit {ended.returncode}\n{ended.stdout.decode()}\n{ended.stderr.decode()}"
    assert expect is None or ended.returncode == expect, shown
    assert b"Traceback" not in ended.stderr, shown
    return ended
