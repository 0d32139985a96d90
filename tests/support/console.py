"""The command line in this process: for what a test reads off it without a process of its own."""

import os
import sys
from unittest.mock import patch

from typer.testing import CliRunner

from mixrelay.console.app import run
from tests.support.command import environment


def called(*arguments: str, expect: int | None = 0, **variables: str) -> tuple[str, str]:
    """What a command writes to stdout and stderr; stdin is empty and no terminal.

    Fails the test when the exit code is not the expected one. A bug's exception comes through.
    """
    hidden = dict.fromkeys(os.environ.keys() - environment().keys())
    env = hidden | environment(**variables)
    with (
        patch.object(sys, "argv", ["mixrelay", *arguments]),
        CliRunner().isolation(env=env) as (out, errors, _),
    ):
        code = run()
        sys.stdout.flush()
        written, said = out.getvalue().decode(), errors.getvalue().decode()
    assert expect is None or code == expect, f"exit {code}\n{written}\n{said}"
    return written, said
