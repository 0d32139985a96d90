"""The control beside measured calls tells a machine that is busy from a call that waits."""

import signal
import subprocess
import sys
import time

from tests.support.processes import Process
from tests.support.webload import ROOT

PROGRAM = """
import sys, time
from tests.chaos.hosts.ticking import Ticks
ticks = Ticks()
ticks.behind()
before, began = ticks.behind(), time.monotonic()
{what}
print(time.monotonic() - began, ticks.behind() - before)
"""
STOPPED = 2.0


def measured(what: str, *, stopped: bool) -> tuple[float, float]:
    with Process(
        [sys.executable, "-c", PROGRAM.format(what=what)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as program:
        if stopped:
            assert program.stdout.readline() == "here\n"
            program.send_signal(signal.SIGSTOP)
            time.sleep(STOPPED)
            program.send_signal(signal.SIGCONT)
        told, _ = program.communicate("\n")
    took, behind = map(float, told.split())
    return took, behind


def test_a_call_that_waits_is_not_excused():
    took, behind = measured(f"time.sleep({STOPPED})", stopped=False)
    assert took >= STOPPED
    assert took - behind > 1.1


def test_a_process_that_does_not_run_is_excused():
    took, behind = measured("print('here', flush=True); sys.stdin.readline()", stopped=True)
    assert took >= STOPPED
    assert behind >= STOPPED - 0.1
