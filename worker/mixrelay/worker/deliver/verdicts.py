"""What each answer of Mixpanel's means for the batch that was sent.

Pure functions of an answer: no clock, no network, no queue. The tables below are the rules;
they hold for all four endpoints. Only Mixpanel's own body refuses a message or a token: what a
proxy or a firewall answers says nothing of either.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING

from mixrelay.shared.mixpanel.answers import (
    FailedRecord,
    accepted,
    failed_records,
    is_mixpanels,
    parsed,
    printable,
    refused,
    retry_after,
    said,
)
from mixrelay.shared.mixpanel.failures import (
    PROXY_AUTHENTICATION,
    Failure,
    FailureKind,
    proxy_refuses,
)
from mixrelay.shared.mixpanel.unasked import unconfirmed

if TYPE_CHECKING:
    from mixrelay.shared.mixpanel.transport import Answer


@dataclass(frozen=True, slots=True)
class Delivered:
    """Mixpanel took every record.

    Attributes:
        unconfirmed: how many of them `num_records_imported` leaves out.
    """

    unconfirmed: int = 0


@dataclass(frozen=True, slots=True)
class Partial:
    """Mixpanel refused the named records, by index, and took the others for good."""

    failed: dict[int, FailedRecord]
    status: int
    unconfirmed: int = 0
    """How many of the others `num_records_imported` leaves out."""


@dataclass(frozen=True, slots=True)
class Split:
    """Something in it is refused: halve it; a record alone is a dead letter ``rejected``."""

    status: int
    said: str


@dataclass(frozen=True, slots=True)
class TooLarge:
    """Too many bytes: halve it; a record alone is a dead letter ``too_large``."""

    status: int
    said: str


@dataclass(frozen=True, slots=True)
class Misconfigured:
    """The worker's settings are wrong, not the message: keep it, pause its destination, say so."""

    status: int | None
    said: str
    sent: bool = True
    """Whether anything of the request went out."""


@dataclass(frozen=True, slots=True)
class Unauthorized:
    """The message's own key or foreign token is refused: dead letters ``unauthorized``."""

    status: int
    said: str


@dataclass(frozen=True, slots=True)
class Retry:
    """A failure that may pass: park the batch and pause its destination.

    Attributes:
        counts: whether it uses up one of the batch's attempts, since the batch may be the cause.
        ambiguous: whether Mixpanel may have taken the records all the same.
        retry_after: seconds that the server asked for, within bounds.
        status: of the answer; None where there was none.
        sent: whether anything of the request went out.
    """

    counts: bool
    ambiguous: bool
    said: str
    status: int | None = None
    retry_after: float | None = None
    sent: bool = True


@dataclass(frozen=True, slots=True)
class TokenRefused:
    """The project token is refused, and all its circuits are open: keep the batch behind them."""

    status: int
    said: str


@dataclass(frozen=True, slots=True)
class Short:
    """This process lacks what a request takes: try the batch again, and pause nobody."""

    said: str
    sent: bool


Verdict = (
    Delivered
    | Partial
    | Split
    | TooLarge
    | Misconfigured
    | Unauthorized
    | TokenRefused
    | Retry
    | Short
)


class _Row(Enum):
    SPLIT = auto()
    TOO_LARGE = auto()
    UNAUTHORIZED = auto()
    MISCONFIGURED = auto()
    OUTAGE = auto()
    """Retried for as long as it takes; the records were not taken."""
    OUTAGE_UNSURE = auto()
    """The same, but what stands between may have passed the records on."""
    DOUBTFUL = auto()
    """Retried with a limit: the batch itself may be what makes it fail."""
    SHORT = auto()
    """This process's own trouble."""
    BLOCKED = auto()
    """The same, by something in between, which did not pass the records on."""
    BLOCKED_BY_SIZE = auto()
    """Halved as what is too large, which is safe whoever asks; a record alone is BLOCKED."""


STATUSES = {
    400: _Row.SPLIT,
    401: _Row.UNAUTHORIZED,
    403: _Row.UNAUTHORIZED,
    404: _Row.MISCONFIGURED,
    407: _Row.MISCONFIGURED,  # of a proxy, before anything passed it
    408: _Row.OUTAGE,
    413: _Row.TOO_LARGE,
    429: _Row.OUTAGE,
    500: _Row.DOUBTFUL,
    502: _Row.OUTAGE_UNSURE,
    503: _Row.OUTAGE,
    504: _Row.OUTAGE_UNSURE,
    # A redirect is never followed: it would hand body and token to another host.
    **dict.fromkeys(range(300, 400), _Row.MISCONFIGURED),
}
"""The row of each status; any other is DOUBTFUL, which loses nothing whatever it means."""

NOT_MIXPANELS = {
    400: _Row.BLOCKED,
    # A web application firewall's, which may be about one record, or about the address of all.
    403: _Row.BLOCKED,
    401: _Row.MISCONFIGURED,
    407: _Row.MISCONFIGURED,
    413: _Row.BLOCKED_BY_SIZE,
}
"""The row of a status where the body is none of Mixpanel's; else that of STATUSES."""

