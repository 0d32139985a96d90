"""One request to Mixpanel and its answer, within one deadline."""

from __future__ import annotations

import re
import sys
import time
from dataclasses import dataclass, field
from http.cookiejar import DefaultCookiePolicy
from importlib.metadata import version
from typing import TYPE_CHECKING, TypeAlias

import requests

from mixrelay.shared.mixpanel.endpoints import Destination, Endpoint
from mixrelay.shared.mixpanel.exchange import Exchange, running
from mixrelay.shared.mixpanel.failures import Failure, explain
from mixrelay.shared.mixpanel.packing import gzipped
from mixrelay.shared.mixpanel.reading import read_body
from mixrelay.shared.mixpanel.sockets import BoundedAdapter, PlainSession

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

EndingIn: TypeAlias = "Callable[[BaseException, BaseException | None], BaseException | None]"

GZIP_ENDPOINTS = frozenset({Endpoint.TRACK, Endpoint.IMPORT})
"""Mixpanel: Set Property says that gzip is not supported on ``/engage``."""

MAX_ANSWER_BYTES = 4 * 1024 * 1024
"""An answer that refuses 2,000 records, each with a message, stays well below."""

# A shorter "secret" is a placeholder, and replacing it would break an answer's JSON.
_SHORTEST_SECRET = 6

# In records that an answer repeats, quoted as often as JSON in JSON quotes them: with a service
# account the records' own token is no part of the destination.
_IN_RECORDS = re.compile(rb"""((?:token|api_key)\\*["']\s*:\s*\\*["'])[^"'\\]+""")


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer, whatever it says; the credentials of its request are masked in it."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes
    seconds: float = 0.0


class Transport:
    """Sends bodies to Mixpanel; one serves any number of threads.

    Nothing comes from the environment: no netrc, no proxy variables, no certificates. It follows
    no redirect and repeats nothing. Open it after a fork, not before.
    """

    def __init__(
        self,
        *,
        connect_timeout: float = 5.0,
        read_timeout: float = 10.0,
        deadline: float = 10.0,
        max_answer_bytes: int = MAX_ANSWER_BYTES,
        ca_file: str | None = None,
        proxy: str | None = None,
        pool_size: int = 10,
        gzip_level: int = 1,
        gzip_endpoints: frozenset[Endpoint] = GZIP_ENDPOINTS,
        ending_in: EndingIn = lambda _error, _outer: None,
    ) -> None:
        """Times are in seconds.

        Args:
            connect_timeout: for resolving, connecting and the TLS handshake together.
            read_timeout: for each wait on the socket.
            deadline: for the whole exchange, however it trickles.
            max_answer_bytes: an answer over it is not read on.
            ca_file: certificates to trust in place of the usual ones.
            proxy: address of an HTTP proxy, as ``http://host:port``.
            pool_size: connections kept alive; at least as many as threads that send.
            gzip_level: 1 (fast) to 9 (small); 0 sends plain.
            gzip_endpoints: who is sent gzip at all.
            ending_in: finds in what a library raised, and before what the caller was handling, an
                exception by which the application ends what it does, such as its time limit; that
                one is raised.
        """
        self._connect_timeout = connect_timeout
        self._read_timeout = read_timeout
        self._deadline = deadline
        self._max_answer_bytes = max_answer_bytes
        self._gzip_level = gzip_level
        self._gzip_endpoints = gzip_endpoints if gzip_level else frozenset()
        self._ending_in = ending_in
        self._session = _session(pool_size, ca_file, proxy)

    def post(self, destination: Destination, body: bytes) -> Answer | Failure:
        """Send one JSON body and return what came of it.

        Raises nothing, whatever is answered, but the application's endings where it knows them.
        """
        headers = {"Content-Type": "application/json"}
        return self._answer("POST", destination, body, headers, time.monotonic())

    def put(self, destination: Destination, body: bytes, content_type: str) -> Answer | Failure:
        """Put one body in place of what is there; otherwise as ``post``."""
        headers = {"Content-Type": content_type}
        return self._answer("PUT", destination, body, headers, time.monotonic())

    def _answer(
        self,
        method: str,
        destination: Destination,
        body: bytes,
        headers: dict[str, str],
        began: float,
    ) -> Answer | Failure:
        if destination.authorization:
            headers["Authorization"] = destination.authorization
        outer = sys.exception()
        with running(self._exchange(began)) as exchange:
            try:
                body = self._packed(method, destination, body, headers)
                return self._exchanged(method, destination, body, headers, began)
            except Exception as error:  # noqa: BLE001 - an answer may make a library raise anything
                if ending := self._ending_in(error, outer):
                    raise ending from None
                return explain(exchange, error, time.monotonic() - began)

    def _packed(
        self, method: str, destination: Destination, body: bytes, headers: dict[str, str]
    ) -> bytes:
        if method != "POST" or destination.endpoint not in self._gzip_endpoints:
            return body
        headers["Content-Encoding"] = "gzip"
        return gzipped(body, self._gzip_level)

    def close(self) -> None:
        """Close the connections that are kept alive."""
        self._session.close()

    def _exchange(self, began: float) -> Exchange:
        return Exchange(
            began=began,
            ends=began + self._deadline,
            connect_timeout=self._connect_timeout,
            read_timeout=self._read_timeout,
            max_answer_bytes=self._max_answer_bytes,
        )

    def _exchanged(
        self,
        method: str,
        destination: Destination,
        body: bytes,
        headers: dict[str, str],
        began: float,
    ) -> Answer:
        with self._session.request(
            method,
            destination.url,
            data=body,
            headers=headers,
            timeout=(self._connect_timeout, self._read_timeout),
            allow_redirects=False,
            stream=True,
        ) as response:
            content = read_body(response, self._max_answer_bytes)
        return Answer(
            status=response.status_code,
            headers={
                name.lower(): _masked(value.encode("latin-1"), destination).decode("latin-1")
                for name, value in response.headers.items()
            },
            body=_masked(content, destination),
            seconds=time.monotonic() - began,
        )


def _session(pool_size: int, ca_file: str | None, proxy: str | None) -> requests.Session:
    session = PlainSession()
    session.verify = ca_file or True
    session.proxies = {"http": proxy, "https": proxy} if proxy else {}
    session.headers = requests.structures.CaseInsensitiveDict(
        {
            "User-Agent": f"mixrelay/{version('mixrelay')}",
            "Accept": "application/json",
            "Accept-Encoding": "identity",
        }
    )
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    adapter = BoundedAdapter(pool_size)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


def _masked(text: bytes, destination: Destination) -> bytes:
    for secret in destination.secrets:
        if len(secret) >= _SHORTEST_SECRET:
            text = text.replace(secret, b"***")
    return _IN_RECORDS.sub(rb"\1***", text)
