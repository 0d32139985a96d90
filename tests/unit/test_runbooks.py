"""The runbooks' commands are commands, and alerts link to parts that there are."""

import re
import shlex

import pytest
import typer

from mixrelay.console.alerting.findings import ALERTS
from mixrelay.console.alerting.shapes import Extras
from mixrelay.console.app import command_line
from tests.support.runbook import sections

COMMANDS = sorted({line for lines in sections().values() for line in lines})


def anchor(heading: str) -> str:
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_links_to_a_part_that_there_is(alert: str) -> None:
    found = Extras(runbooks="r").add({"alert": alert, "event": "firing"}).get("runbook")
    assert found is None or found.partition("#")[2] in set(map(anchor, sections()))


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_is_one_with_options_that_it_has(line: str) -> None:
    words = shlex.split(line.partition(" > ")[0])
    assert words[0] == "mixrelay"
    command = typer.main.get_command(command_line())
    left = words[1:]
    while hasattr(command, "commands") and left:
        command = command.commands[left.pop(0)]
    known = {name for one in command.params for name in one.opts}
    assert {word for word in left if word.startswith("--")} <= known
