"""Running a sandbox: until a signal ends it, or in a thread of a test."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
import time
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from mixrelay.sandbox.app import create_app
from mixrelay.sandbox.control import state
from mixrelay.sandbox.faults import Fault
from mixrelay.sandbox.intake import Intake
from mixrelay.sandbox.ledger import Arrival, Dropped, Duplicate, Request, User
from mixrelay.sandbox.lookups import LookupTable
from mixrelay.sandbox.options import Options

# Requests that hang are cut off at the end; those that are being answered get this long.
_SHUTDOWN_SECONDS = 0.5
_START_SECONDS = 10.0
# Room for the query of a GET with its data in it.
_MAX_LINE_BYTES = 262_144


def run(
    host: str = "127.0.0.1",
    port: int = 8088,
    options: Options | None = None,
    *,
    on_ready: Callable[[str], None] | None = None,
) -> None:
    """Serves until SIGTERM or SIGINT, then returns.

    Args:
        host: the address to listen on; it asks nobody for a password, so keep it local.
        port: the port to listen on, 0 for any free one.
        options: the sandbox's settings.
        on_ready: called with the base address once requests are taken.

    Raises:
        OSError: the port is taken or the address is not ours.
    """
    asyncio.run(_serve_until_signal(Intake(options or Options()), host, port, on_ready))


async def _serve_until_signal(
    intake: Intake, host: str, port: int, on_ready: Callable[[str], None] | None
) -> None:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, ended.set)
    async with _serving(intake, host, port) as bound:
        if on_ready:
            on_ready(f"http://{host}:{bound}")
        await ended.wait()


@contextlib.asynccontextmanager
async def _serving(intake: Intake, host: str, port: int) -> AsyncIterator[int]:
    runner = web.AppRunner(
        create_app(intake=intake),
        access_log=None,
        auto_decompress=False,
        shutdown_timeout=_SHUTDOWN_SECONDS,
        max_line_size=_MAX_LINE_BYTES,
    )
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        yield int(runner.addresses[0][1])
    finally:
        await _end(runner)


async def _end(runner: web.AppRunner) -> None:
    connections = runner.server.connections if runner.server else []
    transports = [connection.transport for connection in connections]
    await runner.cleanup()
    # A connection that is closed in the middle of an answer stays until its client has read
    # what was written; nobody is waited for here.
    for transport in filter(None, transports):
        transport.abort()
    await asyncio.sleep(0)


class Sandbox:
    """A stand-in for Mixpanel in a daemon thread of this process.

    As a context manager it serves from the start of the block to its end. `stop` and `start`
    in between are an outage: connections are refused, what arrived stays, the address too.

    Args:
        options: its settings.
        host: the address to listen on.
        port: the port to listen on, 0 for any free one.
    """

    def __init__(
        self, options: Options | None = None, *, host: str = "127.0.0.1", port: int = 0
    ) -> None:
        self._intake = Intake(options or Options())
        self._host = host
        self._port = port
        self._server: _ServerThread | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Begins to take requests.

        Raises:
            OSError: the port is taken.
            RuntimeError: it serves already.
        """
        if self._server:
            raise RuntimeError("This sandbox serves already; stop it first.")
        self._server = _ServerThread(self._intake, self._host, self._port)
        try:
            self._port = self._server.begin()
        except BaseException:
            self._server = None
            raise

    def stop(self) -> None:
        """Ends the server and cuts off what hangs; does nothing if it does not serve."""
        if self._server:
            self._server.end()
            self._server = None

    @property
    def url(self) -> str:
        """The base address, without a slash at its end."""
        return f"http://{self._host}:{self._port}"

    @property
    def events(self) -> list[dict[str, Any]]:
        """All events as they are stored, in order of first arrival; of duplicates the latest."""
        with self._intake.ledger.lock:
            return [arrival.record for arrival in self._intake.ledger.events]

    @property
    def updates(self) -> list[dict[str, Any]]:
        """All accepted profile and group updates, in order."""
        with self._intake.ledger.lock:
            return [arrival.record for arrival in self._intake.ledger.updates]

    @property
    def arrivals(self) -> list[Arrival]:
        """The same events, then the same updates, with how and when each arrived."""
        with self._intake.ledger.lock:
            return [*self._intake.ledger.events, *self._intake.ledger.updates]

    @property
    def profiles(self) -> dict[str, dict[str, Any]]:
        """The properties of each user by distinct_id; of equal ids the later token's."""
        with self._intake.ledger.lock:
            return {key[1]: properties for key, properties in self._intake.ledger.profiles.items()}

    @property
    def groups(self) -> dict[tuple[str, str], dict[str, Any]]:
        """The properties of each group by (group_key, group_id); of equal ids the later token's."""
        with self._intake.ledger.lock:
            items = self._intake.ledger.groups.items()
        return {(key[1], key[2]): properties for key, properties in items}

    @property
    def dropped(self) -> list[Dropped]:
        """All records that were not kept, with the reason."""
        with self._intake.ledger.lock:
            return list(self._intake.ledger.dropped)

    @property
    def duplicates(self) -> list[Duplicate]:
        """All events that took the place of an earlier one with the same four-part key."""
        with self._intake.ledger.lock:
            return list(self._intake.ledger.duplicates)

    @property
    def requests(self) -> list[Request]:
        """All requests to Mixpanel's endpoints."""
        with self._intake.ledger.lock:
            return list(self._intake.ledger.requests)

    @property
    def users(self) -> dict[str, User]:
        """Each person by canonical distinct_id, with all ids and events attributed to them.

        Of equal ids in two projects the later one; `users_of` asks for one project's.
        """
        return {user.id: user for user in self._intake.ledger.users()}

    def users_of(self, token: str) -> dict[str, User]:
        """Return the same of the project of one token."""
        return {user.id: user for user in self._intake.ledger.users() if user.token == token}

    @property
    def lookup_tables(self) -> dict[str, LookupTable]:
        """The lookup tables by id, as they were uploaded last."""
        return {table.id: table for table in self._intake.lookups.items()}

    def know(self, *tokens: str) -> None:
        """Know these project tokens too, from now on.

        A sandbox that was given no tokens knows all; it only stops refusing these.
        """
        self._intake.known.know(*tokens)

    def know_only(self, *tokens: str) -> None:
        """Know these project tokens and no others, as the host of another region does."""
        self._intake.known.know_only(*tokens)

    def revoke(self, *tokens: str) -> None:
        """Know these project tokens no more; the others stay as they are."""
        self._intake.known.revoke(*tokens)

    def set_account(
        self, username: str | None, secret: str | None = None, project_id: str | None = None
    ) -> None:
        """Replace the service account that `/import` takes; `set_account(None)` takes it away.

        Raises:
            ValueError: it is given in part.
        """
        self._intake.known.set_account(username, secret, project_id)

    @property
    def state(self) -> dict[str, Any]:
        """All counts and faults, at a cost that does not grow with what arrived."""
        return state(self._intake)

    def fault(self, kind: str, *, endpoint: str = "*", count: int | None = None, **how: Any) -> int:
        """Lets requests from now on meet a fault; its options are those of `Fault`.

        Returns:
            The rule's number, for `clear_faults`.

        Raises:
            ValueError: an option's value makes no sense.
            TypeError: there is no such option.
        """
        return self._intake.faults.add(Fault(kind=kind, endpoint=endpoint, count=count, **how))

    def clear_faults(self, number: int | None = None) -> None:
        """Takes one fault back, or all of them; what hangs already goes on hanging."""
        self._intake.faults.clear(number)

    def reset(self) -> None:
        """Forgets all that arrived, all faults and all changes of credentials."""
        self._intake.reset()

    def wait_for(self, predicate: Callable[[Self], bool], timeout: float = 10.0) -> None:
        """Waits until the predicate holds of this sandbox.

        With many thousands of records ask `state`, which is cheap, rather than `events`.

        Raises:
            TimeoutError: it did not within `timeout` seconds; the message tells the counts.
        """
        deadline = time.monotonic() + timeout
        while True:
            asked = time.monotonic()
            if predicate(self):
                return
            now = time.monotonic()
            if now >= deadline:
                counts = self._intake.ledger.summary()
                raise TimeoutError(f"Not within {timeout} s. The sandbox has seen: {counts}")
            # A dear predicate must not starve the server of the interpreter.
            time.sleep(min(max(0.01, 2 * (now - asked)), deadline - now))


class _ServerThread:
    """One run of the server, with an event loop of its own."""

    def __init__(self, intake: Intake, host: str, port: int) -> None:
        self._intake, self._host, self._port = intake, host, port
        self._started = threading.Event()
        self._failure: BaseException | None = None
        self._runner = asyncio.Runner()
        self._ended = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="mixrelay-sandbox", daemon=True)

    def begin(self) -> int:
        self._thread.start()
        if not self._started.wait(_START_SECONDS):
            raise TimeoutError(f"The sandbox did not start within {_START_SECONDS} s.")
        if self._failure:
            raise self._failure
        return self._port

    def end(self) -> None:
        self._runner.get_loop().call_soon_threadsafe(self._ended.set)
        self._thread.join(_START_SECONDS)

    def _run(self) -> None:
        # The runner ends what still runs at the end: a request that hangs, or is cut off.
        with self._runner as runner:
            try:
                runner.run(self._serve())
            except OSError as error:
                self._failure = error
            finally:
                self._started.set()

    async def _serve(self) -> None:
        async with _serving(self._intake, self._host, self._port) as self._port:
            self._started.set()
            await self._ended.wait()
