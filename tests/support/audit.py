"""Known vulnerabilities of what is installed: ``python -m tests.support.audit``.

pip-audit asks the registry about each package, and counts one that it could not ask about as
well. Here the three ends are told apart: found (exit 1), asked and nothing found, and not asked
(said loudly, exit 0, since a registry that is away is no fault of a change).
"""

import json
import subprocess
import sys
import sysconfig
import tempfile
import venv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

INSTALL_SECONDS = 300
ASK_SECONDS = 600
OWN = "mixrelay"


@dataclass(frozen=True, slots=True)
class Audit:
    """What came of it."""

    asked: int
    found: list[str]
    unasked: dict[str, str]
    """Packages that nobody could be asked about, with the reason."""

    @classmethod
    def of(cls, report: dict[str, Any]) -> "Audit":
        """Reads pip-audit's JSON."""
        packages = [one for one in report["dependencies"] if one["name"] != OWN]
        asked = [one for one in packages if "skip_reason" not in one]
        return cls(
            asked=len(asked),
            found=[_line(one, known) for one in asked for known in one.get("vulns", ())],
            unasked={one["name"]: one["skip_reason"] for one in packages if "skip_reason" in one},
        )

    @property
    def exit_code(self) -> int:
        return int(bool(self.found))

    def lines(self) -> list[str]:
        """What a person should read."""
        told = [f"audit: FOUND {found}" for found in self.found]
        if self.unasked:
            some = next(iter(self.unasked.values()))
            told.append(f"audit: COULD NOT ASK about {len(self.unasked)} packages, such as: {some}")
        if self.asked and not self.found:
            told.append(f"audit: nothing known against the {self.asked} packages asked about")
        return told


def _line(package: dict[str, Any], known: dict[str, Any]) -> str:
    fixed = ", ".join(known.get("fix_versions", ())) or "no version yet"
    return f"{known['id']} in {package['name']} {package['version']}, mended in {fixed}"


def main() -> int:
    """Asks; returns the exit code."""
    try:
        audit = Audit.of(_report())
    except (OSError, ValueError, KeyError, subprocess.SubprocessError) as error:
        print(f"audit: COULD NOT ASK: {error}")
        return 0
    print("\n".join(audit.lines()))
    return audit.exit_code


def _report() -> dict[str, Any]:
    """In an environment of its own: what the tool needs is not what we ship."""
    with tempfile.TemporaryDirectory(prefix="mixrelay-audit-") as folder:
        venv.create(folder, with_pip=True)
        python = str(Path(folder, "bin", "python"))
        install = [python, "-m", "pip", "install", "--quiet", "pip-audit"]
        subprocess.run(install, check=True, timeout=INSTALL_SECONDS)
        ask = [python, "-m", "pip_audit", "--format", "json", "--progress-spinner", "off"]
        installed = sysconfig.get_path("purelib")
        asked = subprocess.run(
            [*ask, "--path", installed],
            capture_output=True,
            text=True,
            timeout=ASK_SECONDS,
            check=False,
        )
    if not asked.stdout:
        raise OSError(asked.stderr.strip().rpartition("\n")[2] or "pip-audit said nothing")
    report: dict[str, Any] = json.loads(asked.stdout)
    return report


if __name__ == "__main__":
    sys.exit(main())
