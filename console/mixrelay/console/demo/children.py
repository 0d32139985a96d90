"""Real processes that a demo starts, and that never outlive it."""

import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from mixrelay.console.failures import CommandError

_LOG_LINES = 15


@dataclass(slots=True)
class Child:
    """One process with its own process group and log."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def pid(self) -> int:
        return self.process.pid

    def terminate(self) -> None:
        with suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGTERM)

    def wait(self, seconds: float) -> int | None:
        """Its exit code; None where it is still there after so many seconds."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def destroy(self) -> None:
        """Ends what is left of it."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self.process.wait(5)

    def failed(self, why: str) -> CommandError:
        lines = self.log.read_text(errors="replace").splitlines()[-_LOG_LINES:]
        return CommandError(f"{self.name} {why}. Its log ends:\n" + "\n".join(lines))


class Children:
    """Starts processes and ends them all, the last one first, whatever happens."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._all: list[Child] = []

    def start(self, name: str, module: str, *arguments: str, env: Mapping[str, str]) -> Child:
        """Starts `python -m module`; its output goes to a file of the folder.

        A group of its own keeps the terminal's Ctrl-C from it: the demo decides the order.
        """
        log = self._folder / f"{name.replace(' ', '-')}.log"
        # A signal between the start and the note of it would leave the child to itself.
        with log.open("ab") as output, _signals_later():
            process = subprocess.Popen(  # noqa: S603 - our own modules, no shell
                [sys.executable, "-m", module, *arguments],
                env={**_environment(), **env},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            child = Child(name, process, log)
            self._all.append(child)
        return child

    def close(self, seconds: float) -> None:
        """Asks each to end, and ends what has not after so many seconds."""
        for child in reversed(self._all):
            child.terminate()
            child.wait(seconds)
            child.destroy()
        self._all.clear()


@contextmanager
def _signals_later() -> Iterator[None]:
    """Keeps SIGINT and SIGTERM until the block is over. Main thread only."""
    kept: list[int] = []
    before = {
        number: signal.signal(number, lambda signum, _: kept.append(signum))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if kept:
            signal.raise_signal(kept[0])


def _environment() -> dict[str, str]:
    """This one's without what the operator has set: the demo touches no real queue or project."""
    ours = ("MIXRELAY_", "MIXPANEL_")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}


def wait_for_port(child: Child, port: int, seconds: float) -> None:
    """Until the child takes connections.

    Raises:
        CommandError: it ended, or does not within so many seconds.
    """
    deadline = time.monotonic() + seconds
    while True:
        if child.process.poll() is not None:
            raise child.failed(f"ended at its start with exit code {child.process.returncode}")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if time.monotonic() > deadline:
                raise child.failed(f"does not answer after {seconds:.0f} s") from None
            time.sleep(0.05)
        else:
            return


def free_ports(count: int) -> list[int]:
    """Ports that nothing listens on now.

    They lie below those that a system gives to outgoing connections (Linux from 32768, macOS from
    49152 on), one of which a client could take before the server that is told of it has started.
    """
    found: list[int] = []
    candidates = range(30_000, 32_000)
    for port in random.sample(candidates, len(candidates)):
        with suppress(OSError):
            socket.create_server(("127.0.0.1", port)).close()
            found.append(port)
        if len(found) == count:
            return found
    raise CommandError("No port is free between 30000 and 32000.", "End what listens on them.")
