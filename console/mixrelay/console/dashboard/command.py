"""`mixrelay dashboard`."""

from dataclasses import asdict
from typing import Annotated, Any

import typer

from mixrelay.console.dashboard.options import DashboardSettings
from mixrelay.console.helptext import examples
from mixrelay.console.options import Where, flat, from_table
from mixrelay.console.setting_options import options_of
from mixrelay.shared.options import FLAG
from mixrelay.shared.settings import Settings


def register(app: typer.Typer) -> None:
    app.command(
        "dashboard",
        **examples(
            "mixrelay dashboard",
            "MIXRELAY_DASHBOARD_TOKEN=… mixrelay dashboard --host 0.0.0.0",
            "curl http://127.0.0.1:8321/metrics",
        ),
    )(flat(dashboard))


_Page: Any = options_of(DashboardSettings, "Page")


def dashboard(
    where: Where, own: _Page, rq_redis_url: Annotated[str, from_table("rq_redis_url", "URL")] = ""
) -> None:
    """Serve the operator's page, /metrics, /healthz and /readyz, until SIGTERM or Ctrl-C.

    On 127.0.0.1 nobody is asked for a password. Elsewhere MIXRELAY_DASHBOARD_TOKEN or
    MIXRELAY_DASHBOARD_USERS must be set.
    """
    mine = DashboardSettings.from_environment(given=asdict(own), form=FLAG)
    mine.check()
    settings = Settings.from_environment(given=asdict(where) | {"rq_redis_url": rq_redis_url})
    settings.rq_url  # noqa: B018 - refuses at the start what pages would fail with
    # Here, where it is wanted: it takes as long to load as all other commands together.
    from mixrelay.console.dashboard.serving import serve  # noqa: PLC0415

    serve(settings, mine)
