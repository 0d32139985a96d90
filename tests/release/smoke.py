"""Installs the built wheel into an empty environment of each Python and uses it."""

import os
import shutil
from pathlib import Path

from tests.release.interpreters import interpreters
from tests.support.processes import finished

_INSTALL_SECONDS = 600
_USE_SECONDS = 600
PROGRAM = Path(__file__).with_name("smoke_program.py")
BASE = """
import importlib.util, sys
from mixrelay import Tracker
sent = []
assert Tracker("t", sink=lambda *one: sent.append(one)).track("user", "Event")
assert len(sent) == 1
assert importlib.util.find_spec("rq") is None, "the base is the producer alone"
print(f"base: {len(sent)} event to a sink, without rq")
"""
_KEPT = ("PATH", "HOME", "LANG", "TMPDIR", "PIP_CERT", "PIP_FIND_LINKS", "SSL_CERT_FILE")


def smoke(wheel: Path, folder: Path) -> dict[str, list[str]]:
    """Use `wheel` with each interpreter that is there; return what each printed, by version.

    Raises:
        AssertionError: a step failed, with its output.
    """
    said = {}
    for version, python in interpreters().items():
        place = folder / f"smoke-{version}"
        place.mkdir()
        said[version] = _used(wheel, python, place)
        for line in said[version]:
            print(f"{version}: {line}", flush=True)
        shutil.rmtree(place)
    return said


def environment(python: Path, place: Path) -> Path:
    """Make an empty environment; return its interpreter."""
    _run([str(python), "-m", "venv", str(place)], place.parent, _INSTALL_SECONDS)
    return place / "bin" / "python"


def install(python: Path, *what: str) -> None:
    """Install with that interpreter's pip, as a user does."""
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    _run([*pip, *what], python.parent, _INSTALL_SECONDS)


def _used(wheel: Path, python: Path, place: Path) -> list[str]:
    installed = environment(python, place / "env")
    install(installed, str(wheel))
    base = _run([str(installed), "-I", "-c", BASE], place, _USE_SECONDS)
    install(installed, f"mixrelay[all] @ {wheel.as_uri()}")
    _run([str(installed), "-m", "pip", "check"], place, _USE_SECONDS)
    program = shutil.copy(PROGRAM, place)
    whole = _run([str(installed), "-I", "-W", "error", str(program)], place, _USE_SECONDS)
    return [line for line in (base + whole).splitlines() if ": " in line]


def _run(command: list[str], place: Path, seconds: int) -> str:
    """What it printed; the environment is bare, so that nothing of the checkout is found."""
    env = {name: os.environ[name] for name in _KEPT if name in os.environ}
    done = finished(
        command, cwd=place, env=env, capture_output=True, text=True, check=True, timeout=seconds
    )
    return str(done.stdout)
