"""One request to Mixpanel and its answer, within one deadline."""

from __future__ import annotations

import re
import time
import zlib
from dataclasses import dataclass, field
from http.client import HTTPException
from http.cookiejar import DefaultCookiePolicy
from importlib.metadata import version
from typing import TYPE_CHECKING

import requests
from urllib3.exceptions import HTTPError

from mixrelay.shared.mixpanel.endpoints import Destination, Endpoint
from mixrelay.shared.mixpanel.exchange import AnswerTooLargeError, Exchange, running
from mixrelay.shared.mixpanel.failures import Failure, explain
from mixrelay.shared.mixpanel.packing import gzipped
from mixrelay.shared.mixpanel.sockets import BoundedAdapter

if TYPE_CHECKING:
    from collections.abc import Mapping

GZIP_ENDPOINTS = frozenset({Endpoint.TRACK, Endpoint.IMPORT})
"""Mixpanel: Set Property says that gzip is not supported on ``/engage``."""

MAX_ANSWER_BYTES = 4 * 1024 * 1024
"""An answer that refuses 2,000 records, each with a message, stays well below."""

# A shorter "secret" is a placeholder, and replacing it would break an answer's JSON.
_SHORTEST_SECRET = 6

# In records that an answer repeats, quoted as often as JSON in JSON quotes them: with a service
# account the records' own token is no part of the destination.
_IN_RECORDS = re.compile(rb"""((?:token|api_key)\\*["']\s*:\s*\\*["'])[^"'\\]+""")

# Accepts zlib's and gzip's headers alike.
_ANY_HEADER = 47


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
        """
        self._connect_timeout = connect_timeout
        self._read_timeout = read_timeout
        self._deadline = deadline
        self._max_answer_bytes = max_answer_bytes
        self._gzip_level = gzip_level
        self._gzip_endpoints = gzip_endpoints if gzip_level else frozenset()
        self._session = _session(pool_size, ca_file, proxy)

    def post(self, destination: Destination, body: bytes) -> Answer | Failure:
        """Send one JSON body and return what came of it; raises nothing for what a network does."""
        began = time.monotonic()
        headers = {"Content-Type": "application/json"}
        if destination.endpoint in self._gzip_endpoints:
            headers["Content-Encoding"] = "gzip"
            body = gzipped(body, self._gzip_level)
        return self._answer("POST", destination, body, headers, began)

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
        with running(self._exchange(began)) as exchange:
            try:
                return self._exchanged(method, destination, body, headers, began)
            except (OSError, HTTPError, HTTPException) as error:
                return explain(exchange, error, time.monotonic() - began)

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
            # Unencoded bytes, so that a small answer cannot unpack to a huge one.
            raw = response.raw.read(decode_content=False)
            content = self._unpacked(raw, response.headers.get("Content-Encoding", ""))
        return Answer(
            status=response.status_code,
            headers={
                name.lower(): _masked(value.encode("latin-1"), destination).decode("latin-1")
                for name, value in response.headers.items()
            },
            body=_masked(content, destination),
            seconds=time.monotonic() - began,
        )

    def _unpacked(self, raw: bytes, coding: str) -> bytes:
        """Unpack what a proxy packed although we asked for plain bytes."""
        if coding.lower() in {"gzip", "x-gzip", "deflate"}:
            try:
                raw = zlib.decompressobj(_ANY_HEADER).decompress(raw, self._max_answer_bytes + 1)
            except zlib.error as error:
                raise HTTPException("the answer's gzip is broken") from error
        if len(raw) > self._max_answer_bytes:
            raise AnswerTooLargeError("the answer is too large")
        return raw


def _session(pool_size: int, ca_file: str | None, proxy: str | None) -> requests.Session:
    session = requests.Session()
    session.trust_env = False
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
