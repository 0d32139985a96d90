"""`mixrelay demo`: the whole of it with real parts, and nothing left behind."""

import re
import signal
import subprocess
import urllib.request
from pathlib import Path

import pytest

from mixrelay.console.exits import ExitCode
from tests.support.command import COMMAND, environment
from tests.support.fleet import wait_until
from tests.support.patience import within
from tests.support.processes import Process, finished

DEMO = [COMMAND, "demo"]
MOST_SECONDS = 60


def left_behind(temporary: Path) -> list[str]:
    """Processes of the demo, which all name its folder or hang below it, and folders."""
    named = str(temporary).encode()
    found = [str(path) for path in temporary.iterdir()]
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                told = (process / "environ").read_bytes() + (process / "cmdline").read_bytes()
            except OSError:
                continue
            if named in told:
                found.append(f"{process.name}: {told[-200:]!r}")
    return found


@pytest.mark.timeout(150)
def test_the_demo_ends_well_within_a_minute_and_leaves_nothing(tmp_path: Path) -> None:
    with within(MOST_SECONDS):
        ended = finished(
            DEMO, env=environment(TMPDIR=str(tmp_path)), capture_output=True, timeout=140
        )
    told = ended.stdout.decode()
    assert ended.returncode == 0, told + ended.stderr.decode()
    assert "All of it holds" in told
    assert not re.search(r"^ +NO ", told, re.MULTILINE)
    assert "\x1b" not in told
    assert left_behind(tmp_path) == []


@pytest.mark.parametrize(
    ("signum", "code"), [(signal.SIGINT, ExitCode.INTERRUPTED), (signal.SIGTERM, 128 + 15)]
)
def test_a_demo_that_is_interrupted_leaves_nothing(
    tmp_path: Path, signum: signal.Signals, code: int
) -> None:
    with Process(DEMO, env=environment(TMPDIR=str(tmp_path)), stdout=subprocess.PIPE) as demo:
        assert demo.stdout
        for line in demo.stdout:
            if line.startswith(b"3."):
                break
        demo.send_signal(signum)
        demo.stdout.read()
        assert demo.wait(40) == code
    wait_until(lambda: left_behind(tmp_path) == [], 10, "nothing is left")


@pytest.mark.timeout(240)
def test_a_demo_can_be_watched_on_the_dashboard_and_runs_on_until_ctrl_c(tmp_path: Path) -> None:
    """Its address is told before the story begins, and the page shows what happens."""
    with Process(
        [*DEMO, "--keep"],
        env=environment(TMPDIR=str(tmp_path)),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    ) as demo:
        assert demo.stdout
        told = told_until(demo, b"Watch all of it")
        address = re.findall(rb"(http\S+)", told)[-1].decode()
        seen: list[str] = []

        def shows(*words: str) -> bool:
            with urllib.request.urlopen(address, timeout=10) as answer:
                seen.append(answer.read().decode())
            return all(word in seen[-1] for word in words)

        wait_until(lambda: shows("Delivered per second", "demo"), 20, "the page answers")
        outage = ("paused-heading", "service temporarily unavailable", "Nothing is lost")
        wait_until(lambda: shows(*outage), 40, "the page shows the outage")
        assert "All is well" not in seen[-1]
        wait_until(lambda: not shows("paused-heading"), 40, "and its end")

        told = told_until(demo, b"--watch")
        assert b"All of it holds" in told
        found = re.search(rb"curl -X POST (http\S+)", told)
        assert found
        request = urllib.request.Request(found[1].decode(), method="POST")
        with urllib.request.urlopen(request, timeout=10) as answer:
            assert b"queued" in answer.read()
        demo.send_signal(signal.SIGINT)
        demo.stdout.read()
        assert demo.wait(40) == ExitCode.OK
    assert left_behind(tmp_path) == []


def told_until(demo: Process, words: bytes) -> bytes:
    told = b""
    while words not in told:
        line = demo.stdout.readline()
        assert line, told.decode()
        told += line
    return told
