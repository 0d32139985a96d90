"""The figures again each second, also where Redis comes and goes."""

import json
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass

import typer
from redis.exceptions import RedisError
from rich.console import Group
from rich.live import Live
from rich.text import Text

from mixrelay.console import terminal
from mixrelay.console.exits import ExitCode
from mixrelay.console.failures import explain_redis
from mixrelay.console.status.figures import Figures
from mixrelay.console.status.view import view
from mixrelay.console.text import safe

_REFRESH = 1.0
"""Seconds between two looks."""


def show(figures: Figures, *, as_json: bool) -> None:
    """Prints the figures once."""
    if as_json:
        typer.echo(json.dumps(figures.as_json()))
    else:
        terminal.stdout().print(view(figures))


def watch_figures(look: Callable[[], Figures], url: str, *, as_json: bool) -> None:
    """Shows the figures until Ctrl-C; on a terminal they are drawn over the last ones.

    Where Redis goes away it says so and goes on. Only the first look must succeed: an address
    that never answered is more likely wrong.

    Args:
        look: reads the figures.
        url: Redis's address, for messages.
        as_json: whether each look is a line of JSON.

    Raises:
        redis.RedisError: Redis refuses, or was away from the beginning.
    """
    console = terminal.stdout()
    drawn = console.is_terminal and not as_json
    screen = Live(console=console, auto_refresh=False, screen=True) if drawn else None
    try:
        with screen or nullcontext():
            watched = _Watched(look, url, look())
            while True:
                watched.put(screen, as_json=as_json)
                time.sleep(_REFRESH)
                watched.again()
    except KeyboardInterrupt:
        return


@dataclass(slots=True)
class _Watched:
    """What was seen last, and what keeps us from seeing more."""

    look: Callable[[], Figures]
    url: str
    figures: Figures
    trouble: str = ""
    said: str = ""

    def again(self) -> None:
        try:
            self.figures, self.trouble = self.look(), ""
        except RedisError as error:
            failure = explain_redis(error, self.url).failure
            if failure.code is not ExitCode.UNREACHABLE:
                raise
            self.trouble = f"Redis is away, trying again: {failure.what}"

    def put(self, screen: Live | None, *, as_json: bool) -> None:
        if screen:
            away = Text(f"! {safe(self.trouble)}\n  What was seen last:\n", style="yellow")
            parts = [away] if self.trouble else []
            screen.update(Group(*parts, view(self.figures)), refresh=True)
        elif not self.trouble:
            show(self.figures, as_json=as_json)
        elif not self.said:
            terminal.warn(self.trouble)
        self.said = self.trouble
