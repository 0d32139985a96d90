"""Builds the wheel and the sdist twice, and compares them byte by byte."""

import hashlib
import os
import shutil
import sys
import tarfile
from pathlib import Path

from tests.release.checking import commit_time
from tests.release.paths import DIST, ROOT, VERSION
from tests.support.processes import finished

_SECONDS = 300


class NotReproducible(Exception):
    """Two builds of one commit differ."""


def built(folder: Path) -> tuple[Path, Path]:
    """Build the commit twice, from two copies; return the wheel and the sdist, now in `dist/`.

    The second wheel is built from the first sdist, as a distribution does that starts from it.

    Raises:
        NotReproducible: a file of the second build has another hash.
    """
    first = _build(_copy_of_commit(folder / "first"), folder / "out-first", "--sdist", "--wheel")
    sdist_twice = _build(_copy_of_commit(folder / "second"), folder / "out-second", "--sdist")
    unpacked = folder / "unpacked"
    with tarfile.open(first["sdist"]) as archive:
        archive.extractall(unpacked, filter="data")
    wheel_twice = _build(unpacked / f"mixrelay-{VERSION}", folder / "out-third", "--wheel")
    for kind, path in first.items():
        again = (sdist_twice | wheel_twice)[kind]
        if digest(path) != digest(again):
            raise NotReproducible(
                f"{path.name}: sha256 {digest(path)}, and {digest(again)} the second time"
            )
        print(f"{path.name}: twice sha256 {digest(path)}, {path.stat().st_size:,} bytes")
    shutil.rmtree(DIST, ignore_errors=True)
    DIST.mkdir()
    wheel, sdist = (Path(shutil.copy(first[kind], DIST)) for kind in ("wheel", "sdist"))
    return wheel, sdist


def digest(path: Path) -> str:
    """The SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write_sums(paths: list[Path]) -> Path:
    """Write `SHA256SUMS`, which `sha256sum --check` reads."""
    sums = DIST / "SHA256SUMS"
    sums.write_text("".join(f"{digest(path)}  {path.name}\n" for path in sorted(paths)))
    return sums


def _copy_of_commit(folder: Path) -> Path:
    """The files of the commit alone, whatever else lies in the work tree."""
    folder.mkdir()
    archive = folder.with_suffix(".tar")
    finished(
        ["git", "archive", "--output", str(archive), "HEAD"], cwd=ROOT, check=True, timeout=_SECONDS
    )
    with tarfile.open(archive) as files:
        files.extractall(folder, filter="data")
    return folder


def _build(source: Path, out: Path, *kinds: str) -> dict[str, Path]:
    command = [sys.executable, "-m", "build", *kinds, "--outdir", str(out), str(source)]
    env = os.environ | {"SOURCE_DATE_EPOCH": str(commit_time())}
    finished(command, env=env, check=True, capture_output=True, timeout=_SECONDS)
    made = {"wheel": list(out.glob("*.whl")), "sdist": list(out.glob("*.tar.gz"))}
    return {kind: paths[0] for kind, paths in made.items() if paths}
