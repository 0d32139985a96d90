"""Former versions of mixrelay, as their wheels hold them (tests/data/former/README.md)."""

import sys
import tarfile
from pathlib import Path

from tests.support.processes import finished

FOLDER = Path(__file__).parents[1] / "data" / "former"
PROGRAM = """
import sys
from mixrelay import Tracker
first, count = map(int, sys.argv[1:])
tracker = Tracker("00112233445566778899aabbccddeeff")
for number in range(first, first + count):
    user = f"user-{number % 97}"
    if number % 3:
        assert tracker.track(user, "Tracked", {"n": number})
    else:
        assert tracker.people.set(user, {"n": number})
tracker.close()
import mixrelay
print(mixrelay.__file__)
"""
"""Pushes numbered events and profile updates; says which mixrelay it was."""


def unpacked(name: str, folder: Path) -> dict[str, str]:
    """Unpack a former version; return the environment in which its code is imported first."""
    place = folder / name
    with tarfile.open(FOLDER / f"{name}.tar.xz") as archive:
        archive.extractall(place, filter="data")
    return {"PYTHONPATH": str(place)}


def produced(first: int, count: int, environment: dict[str, str], folder: Path) -> None:
    """Push `count` numbered messages with the version that the environment names."""
    command = [sys.executable, "-c", PROGRAM, str(first), str(count)]
    done = finished(
        command, env=environment, cwd=folder, capture_output=True, text=True, check=True
    )
    assert environment.get("PYTHONPATH", "producer/mixrelay") in done.stdout, done.stdout
