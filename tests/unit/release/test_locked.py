"""The lock file satisfies what is declared; workflows are pinned and may do little."""

import re

import pytest
import yaml
from packaging.requirements import Requirement

from tests.release.paths import PROJECT, ROOT

LOCK = ROOT / "requirements-dev.txt"
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
EXTRAS = ("worker", "console", "sandbox", "embedded", "fast", "dev")
HINT = "run: make lock"


def locked():
    """Each package with its versions: one, or one for each range of Python."""
    found = {}
    for line in LOCK.read_text().splitlines():
        if line and not line.startswith("#"):
            pinned = Requirement(line)
            (version,) = pinned.specifier
            found.setdefault(pinned.name, []).append(version.version)
    return found


def test_the_lock_file_has_a_version_that_is_allowed_of_all_that_is_declared():
    versions = locked()
    extras = PROJECT["optional-dependencies"]
    declared = [*PROJECT["dependencies"], *(one for extra in EXTRAS for one in extras[extra])]
    for requirement in map(Requirement, declared):
        if requirement.name != "mixrelay":
            assert versions.get(requirement.name), f"{requirement.name}: {HINT}"
            for version in versions[requirement.name]:
                assert requirement.specifier.contains(version), f"{requirement}: {HINT}"


@pytest.mark.skipif(not WORKFLOWS, reason="an sdist has none")
def test_foreign_actions_are_pinned_and_each_job_may_do_little_and_ends():
    for path in WORKFLOWS:
        workflow = yaml.safe_load(path.read_text())
        assert workflow["permissions"] == {"contents": "read"}, path
        for name, job in workflow["jobs"].items():
            assert job["timeout-minutes"] <= 90, (path, name)
            for step in job["steps"]:
                used = step.get("uses", "")
                assert (
                    not used or used.startswith("github/") or re.search(r"@[0-9a-f]{40}$", used)
                ), (path, used)
                # A text from outside in a shell's line would be run by it.
                assert "${{" not in step.get("run", ""), (path, name)


@pytest.mark.skipif(not WORKFLOWS, reason="an sdist has none")
def test_the_tests_run_on_each_python_that_the_package_names():
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())
    matrix = workflow["jobs"]["tests"]["strategy"]["matrix"]
    named = [classifier.rpartition(" ")[2] for classifier in PROJECT["classifiers"]]
    assert matrix["python"] == [version for version in named if version.startswith("3.")]
    assert [one["dependencies"] for one in matrix["include"]] == ["oldest"]
