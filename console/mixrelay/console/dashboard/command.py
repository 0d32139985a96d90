"""`mixrelay dashboard`."""

from dataclasses import asdict
from typing import Annotated, Any

import typer
import uvicorn

from mixrelay.console import terminal
from mixrelay.console.dashboard.app import create_app
from mixrelay.console.dashboard.options import DashboardSettings
from mixrelay.console.failures import CommandError
from mixrelay.console.helptext import examples
from mixrelay.console.options import Where, flat, from_table
from mixrelay.console.setting_options import options_of
from mixrelay.shared.settings import Settings

_GRACE_SECONDS = 3


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
    mine = DashboardSettings.from_environment(given=asdict(own))
    mine.check_open()
    settings = Settings.from_environment(given=asdict(where) | {"rq_redis_url": rq_redis_url})
    served = uvicorn.Config(
        create_app(settings, mine, mounted=False),
        host=mine.host,
        port=mine.port,
        log_level="warning",
        server_header=False,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    _Server(served).run()


class _Server(uvicorn.Server):
    """Says where it listens, once it does."""

    async def startup(self, sockets: list[object] | None = None) -> None:  # type: ignore[override]
        await super().startup(sockets)  # type: ignore[arg-type]
        if not self.started:
            raise CommandError(
                f"The page cannot listen on {self.config.host}:{self.config.port}.",
                "Choose another --port, or end what uses it.",
            )
        port = self.servers[0].sockets[0].getsockname()[1]
        host = f"[{self.config.host}]" if ":" in self.config.host else self.config.host
        terminal.say(f"The dashboard is at http://{host}:{port}/ (Ctrl-C ends it).")
