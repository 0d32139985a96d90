"""`mixrelay worker`, whose options are the table of the worker's settings."""

from dataclasses import asdict
from typing import Annotated, Any

import typer

from mixrelay.console.helptext import examples
from mixrelay.console.options import flat
from mixrelay.console.setting_options import options_of
from mixrelay.shared.options import FLAG
from mixrelay.shared.settings import Settings
from mixrelay.worker.base.settings import WorkerSettings
from mixrelay.worker.process.main import run


def register(app: typer.Typer) -> None:
    app.command(
        "worker",
        **examples(
            "mixrelay worker",
            "mixrelay worker --processes 4 --concurrency 8",
            "mixrelay worker --burst  # drain what is there, then exit 0",
            "MIXRELAY_LINGER=2 mixrelay worker  # each option is a variable too",
        ),
    )(flat(worker))


_Shared: Any = options_of(Settings, "Where")
_Worker: Any = options_of(WorkerSettings, "Worker")


def worker(
    shared: _Shared,
    own: _Worker,
    burst: Annotated[
        bool,
        typer.Option("--burst", help="Exit with 0 once the backlog is empty."),
    ] = False,
) -> None:
    """Drain the queue: run RQ workers until SIGTERM, which finishes what is under way.

    Secrets are read from the environment alone: MIXPANEL_TOKEN, and for a service account
    MIXPANEL_SERVICE_ACCOUNT_USERNAME and MIXPANEL_SERVICE_ACCOUNT_SECRET.
    """
    settings = Settings.from_environment(given=asdict(shared), form=FLAG)
    mine = WorkerSettings.from_environment(given=asdict(own), form=FLAG)
    raise typer.Exit(run(settings, mine, burst=burst))
