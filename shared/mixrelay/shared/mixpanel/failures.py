"""Exchanges that brought no whole answer, and what each leaves one to know."""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass
from enum import StrEnum
from http.client import HTTPException
from typing import TYPE_CHECKING

from urllib3.exceptions import HTTPError

from mixrelay.shared.mixpanel.exchange import AnswerTooLargeError, Exchange, Stage
from mixrelay.shared.shortage import is_shortage, shortage_words

if TYPE_CHECKING:
    from collections.abc import Iterator


class FailureKind(StrEnum):
    """Why no whole answer came."""

    DNS = "dns"
    """The host's name could not be resolved."""
    CONNECT = "connect"
    """Refused, unreachable, or a proxy that would not let through."""
    TIMEOUT_BEFORE_SENT = "timeout_before_sent"
    """Resolving, connecting or the TLS handshake took too long."""
    TLS_CERTIFICATE = "tls_certificate"
    """The server's certificate is not valid for its name."""
    TLS_HANDSHAKE = "tls_handshake"
    """TLS failed for another reason."""
    NO_ANSWER = "no_answer"
    """The request went out; the connection ended, or nothing came within the read timeout."""
    DEADLINE = "deadline"
    """The request went out; the whole answer was not there when time was up."""
    CUT_ANSWER = "cut_answer"
    """An answer began and could not be read to its end: cut, or not HTTP."""
    TOO_LARGE = "too_large"
    """The answer is larger than any of Mixpanel's."""
    WORKER = "worker"
    """This process lacks memory, threads or file descriptors; it says nothing of the request."""
    UNEXPECTED = "unexpected"
    """Something else was raised before an answer began: by a library, or by a fault of ours."""


@dataclass(frozen=True, slots=True)
class Failure:
    """An exchange without a whole answer.

    Attributes:
        sent: whether bytes of the request may have reached Mixpanel; a connection that was kept
            alive and reset counts as sent, since nobody can know.
        detail: what happened, in words; holds neither credentials nor the request.
        seconds: how long the exchange took.
    """

    kind: FailureKind
    sent: bool
    detail: str
    seconds: float = 0.0


def explain(exchange: Exchange, error: Exception, seconds: float) -> Failure:
    """Name what ended an exchange, from how far it had come and the error's causes."""
    causes = list(_causes(error))
    sent = exchange.stage is Stage.SENDING
    kind = _kind_whenever(exchange, causes) or (
        _kind_after(exchange, causes, seconds) if sent else _kind_before(exchange, causes)
    )
    return Failure(kind, sent, _detail(kind, exchange, causes), seconds)


def _kind_whenever(exchange: Exchange, causes: list[BaseException]) -> FailureKind | None:
    if any(is_shortage(cause) for cause in causes):
        return FailureKind.WORKER
    if exchange.received or any(isinstance(cause, _OF_NETWORKS) for cause in causes):
        return None
    return FailureKind.UNEXPECTED


_OF_NETWORKS = (OSError, HTTPError, HTTPException)


def _kind_before(exchange: Exchange, causes: list[BaseException]) -> FailureKind:
    if _first(causes, ssl.SSLCertVerificationError):
        return FailureKind.TLS_CERTIFICATE
    if _first(causes, TimeoutError):
        return FailureKind.TIMEOUT_BEFORE_SENT
    if exchange.stage is Stage.RESOLVING:
        return FailureKind.DNS
    return FailureKind.TLS_HANDSHAKE if exchange.stage is Stage.HANDSHAKE else FailureKind.CONNECT


def _kind_after(exchange: Exchange, causes: list[BaseException], seconds: float) -> FailureKind:
    if _first(causes, AnswerTooLargeError):
        return FailureKind.TOO_LARGE
    if exchange.began + seconds >= exchange.ends:
        return FailureKind.DEADLINE
    return FailureKind.CUT_ANSWER if exchange.received else FailureKind.NO_ANSWER


_WORDS = {
    FailureKind.DNS: "the host's name was not found",
    FailureKind.CONNECT: "no connection",
    FailureKind.TIMEOUT_BEFORE_SENT: "no connection in time",
    FailureKind.TLS_CERTIFICATE: "the server's certificate is not valid",
    FailureKind.TLS_HANDSHAKE: "the TLS handshake failed",
    FailureKind.NO_ANSWER: "the request was sent and no answer came",
    FailureKind.DEADLINE: "the request was sent and its answer was not whole when time was up",
    FailureKind.CUT_ANSWER: "the answer began and could not be read to its end",
    FailureKind.TOO_LARGE: "the answer is too large to be Mixpanel's",
    FailureKind.WORKER: "this process ran short",
    FailureKind.UNEXPECTED: "the exchange ended in an error",
}


PROXY_AUTHENTICATION = 407
_TUNNEL = re.compile(r"Tunnel connection failed: ([0-9]{3})")
"""As http.client says that a proxy would not connect."""


def proxy_refuses(status: int) -> str:
    """Say what a proxy's refusal means, and what to set."""
    if status == PROXY_AUTHENTICATION:
        return "the proxy wants a user and a password (407): put them into MIXRELAY_PROXY"
    return f"the proxy refused to connect ({status}): let it through to Mixpanel, port 443"


def _detail(kind: FailureKind, exchange: Exchange, causes: list[BaseException]) -> str:
    """Say it in our words and the system's; libraries' texts repeat addresses and requests."""
    words = _WORDS[kind]
    if kind is FailureKind.WORKER:
        return f"{words} of {next(shortage_words(one) for one in causes if is_shortage(one))}"
    if kind is FailureKind.UNEXPECTED:
        return f"{words} ({type(causes[0]).__name__})"
    certificate = _first(causes, ssl.SSLCertVerificationError)
    if isinstance(certificate, ssl.SSLCertVerificationError):
        return f"{words}: {certificate.verify_message}"
    tunnels = [_TUNNEL.search(str(cause)) for cause in causes if isinstance(cause, OSError)]
    for tunnel in filter(None, tunnels):
        return f"{words}: {proxy_refuses(int(tunnel[1]))}"
    system = [cause for cause in causes if isinstance(cause, OSError) and cause.strerror]
    if system and not _first(causes, TimeoutError):
        return f"{words}: {system[-1].strerror}"
    if kind in {FailureKind.NO_ANSWER, FailureKind.CUT_ANSWER} and _first(causes, TimeoutError):
        return f"{words}: silent for {exchange.read_timeout:g} s"
    return words


def _first(causes: list[BaseException], kind: type[BaseException]) -> BaseException | None:
    return next((cause for cause in causes if isinstance(cause, kind)), None)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Walk from an error to its root; urllib3 keeps causes in ``args`` and ``reason`` too."""
    seen: set[int] = set()
    waiting: list[object] = [error]
    while waiting:
        item = waiting.pop(0)
        if not isinstance(item, BaseException) or id(item) in seen:
            continue
        seen.add(id(item))
        yield item
        waiting += [item.__cause__, item.__context__, getattr(item, "reason", None), *item.args]
