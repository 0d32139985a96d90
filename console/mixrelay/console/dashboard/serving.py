"""The page as a server of its own."""

import uvicorn

from mixrelay.console import terminal
from mixrelay.console.dashboard.app import create_app
from mixrelay.console.dashboard.options import DashboardSettings
from mixrelay.console.failures import CommandError
from mixrelay.shared.settings import Settings

_GRACE_SECONDS = 3


def serve(settings: Settings, dashboard: DashboardSettings) -> None:
    """Answers until SIGTERM or Ctrl-C.

    Raises:
        CommandError: the address is taken.
    """
    served = uvicorn.Config(
        create_app(settings, dashboard, mounted=False),
        host=dashboard.host,
        port=dashboard.port,
        root_path=dashboard.root_path,
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
