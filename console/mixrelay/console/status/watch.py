"""The figures again each second, also where Redis comes and goes."""

import json
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass

import typer
from redis.exceptions import RedisError
from rich.live import Live

from mixrelay.console import terminal
from mixrelay.console.exits import ExitCode
from mixrelay.console.failures import explain_redis
from mixrelay.console.status.figures import Figures
from mixrelay.console.status.live import Page, Rates, line
from mixrelay.console.status.view import view
from mixrelay.shared.queue.merged.history import MergedHistory

_REFRESH = 1.0
"""Seconds between two looks."""
_RESIZE = 0.1
"""Seconds until a terminal that was resized is drawn again."""


def show(figures: Figures, *, as_json: bool) -> None:
    """Prints the figures once."""
    if as_json:
        typer.echo(json.dumps(figures.as_json()))
    else:
        terminal.stdout().print(view(figures))


def watch_figures(
    look: Callable[[], Figures], history: MergedHistory, url: str, *, as_json: bool
) -> None:
    """Shows the figures until Ctrl-C: on a terminal as a page, elsewhere as a line each.

    Where Redis goes away it says so and goes on. Only the first look must succeed: an address
    that never answered is more likely wrong.

    Args:
        look: reads the figures.
        history: what was counted before.
        url: Redis's address, for messages.
        as_json: whether each look is a line of JSON.

    Raises:
        redis.RedisError: Redis refuses, or was away from the beginning.
    """
    console = terminal.stdout()
    drawn = console.is_terminal and not as_json
    screen = Live(console=console, auto_refresh=False, screen=True) if drawn else None
    try:
        watched = _Watched(look, Rates(history), url, as_json, look())
        watched.rates.add(watched.figures)
        with screen or nullcontext():
            while True:
                watched.put(screen)
                _wait(watched, screen)
                watched.again()
    except KeyboardInterrupt:
        return


def _wait(watched: "_Watched", screen: Live | None) -> None:
    """Until the next look; what is drawn follows the size of the terminal meanwhile."""
    ends = time.monotonic() + _REFRESH
    size = screen.console.size if screen else None
    while (left := ends - time.monotonic()) > 0:
        time.sleep(min(left, _RESIZE) if screen else left)
        if screen and screen.console.size != size:
            size = screen.console.size
            watched.put(screen)


@dataclass(slots=True)
class _Watched:
    """What was seen last, and what keeps us from seeing more."""

    look: Callable[[], Figures]
    rates: Rates
    url: str
    as_json: bool
    figures: Figures
    trouble: str = ""
    said: str = ""

    def again(self) -> None:
        try:
            self.figures = self.look()
            self.rates.add(self.figures)
        except RedisError as error:
            failure = explain_redis(error, self.url).failure
            if failure.code is not ExitCode.UNREACHABLE:
                raise
            self.trouble = f"Redis is away, trying again: {failure.what}"
        else:
            self.trouble = ""

    def put(self, screen: Live | None) -> None:
        if screen:
            screen.update(Page(self.figures, self.rates, self.trouble), refresh=True)
        elif not self.trouble:
            typer.echo(json.dumps(self.figures.as_json()) if self.as_json else line(self.figures))
        elif not self.said:
            terminal.warn(self.trouble)
        self.said = self.trouble
