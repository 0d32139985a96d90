"""Builds and proves a release, to the step before publishing it: `make release`.

Everything lies in `dist/` at the end. With `--rehearse`, what the version, the changelog, the tag
and the work tree lack is said, and ends nothing.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.release import bill, building, checking, sdist, smoke, without_installing
from tests.release.interpreters import interpreters
from tests.release.paths import DIST, ROOT, VERSION
from tests.support.processes import finished

_BEGAN = time.monotonic()


def main(words: list[str] | None = None) -> int:
    """Run all steps; 1 where the version is not ready to be released."""
    parser = argparse.ArgumentParser(prog="make release", description=__doc__)
    parser.add_argument("--rehearse", action="store_true", help="go on where it is not ready")
    rehearse = parser.parse_args(words).rehearse
    _step(f"mixrelay {VERSION}: version, changelog, tag")
    found = checking.faults(
        VERSION,
        (ROOT / "CHANGELOG.md").read_text(),
        tags=checking.tags_here(),
        is_clean=checking.is_clean(),
    )
    print("\n".join(f"not ready: {fault}" for fault in found) or "ready")
    if found and not rehearse:
        return 1
    with tempfile.TemporaryDirectory(prefix="release-") as folder:
        _build_and_prove(Path(folder))
    _step("in dist/")
    for path in sorted(DIST.iterdir()):
        print(f"{path.stat().st_size:>10,}  {path.name}")
    return 0


def _build_and_prove(folder: Path) -> None:
    _step("wheel and sdist, built twice")
    wheel, sdist_file = building.built(folder)
    finished(
        [sys.executable, "-m", "twine", "check", "--strict", str(wheel), str(sdist_file)],
        check=True,
    )
    version, python = next(reversed(interpreters().items()))
    _step(f"what mixrelay[all] installs on Python {version}: bill of materials, licences")
    installed = smoke.environment(python, folder / "bill")
    smoke.install(installed, f"mixrelay[all] @ {wheel.as_uri()}")
    packages = bill.licences(installed)
    made = [bill.write_licences(packages), bill.write_bill(installed)]
    print(f"{len(packages)} packages, each with a licence")
    _step("an empty environment of each Python")
    said = smoke.smoke(wheel, folder)
    _step("without installing")
    without_installing.tried(wheel, folder)
    _step("the sdist's own tests")
    sdist.tested(sdist_file, python, folder)
    building.write_sums([wheel, sdist_file, *made])
    print(f"used on Python {', '.join(said)}")


def _step(name: str) -> None:
    print(f"\n== {name} ({time.monotonic() - _BEGAN:.0f} s)", flush=True)


if __name__ == "__main__":
    sys.exit(main())
