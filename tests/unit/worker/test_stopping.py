"""A work-horse never outlives its worker for long, whatever it hangs in."""

import subprocess
import sys

from tests.support.fleet import alive, wait_until
from tests.support.processes import Process

HANGS = """
import os, signal, sys, time
from mixrelay.worker.base.signals import Stop, end_with_parent

parent = os.getpid()
child = os.fork()
if child == 0:
    if sys.argv[1] == "listening":
        Stop(parent).install(grace=0)
    else:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        end_with_parent(parent, signal.SIGKILL)
    os.write(1, f"{os.getpid()}\\n".encode())
    while True:
        time.sleep(60)
os.set_blocking(0, True)
os.read(0, 1)
os._exit(0)
"""


def orphan(state: str) -> int:
    """A horse that hangs, whose parent has ended."""
    with Process(
        [sys.executable, "-c", HANGS, state],
        alone=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as parent:
        assert parent.stdout
        assert parent.stdin
        pid = int(parent.stdout.readline())
        assert alive(pid)
        parent.stdin.write(b"x")
        parent.stdin.flush()
        parent.wait(10)
        parent.stdout.close()
    return pid


def test_a_horse_that_hangs_ends_itself_after_the_grace_once_its_parent_is_gone():
    pid = orphan("listening")
    wait_until(lambda: not alive(pid), 15, "the horse ends")


def test_a_horse_that_has_not_begun_dies_with_its_parent():
    pid = orphan("starting")
    wait_until(lambda: not alive(pid), 5, "the horse ends")
