"""The page as a server of its own."""

import logging
import socket

import uvicorn

from mixrelay.console import terminal
from mixrelay.console.dashboard.app import create_app
from mixrelay.console.dashboard.options import DashboardSettings
from mixrelay.console.failures import CommandError
from mixrelay.console.running.listening import why_not
from mixrelay.shared.settings import Settings
from mixrelay.worker.base import logs

_GRACE_SECONDS = 3
_KEEP_ALIVE_SECONDS = 75
"""Longer than a proxy keeps one (nginx and AWS: 60 s): else it is closed under a request."""


def serve(settings: Settings, dashboard: DashboardSettings) -> None:
    """Answers until SIGTERM or Ctrl-C.

    Raises:
        CommandError: the address is taken.
    """
    # A command's own errors are told by what it ends with; a server's stand in its log.
    logging.getLogger("mixrelay").addHandler(logs.handler(part="dashboard"))
    served = uvicorn.Config(
        create_app(settings, dashboard, mounted=False),
        host=dashboard.host,
        port=dashboard.port,
        root_path=dashboard.root_path,
        log_level="warning",
        server_header=False,
        timeout_graceful_shutdown=_GRACE_SECONDS,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
    )
    _Server(served).run()


class _Server(uvicorn.Server):
    """Says where it listens, once it does."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        kept = _KeptError()
        log = logging.getLogger("uvicorn.error")
        log.addFilter(kept)
        try:
            await super().startup(sockets)
        except SystemExit:
            # Its exit code is one of ours that means something else.
            if kept.error is None:
                raise
            raise CommandError(
                f"The page cannot listen on {self.config.host}:{self.config.port}: "
                f"{why_not(kept.error)}.",
                "Choose another --port or --host, or end what uses it.",
            ) from kept.error
        finally:
            log.removeFilter(kept)
        port = self.servers[0].sockets[0].getsockname()[1]
        host = f"[{self.config.host}]" if ":" in self.config.host else self.config.host
        terminal.say(f"The dashboard is at http://{host}:{port}/ (Ctrl-C ends it).")


class _KeptError(logging.Filter):
    """Takes from uvicorn's log why it does not listen: it is told in the words of a command."""

    def __init__(self) -> None:
        super().__init__()
        self.error: OSError | None = None

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.msg, OSError):
            self.error = record.msg
            return False
        return True
