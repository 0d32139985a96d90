"""As process 1 of a container a command ends on SIGTERM, and leaves no zombie behind."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.command import COMMAND, environment
from tests.support.processes import Process, finished

UNSHARE = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]


@pytest.fixture(autouse=True)
def _in_a_namespace_of_its_own() -> None:
    if shutil.which("unshare") is None:
        pytest.skip("no unshare here")
    tried = finished([*UNSHARE, "true"], capture_output=True, timeout=30, check=False)
    if tried.returncode:
        pytest.skip(f"no namespaces here: {tried.stderr!r}")


def child_of(pid: int) -> int | None:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(text[0]) if text else None


def test_watching_ends_on_sigterm(redis_url: str) -> None:
    with Process(
        [*UNSHARE, COMMAND, "status", "--watch"],
        env=environment(MIXRELAY_REDIS_URL=redis_url),
        stdout=subprocess.PIPE,
    ) as watching:
        assert watching.stdout is not None
        assert watching.stdout.readline()
        first = child_of(watching.pid)
        assert first is not None
        os.kill(first, signal.SIGTERM)
        assert watching.wait(timeout=30) == 128 + signal.SIGTERM


ORPHANS = """
import os, sys, time
from pathlib import Path
from mixrelay.console.first_process import leave_first_place
leave_first_place()
assert os.getpid() != 1
if os.fork() == 0:
    if os.fork() == 0:
        os._exit(0)
    os._exit(0)
os.wait()
def states():
    # One may end while they are listed.
    for one in os.listdir("/proc"):
        if one.isdigit():
            try:
                yield Path(f"/proc/{one}/stat").read_text().split()[2]
            except (FileNotFoundError, ProcessLookupError):
                pass
ends = time.monotonic() + 20
while time.monotonic() < ends:
    seen = list(states())
    if "Z" not in seen and len(seen) == 2:
        sys.exit(7)
    time.sleep(0.05)
sys.exit(1)
"""


def test_orphans_are_buried_and_the_exit_code_is_the_commands() -> None:
    ended = finished(
        [*UNSHARE, sys.executable, "-c", ORPHANS], capture_output=True, timeout=60, check=False
    )
    assert ended.returncode == 7, ended.stderr
