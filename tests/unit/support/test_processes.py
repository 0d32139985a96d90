"""What the tests themselves start: it hears Ctrl-C, and nothing of it outlives its wait."""

import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.support.fleet import alive, wait_until
from tests.support.processes import Process, finished

SLEEP = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)"]


@pytest.fixture
def sigint_ignored() -> Iterator[None]:
    """As in `nohup make test &`."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("sigint_ignored")
def test_a_child_hears_ctrl_c_where_its_parent_ignores_it() -> None:
    with Process(SLEEP, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as child:
        child.stdout.readline()
        child.send_signal(signal.SIGINT)
        assert child.wait(20) == -signal.SIGINT
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_a_failed_test_leaves_no_child_and_shows_what_it_said(
    capsys: pytest.CaptureFixture[str],
) -> None:
    pids: list[int] = []

    def fail() -> None:
        command = ["sh", "-c", "sleep 60 & echo $! >&2; echo out; wait"]
        with Process(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
            pids.append(int(child.stderr.readline()))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    wait_until(lambda: not alive(pids[0]), 5, "the grandchild's end")
    wait_until(lambda: "out" in capsys.readouterr().out, 1, "what it said")


def test_a_grandchild_that_holds_the_output_open_holds_up_nobody() -> None:
    with pytest.raises(subprocess.TimeoutExpired) as raised:
        finished(["sh", "-c", "sleep 60 & echo $!"], capture_output=True, timeout=0.3)
    grandchild = int(raised.value.output)
    wait_until(lambda: not alive(grandchild), 5, "its end")
