"""The dependencies of some extras, for the image's layer below the code: one requirement a line.

``python deploy/image/dependencies.py console fast``. Standard library alone: it runs before
anything is installed.
"""

import re
import sys
import tomllib
from pathlib import Path

_OF_OURS = re.compile(r"mixrelay\[([a-z,]+)\]")


def requirements(extras: list[str]) -> list[str]:
    """The base's and the extras' requirements; an extra that names another has its as well."""
    project = tomllib.loads(Path("pyproject.toml").read_text())["project"]
    found, waiting, seen = list(project["dependencies"]), list(extras), set()
    while waiting:
        extra = waiting.pop()
        if extra in seen:
            continue
        seen.add(extra)
        for one in project["optional-dependencies"][extra]:
            if named := _OF_OURS.fullmatch(one):
                waiting += named[1].split(",")
            else:
                found.append(one)
    return sorted(set(found))


if __name__ == "__main__":
    sys.stdout.write("".join(f"{one}\n" for one in requirements(sys.argv[1:])))
