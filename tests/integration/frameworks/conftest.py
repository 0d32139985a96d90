import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mixrelay.sandbox import Sandbox
from tests.support.fleet import Fleet
from tests.support.processes import Process

TOKEN = "example-token"


@pytest.fixture
def fleet(redis_url: str, mixpanel: Sandbox, tmp_path: Path) -> Iterator[Fleet]:
    made = Fleet(redis_url, mixpanel.url, tmp_path, MIXPANEL_TOKEN=TOKEN, MIXRELAY_LINGER="0.05")
    yield made
    made.close()


class Command:
    """A command as a user starts it, with all that it starts."""

    def __init__(self, command: list[str], environment: dict[str, str], log: Path) -> None:
        self._log = log
        with log.open("wb") as output:
            self.process = Process(
                command,
                env=os.environ | environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def end(self) -> None:
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(15)
        finally:
            self.process.end()


@pytest.fixture
def start(redis_url: str, tmp_path: Path) -> Iterator[Callable[..., Command]]:
    started: list[Command] = []

    def start_one(command: list[str], **environment: str) -> Command:
        own = {
            "MIXRELAY_REDIS_URL": redis_url,
            "CELERY_BROKER_URL": f"{redis_url}/1",
            "MIXPANEL_TOKEN": TOKEN,
            "PYTHONWARNINGS": "default",
        }
        log = tmp_path / f"command-{len(started)}.log"
        started.append(Command(command, own | environment, log))
        return started[-1]

    yield start_one
    for one in started:
        one.end()