FAILURES = {
    FailureKind.DNS: _Row.OUTAGE,
    FailureKind.CONNECT: _Row.OUTAGE,
    FailureKind.TIMEOUT_BEFORE_SENT: _Row.OUTAGE,
    FailureKind.TLS_HANDSHAKE: _Row.OUTAGE,
    FailureKind.TLS_CERTIFICATE: _Row.MISCONFIGURED,
    FailureKind.NO_ANSWER: _Row.OUTAGE_UNSURE,
    FailureKind.DEADLINE: _Row.OUTAGE_UNSURE,
    FailureKind.CUT_ANSWER: _Row.DOUBTFUL,
    FailureKind.TOO_LARGE: _Row.DOUBTFUL,
    FailureKind.WORKER: _Row.SHORT,
    FailureKind.UNEXPECTED: _Row.DOUBTFUL,
}
"""The row of each exchange that brought no whole answer."""


def judge(outcome: Answer | Failure, *, count: int, own: bool, now: float) -> Verdict:
    """Return what an exchange means for its batch.

    Args:
        outcome: what the transport returned.
        count: how many records the request carried.
        own: whether it went out with the worker's own credentials.
        now: seconds since the epoch, for a ``Retry-After`` that is a date.
    """
    if isinstance(outcome, Failure):
        return _judge_failure(outcome)
    body = parsed(outcome)
    failed = failed_records(body, count)
    if failed:
        return Partial(failed, outcome.status, unconfirmed(body, count - len(failed)))
    if outcome.status == 200:  # noqa: PLR2004 - HTTP
        return _judge_success(outcome, body, count)
    row = STATUSES.get(outcome.status, _Row.DOUBTFUL)
    if not is_mixpanels(body):
        return _judge_other(outcome, NOT_MIXPANELS.get(outcome.status, row), count, now)
    return _judge_status(outcome, row, own=own, now=now)


def _judge_success(answer: Answer, body: object, count: int) -> Verdict:
    """Believe a 200 only where its body is Mixpanel's: a proxy's page is one too."""
    names_some = isinstance(body, dict) and body.get("failed_records")
    if refused(body) or names_some:
        return Split(answer.status, said(answer))
    if accepted(body):
        return Delivered(unconfirmed(body, count))
    return Retry(
        counts=True, ambiguous=True, said=f"not Mixpanel's answer: {said(answer)}", status=200
    )


def _judge_other(answer: Answer, row: _Row, count: int, now: float) -> Verdict:
    """Judge what something between the worker and Mixpanel answers."""
    words = said(answer)
    if row is _Row.BLOCKED_BY_SIZE and count > 1:
        return TooLarge(answer.status, words)
    if row is _Row.MISCONFIGURED:
        return Misconfigured(answer.status, _configuration(answer, words, _BETWEEN))
    is_blocked = row in {_Row.BLOCKED, _Row.BLOCKED_BY_SIZE}
    row = _Row.DOUBTFUL if is_blocked else row
    words = f"not Mixpanel's answer ({answer.status}): {words}" if is_blocked else words
    return _retry(answer, row, words, now, passed_on=not is_blocked)


def _judge_status(answer: Answer, row: _Row, *, own: bool, now: float) -> Verdict:
    status, words = answer.status, said(answer)
    if row is _Row.SPLIT:
        return Split(status, words)
    if row is _Row.TOO_LARGE:
        return TooLarge(status, words)
    if row is _Row.UNAUTHORIZED and not own:
        return Unauthorized(status, words)
    if row in {_Row.UNAUTHORIZED, _Row.MISCONFIGURED}:
        return Misconfigured(status, _configuration(answer, words, _BY_MIXPANEL))
    return _retry(answer, row, words, now)


def _retry(answer: Answer, row: _Row, words: str, now: float, *, passed_on: bool = True) -> Retry:
    return Retry(
        counts=row is _Row.DOUBTFUL,
        ambiguous=passed_on and row is not _Row.OUTAGE,
        said=words,
        status=answer.status,
        retry_after=retry_after(answer.headers.get("retry-after"), now),
    )


def _judge_failure(failure: Failure) -> Verdict:
    row = FAILURES[failure.kind]
    if row is _Row.MISCONFIGURED:
        return Misconfigured(None, failure.detail, sent=failure.sent)
    if row is _Row.SHORT:
        return Short(failure.detail, failure.sent)
    return Retry(
        counts=row is _Row.DOUBTFUL,
        ambiguous=failure.sent,
        said=failure.detail,
        sent=failure.sent,
    )


_BY_MIXPANEL = "Mixpanel refuses the credentials"
_BETWEEN = (
    "a proxy or firewall between the worker and Mixpanel refuses the request, check MIXRELAY_PROXY "
    "and MIXPANEL_API_HOST"
)
_REFUSALS = frozenset({401, 403})


def _configuration(answer: Answer, words: str, who_refuses: str) -> str:
    """Say what in the settings an answer speaks of."""
    if answer.status == PROXY_AUTHENTICATION:
        return f"{proxy_refuses(PROXY_AUTHENTICATION)}: {words}"
    if answer.status in _REFUSALS:
        return f"{who_refuses} ({answer.status}): {words}"
    location = answer.headers.get("location")
    if location:
        return f"a redirect ({answer.status}) to {printable(location)}, not followed"
    return f"no such address ({answer.status}), check the region and the API host: {words}"
