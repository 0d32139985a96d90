"""Where output goes, and whether someone is there to answer."""

import os
import sys
from io import TextIOWrapper

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

from mixrelay.console.text import safe

PLAIN_WIDTH = 160
"""Columns where no terminal says how wide it is: a log or a pipe need not wrap at 80."""


def encode_anything() -> None:
    """Lets stdout spell what its encoding lacks, escaped, as stderr does from the start.

    Names come from anywhere, and a terminal or a pipe of a locale without UTF-8 takes few of them.
    """
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def stdout() -> Console:
    """A console that is plain where nobody looks: no terminal, or NO_COLOR."""
    return _console(stderr=False)


def stderr() -> Console:
    return _console(stderr=True)


def say(text: str) -> None:
    """One line for people, on stderr: stdout carries only what was asked for."""
    stderr().print(escape(safe(text)), highlight=False, soft_wrap=True)


def warn(text: str) -> None:
    stderr().print(f"[yellow]warning:[/] {escape(safe(text))}", highlight=False, soft_wrap=True)


def confirm(question: str) -> bool:
    """Whether the operator agrees; nobody is asked where stdin is no terminal, which is a yes."""
    if not sys.stdin.isatty():
        return True
    return stderr().input(f"{escape(question)} \\[y/N] ").strip().lower() in ("y", "yes")


def progress(*columns: ProgressColumn) -> Progress:
    """A bar on stderr; without a terminal it draws nothing."""
    console = stderr()
    described = TextColumn("{task.description}")
    counted = columns or (MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(
        described,
        BarColumn(),
        *counted,
        console=console,
        disable=not console.is_terminal,
        transient=True,
    )


def _console(*, stderr: bool) -> Console:
    console = Console(stderr=stderr, highlight=False)
    # COLUMNS is honoured by rich itself; only the width that rich guesses is replaced.
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = PLAIN_WIDTH
    return console
