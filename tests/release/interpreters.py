"""The Python interpreters of this machine: ``python -m tests.release.interpreters``."""

import os
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.release.paths import PYTHONS
from tests.support.processes import finished

FOLDERS = (
    "/usr/bin",
    "/usr/local/bin",
    "/opt/python/*/bin",
    "/opt/hostedtoolcache/Python/*/*/bin",
    "~/.pyenv/versions/*/bin",
    "~/.local/share/uv/python/*/bin",
    "~/.asdf/installs/python/*/bin",
)
CHOSEN = "MIXRELAY_PYTHONS"
"""Versions to use of those that are there, such as "3.11 3.13"; all of them where it is empty."""
_SECONDS = 30


def interpreters(folders: Iterable[Path] | None = None) -> dict[str, Path]:
    """One interpreter for each Python version that the package names, by version, oldest first.

    Looks into PATH and the folders where the usual installers put them. An interpreter that does
    not start, says another version than its name, or cannot make environments is passed over.
    """
    searched = list(_folders() if folders is None else folders)
    chosen = os.environ.get(CHOSEN, "").split() or PYTHONS
    found: dict[str, Path] = {}
    for version in (one for one in PYTHONS if one in chosen):
        candidates = (folder / f"python{version}" for folder in searched)
        usable = (_usable(path, version) for path in candidates if path.exists())
        if path := next(filter(None, usable), None):
            found[version] = path
    return found


def _folders() -> Iterator[Path]:
    environment = os.environ.get("VIRTUAL_ENV")
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        # An environment's interpreter would make environments that end with it.
        if folder and not (environment and folder.startswith(environment)):
            yield Path(folder)
    for pattern in FOLDERS:
        place = Path(pattern).expanduser()
        root = Path(place.anchor)
        yield from sorted(root.glob(str(place.relative_to(root))), reverse=True)


def _usable(path: Path, version: str) -> Path | None:
    """The interpreter itself, where `path` is a version manager's shim."""
    code = "import ensurepip, ssl, sys, venv; print('%d.%d' % sys.version_info[:2], sys.executable)"
    try:
        said = finished(
            [str(path), "-I", "-c", code], capture_output=True, text=True, timeout=_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    answered, _, executable = said.stdout.strip().partition(" ")
    return Path(executable) if said.returncode == 0 and answered == version else None


if __name__ == "__main__":
    for _version, _path in interpreters().items():
        print(f"{_version}\t{_path}")
