"""Every help says what it needs to and ends in examples that one can copy."""

import shlex

import pytest

from mixrelay.console.exits import ExitCode
from mixrelay.shared.options import options
from mixrelay.worker.base.settings import WorkerSettings
from tests.support.command import mixrelay
from tests.support.console import called

COMMANDS = [
    "",
    "worker",
    "config",
    "config worker",
    "config producer",
    "config page",
    "status",
    "alert",
    "pause",
    "resume",
    "queue",
    "queue peek",
    "queue top",
    "queue drop",
    "erase",
    "dlq",
    "dlq list",
    "dlq show",
    "dlq stats",
    "dlq export",
    "dlq replay",
    "dlq discard",
    "dlq fix",
    "dlq edit",
    "dlq import",
    "dlq jobs",
    "dlq search",
    "dlq trash",
    "dlq restore",
    "dlq cancel",
    "dlq resume",
    "dlq rate",
    "dlq audit",
    "push",
    "lookup",
    "lookup replace",
    "sandbox",
    "valkey",
    "demo",
]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_help_ends_in_examples_and_cuts_no_name(command: str) -> None:
    text, _ = called(*command.split(), "--help", COLUMNS="60")
    _, _, examples = text.rpartition("\nExamples")
    lines = [line.strip() for line in examples.strip().splitlines()]
    assert lines
    for line in lines:
        assert f"mixrelay {command}".strip() in line or "127.0.0.1" in line
        assert shlex.split(line, comments=True)
    assert "…" not in text


def test_the_root_help_lists_every_command_and_every_exit_code() -> None:
    text = mixrelay("--help").stdout.decode()
    for command in COMMANDS:
        assert not command or f"\n  {command.split()[0]} " in text
    for code in ExitCode:
        assert f"{code:d}" in text
        assert code.meaning in " ".join(text.split())


def test_every_setting_of_a_worker_is_an_option_named_with_its_variable() -> None:
    text = " ".join(called("worker", "--help")[0].split())
    for told in options(WorkerSettings):
        assert f"--{told.name.replace('_', '-')}" in text
        assert f"[env var: {told.variable}; default: " in text


def test_the_version_is_the_package_s() -> None:
    assert mixrelay("--version").stdout.startswith(b"mixrelay 0.")
