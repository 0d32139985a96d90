"""Interpreters are found by what they answer, not by what they are called."""

import sys

import pytest

from tests.release import interpreters
from tests.release.paths import PYTHONS

HERE = "{}.{}".format(*sys.version_info)


def script(folder, name, text):
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


@pytest.fixture(autouse=True)
def all_versions(monkeypatch):
    monkeypatch.delenv(interpreters.CHOSEN, raising=False)


def test_this_interpreter_is_found_behind_a_shim_of_another_name(tmp_path):
    script(tmp_path / "a", f"python{HERE}", f'exec {sys.executable} "$@"')
    (found,) = interpreters.interpreters([tmp_path / "a"]).items()
    assert found[0] == HERE
    assert found[1].samefile(sys.executable)


@pytest.mark.parametrize("text", ["exit 3", "echo 2.7 /usr/bin/python", "exit 0"])
def test_what_is_no_such_python_is_passed_over_for_the_next(tmp_path, text):
    script(tmp_path / "a", f"python{HERE}", text)
    assert interpreters.interpreters([tmp_path / "a"]) == {}
    script(tmp_path / "b", f"python{HERE}", f'exec {sys.executable} "$@"')
    assert list(interpreters.interpreters([tmp_path / "a", tmp_path / "b"])) == [HERE]


def test_a_person_can_choose_versions(tmp_path, monkeypatch):
    script(tmp_path / "a", f"python{HERE}", f'exec {sys.executable} "$@"')
    others = [version for version in PYTHONS if version != HERE]
    monkeypatch.setenv(interpreters.CHOSEN, " ".join(others))
    assert interpreters.interpreters([tmp_path / "a"]) == {}
