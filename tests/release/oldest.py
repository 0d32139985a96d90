"""The oldest version of each dependency that pyproject.toml allows, as constraints of pip.

``python -m tests.release.oldest`` prints them.
"""

import re
from collections.abc import Iterator

from tests.release.paths import PROJECT

_REQUIREMENT = re.compile(r"(?P<name>[\w.-]+)(?:\[[^\]]*\])?>=(?P<version>[\w.]+)")
FOR_USERS = ("worker", "console", "sandbox", "embedded", "otel", "fast")
"""The extras that users install; tools of development are used in their newest versions."""
HOSTS = ("celery", "django", "fastapi", "fakeredis", "flask", "mixpanel")
"""What an application brings along, of the extra `dev`: the oldest that the tests pass with."""


def constraints() -> Iterator[str]:
    """One line for each, such as ``redis==5.2``."""
    extras = PROJECT["optional-dependencies"]
    declared = [*PROJECT["dependencies"], *(one for extra in FOR_USERS for one in extras[extra])]
    hosts = [one for one in extras["dev"] if _parts(one)[0] in HOSTS]
    for requirement in declared + hosts:
        name, version = _parts(requirement)
        if name != "mixrelay":
            yield f"{name}=={version}"


def _parts(requirement: str) -> tuple[str, str]:
    found = _REQUIREMENT.match(requirement)
    return (found["name"], found["version"]) if found else (requirement.partition("[")[0], "")


if __name__ == "__main__":
    print(*constraints(), sep="\n")
