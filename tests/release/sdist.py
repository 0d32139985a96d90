"""Runs the tests that the sdist carries, in an environment that it is installed into."""

import tarfile
from pathlib import Path

from tests.release.paths import VERSION
from tests.release.smoke import environment, install
from tests.support.processes import finished

_SECONDS = 1200
SUITES = ("tests/unit", "tests/acceptance/test_quickstart.py")


def tested(sdist: Path, python: Path, folder: Path) -> None:
    """Unpack `sdist`, install it with its extra `dev`, run its unit tests and its quickstart.

    Raises:
        AssertionError: a test failed.
    """
    with tarfile.open(sdist) as archive:
        archive.extractall(folder / "sdist", filter="data")
    source = folder / "sdist" / f"mixrelay-{VERSION}"
    installed = environment(python, folder / "sdist-env")
    install(installed, "--editable", f"{source}[dev]")
    tests = [str(installed), "-m", "pytest", "-q", "-n", "2", "-p", "no:cacheprovider", *SUITES]
    finished(tests, cwd=source, check=True, timeout=_SECONDS)
