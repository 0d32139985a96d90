"""What must hold before a version is built for others: its number, its changelog, its tag."""

import re
from pathlib import Path

from tests.release.paths import ROOT
from tests.support.processes import finished

_VERSION = re.compile(r"\d+\.\d+\.\d+(?:(?:a|b|rc)\d+)?")
_HEADING = re.compile(r"^## (.+)$", re.MULTILINE)
_RELEASED = re.compile(r"\[(?P<version>[^\]]+)\] - \d{4}-\d{2}-\d{2}")


def faults(version: str, changelog: str, *, tags: list[str], is_clean: bool) -> list[str]:
    """Say what keeps `version` from being released, and what to do; nothing where it is ready."""
    found = []
    if not _VERSION.fullmatch(version):
        found.append(f"version {version!r} in pyproject.toml is no release: write it as 1.2.3")
    found += _changelog_faults(version, changelog)
    if f"v{version}" not in tags:
        found.append(f"the commit has no tag v{version}: git tag --sign v{version}")
    if not is_clean:
        found.append("the work tree differs from the commit: commit it or put it away")
    return found


def _changelog_faults(version: str, changelog: str) -> list[str]:
    headings = list(_HEADING.finditer(changelog))
    found = []
    for number, heading in enumerate(headings):
        end = headings[number + 1].start() if number + 1 < len(headings) else len(changelog)
        text = changelog[heading.end() : end].strip()
        if heading[1].strip("[]").lower() == "unreleased":
            if text:
                found.append(
                    "CHANGELOG.md has entries under Unreleased: "
                    f"give them the heading '## [{version}] - YYYY-MM-DD'"
                )
            continue
        newest = _RELEASED.fullmatch(heading[1])
        if newest is None or newest["version"] != version:
            found.append(
                f"CHANGELOG.md's newest version is '{heading[1]}': "
                f"it must be '[{version}] - YYYY-MM-DD', as in pyproject.toml"
            )
        elif not text:
            found.append(f"CHANGELOG.md says nothing about {version}")
        return found
    return [*found, "CHANGELOG.md has no version"]


def tags_here(root: Path = ROOT) -> list[str]:
    """The tags of the commit that is checked out."""
    return _git(root, "tag", "--points-at", "HEAD").split()


def is_clean(root: Path = ROOT) -> bool:
    """Whether the work tree is the commit, but for files that git ignores."""
    return not _git(root, "status", "--porcelain")


def commit_time(root: Path = ROOT) -> int:
    """When the commit was made, in seconds since 1970: the time of all files in the packages."""
    return int(_git(root, "log", "-1", "--format=%ct"))


def _git(root: Path, *words: str) -> str:
    done = finished(["git", *words], cwd=root, capture_output=True, text=True, check=True)
    return str(done.stdout).strip()
