"""An environment with an older Celery, which wants an older redis-py than mixrelay's own has."""

import atexit
import os
import shutil
import sys
import tempfile
from functools import cache
from pathlib import Path

from tests.support.processes import finished
from tests.support.webload import ROOT

CELERY = ("celery[redis]>=5.4,<5.5", "kombu<5.5")
"""A kombu of its time: later ones refuse the redis-py that this Celery asks for."""
GIVEN = "MIXRELAY_TEST_CELERY_5_4"
"""The path of a Python that has both; without, `MIXRELAY_CHAOS=full` makes an environment."""
SECONDS = 300.0


class NoEnvironment(Exception):
    """Why there is none."""


@cache
def celery_5_4() -> Path:
    """Its Python; the environment lies in a temporary folder while this process lives.

    Raises:
        NoEnvironment: none is given, and none can be made.
    """
    given = os.environ.get(GIVEN)
    if given:
        return Path(given)
    if os.environ.get("MIXRELAY_CHAOS") != "full":
        raise NoEnvironment(f"{GIVEN} names no Python; MIXRELAY_CHAOS=full makes an environment")
    folder = Path(tempfile.mkdtemp(prefix="mixrelay-celery-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    python = folder / "bin" / "python"
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    for command in (
        [sys.executable, "-m", "venv", str(folder)],
        [*pip, *CELERY, "orjson", "requests"],
        [*pip, "--no-deps", "--editable", str(ROOT)],  # whatever redis-py mixrelay asks for
    ):
        done = finished(command, capture_output=True, timeout=SECONDS, text=True)
        if done.returncode:
            raise NoEnvironment(f"no environment could be made: {done.stderr.strip()[-200:]}")
    return python
