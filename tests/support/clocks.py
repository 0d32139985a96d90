"""The clock of a host, or of a Redis, which can be set while its processes run."""

import os
import shutil
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.processes import finished
from tests.support.redis_servers import RedisServer

_SOURCE = Path(__file__).parents[1] / "data" / "clock" / "wrong_clock.c"
_COMPILER = shutil.which("cc") or shutil.which("gcc")


class Clock:
    """The clock of one host, which can be set while its processes run."""

    def __init__(self, library: Path, file: Path, ahead: int) -> None:
        self._library, self._file = library, file
        file.write_bytes(bytes(8))
        self.set(ahead)

    def set(self, ahead: int) -> None:
        """So many seconds before the true time."""
        with self._file.open("r+b") as file:  # in place: it is mapped
            file.write(struct.pack("=q", ahead))

    @property
    def environment(self) -> dict[str, str]:
        return {"LD_PRELOAD": str(self._library), "WRONG_CLOCK": str(self._file)}


def library(folder: Path) -> Path:
    """Builds what is loaded before a program; skips the test where that cannot be."""
    if not _COMPILER or not sys.platform.startswith("linux"):
        pytest.skip("no clock was set: that takes Linux and a C compiler (apt-get install gcc)")
    built = folder / "wrong_clock.so"
    command = [_COMPILER, "-shared", "-fPIC", "-O1", "-o", str(built), str(_SOURCE)]
    finished(command, check=True, timeout=60)
    return built


@contextmanager
def redis_with(clock: Clock) -> Iterator[RedisServer]:
    """A server that goes by a clock."""
    before = {name: os.environ.get(name) for name in clock.environment}
    os.environ.update(clock.environment)
    try:
        server = RedisServer()
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
    try:
        yield server
    finally:
        server.close()
