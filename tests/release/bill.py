"""The bill of materials (CycloneDX) and the licences of what `mixrelay[all]` installs."""

import json
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.release.paths import DIST, ROOT, VERSION
from tests.support.processes import finished

_SECONDS = 300
_LISTING = """
import importlib.metadata as m, json
print(json.dumps([
    {"name": one.metadata["Name"], "version": one.version,
     "expression": one.metadata.get("License-Expression"), "text": one.metadata.get("License"),
     "classifiers": one.metadata.get_all("Classifier") or []}
    for one in m.distributions()]))
"""
_TOOLS_OF_THE_ENVIRONMENT = {"pip", "setuptools", "wheel"}
_LONGEST_NAME_OF_A_LICENCE = 60


class UnknownLicence(Exception):
    """A dependency declares no licence."""


@dataclass(frozen=True, slots=True, order=True)
class Licensed:
    """A package with its licence as the package declares it."""

    name: str
    version: str
    licence: str

    @classmethod
    def of(cls, metadata: dict[str, Any]) -> "Licensed":
        """Read what PEP 639 declares, else the classifiers, else a short `License` field."""
        named = [
            classifier.rpartition(" :: ")[2]
            for classifier in metadata["classifiers"]
            if classifier.startswith("License :: ")
        ]
        text = (metadata["text"] or "").strip()
        is_name = text and len(text) <= _LONGEST_NAME_OF_A_LICENCE and "\n" not in text
        licence = metadata["expression"] or ", ".join(named) or (text if is_name else "")
        return cls(metadata["name"].lower(), metadata["version"], licence)


def licences(python: Path) -> list[Licensed]:
    """What is installed beside `python`, by name, without mixrelay and pip.

    Raises:
        UnknownLicence: a package declares none.
    """
    said = finished([str(python), "-I", "-c", _LISTING], capture_output=True, check=True)
    packages = sorted(map(Licensed.of, json.loads(said.stdout)))
    ours = [one for one in packages if one.name not in {"mixrelay", *_TOOLS_OF_THE_ENVIRONMENT}]
    if unknown := [one.name for one in ours if not one.licence]:
        raise UnknownLicence(
            f"no licence is declared by {', '.join(unknown)}: look it up before you release"
        )
    return ours


def write_licences(packages: Iterable[Licensed]) -> Path:
    """Write the table of licences into `dist/`."""
    path = DIST / f"mixrelay-{VERSION}.licences.md"
    rows = [f"| {one.name} | {one.version} | {one.licence} |\n" for one in packages]
    head = (
        f"Installed by `mixrelay[all]` {VERSION} (MIT), each with the licence that it declares.\n"
    )
    path.write_text(
        f"{head}\n| package | version | licence |\n| --- | --- | --- |\n{''.join(rows)}"
    )
    return path


def write_bill(python: Path) -> Path:
    """Write the CycloneDX bill of what is installed beside `python` into `dist/`.

    It names mixrelay as its subject and holds no time and no random number: two runs are equal.
    """
    path = DIST / f"mixrelay-{VERSION}.cdx.json"
    words = ["--output-reproducible", "--output-format", "JSON", "--validate"]
    words += ["--pyproject", str(ROOT / "pyproject.toml"), "--output-file", str(path), str(python)]
    command = [sys.executable, "-m", "cyclonedx_py", "environment", *words]
    finished(command, check=True, capture_output=True, timeout=_SECONDS)
    bill = json.loads(path.read_text())
    named = {one["name"].lower() for one in bill["components"]}
    assert {"redis", "orjson", "requests", "rq"} <= named, sorted(named)
    assert bill["metadata"]["component"]["version"] == VERSION, bill["metadata"]
    return path
