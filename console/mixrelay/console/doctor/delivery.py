"""Mixpanel: does each endpoint answer, and does it know these credentials?

What is sent leaves nothing in a project: an empty list, and to `/import` the nameless record of
`proving`. The other endpoints answer alike to any token, so a token is proven at `/import`.
"""

import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime

from mixrelay.console.doctor.findings import Area, Finding
from mixrelay.console.text import duration
from mixrelay.shared.mixpanel import answers, proving
from mixrelay.shared.mixpanel.endpoints import Credentials, Destination, Endpoint
from mixrelay.shared.mixpanel.failures import Failure
from mixrelay.shared.mixpanel.proving import Elsewhere
from mixrelay.shared.mixpanel.transport import Answer, Transport
from mixrelay.shared.settings import Settings

MIXPANEL = Area("mixpanel")

NOTHING = b"[]"
_TEMPORARY = frozenset({408, 429, 500, 502, 503, 504})
_CLOCK_SECONDS = 60.0


def check_mixpanel(settings: Settings, transport: Transport) -> Iterator[Finding]:
    """Every endpoint with the worker's own credentials."""
    dated: Answer | None = None
    for endpoint in (Endpoint.TRACK, Endpoint.ENGAGE, Endpoint.GROUPS):
        answer = transport.post(_destination(endpoint, settings.base), NOTHING)
        dated = answer if isinstance(answer, Answer) else dated
        yield _reached(f"/{endpoint}", answer)
    yield from _token(settings, transport)
    yield from _account(settings, transport)
    if dated is not None:
        yield from _clock(dated)


def _destination(
    endpoint: Endpoint, base: str, credentials: Credentials | None = None
) -> Destination:
    return Destination(endpoint, base, credentials)


def _reached(check: str, answer: Answer | Failure) -> Finding:
    if isinstance(answer, Failure):
        return MIXPANEL.error(check, f"Not reached: {answer.detail}.", _advice(answer))
    if not _is_mixpanels(answer):
        return MIXPANEL.error(
            check,
            f"Something else answers there: {answer.status} {answers.said(answer)[:200]}",
            "Check MIXPANEL_API_HOST, and whether a proxy or a login page stands between.",
        )
    if answer.status in _TEMPORARY:
        return MIXPANEL.warning(
            check,
            f"It answers {answer.status}: {answers.said(answer)[:200]}",
            "Messages wait in the queue meanwhile; nothing to do if it passes.",
        )
    return MIXPANEL.ok(check, f"It answers in {answer.seconds * 1000:.0f} ms.")


def _token(settings: Settings, transport: Transport) -> Iterator[Finding]:
    if settings.account and not settings.token:
        yield MIXPANEL.error(
            "token",
            "MIXPANEL_TOKEN is not set: workers with a service account do not start without it.",
            "Set it to the token of the project in MIXPANEL_PROJECT_ID, whose records the account "
            "imports.",
        )
        return
    if not settings.token:
        yield MIXPANEL.warning(
            "token",
            "MIXPANEL_TOKEN is not set: workers send only messages that bring a token.",
            "Set MIXPANEL_TOKEN to the token in Mixpanel's project settings.",
        )
        return
    yield _proven("token", Credentials.key(settings.token), settings, transport)


def _account(settings: Settings, transport: Transport) -> Iterator[Finding]:
    if settings.account is None:
        yield MIXPANEL.ok(
            "service account", f"None is set: the token serves. {_events_go_to(settings)}"
        )
        return
    yield _proven("service account", settings.account, settings, transport)


def _events_go_to(settings: Settings) -> str:
    if settings.events_endpoint == "import":
        return "Events go to /import."
    return "Events go to /track, which drops what it refuses without an error."


def _proven(
    check: str, credentials: Credentials, settings: Settings, transport: Transport
) -> Finding:
    answer = _ask(transport, settings.base, credentials)
    if isinstance(answer, Answer) and proving.is_refusal(answer):
        return _refused(check, credentials, settings, transport, answer)
    reached = _reached(check, answer)
    if reached.todo:
        return reached
    return MIXPANEL.ok(check, f"/import accepts it {_place(settings)}.")


def _place(settings: Settings) -> str:
    return f"at {settings.base}" if settings.api_host else f"in region {settings.region}"


def _refused(
    check: str, credentials: Credentials, settings: Settings, transport: Transport, answer: Answer
) -> Finding:
    elsewhere: str | Elsewhere = Elsewhere.UNKNOWN
    if not settings.api_host:
        elsewhere = proving.look_elsewhere(transport.post, settings.base, credentials)
    if not isinstance(elsewhere, Elsewhere):
        return MIXPANEL.error(
            check,
            f"Mixpanel refuses it in region {settings.region}, and knows it in {elsewhere}.",
            f"Set MIXPANEL_REGION={elsewhere} and restart the workers.",
        )
    everywhere = elsewhere is Elsewhere.NOWHERE
    too = ", and so do the other regions" if everywhere else ""
    return MIXPANEL.error(
        check,
        f"Mixpanel refuses it {_place(settings)}{too}: {answer.status} "
        f"{answers.said(answer)[:200]}",
        f"{_what_to_compare(check, everywhere=everywhere)} {_KEPT}",
    )


_KEPT = "Workers read settings when they start; they keep what waits until then."
_ESCAPE = (
    "If Mixpanel shows this token, MIXRELAY_EVENTS_ENDPOINT=track with MIXRELAY_PROVE_TOKENS=off "
    "sends without the proof."
)


def _what_to_compare(check: str, *, everywhere: bool) -> str:
    """Which settings to look at, after a refusal in this region, or `everywhere`."""
    region = ""
    if not everywhere:
        region = " Compare MIXPANEL_REGION or MIXPANEL_API_HOST with the project's data residency."
    if check == "token":
        return f"Compare MIXPANEL_TOKEN with Mixpanel's project settings.{region} {_ESCAPE}"
    return (
        "Compare MIXPANEL_SERVICE_ACCOUNT_USERNAME, …_SECRET and MIXPANEL_PROJECT_ID with "
        f"Mixpanel; the account's role in the project must be Owner or Admin.{region}"
    )


def _ask(transport: Transport, base: str, credentials: Credentials) -> Answer | Failure:
    return proving.ask_import(transport.post, base, credentials)


def _is_mixpanels(answer: Answer) -> bool:
    """Whether the body has one of the forms that Mixpanel's answers have."""
    body = answers.parsed(answer)
    return (
        answers.accepted(body)
        or answers.refused(body)
        or (isinstance(body, dict) and ("error" in body or "code" in body))
        or answer.status in _TEMPORARY
    )


def _advice(failure: Failure) -> str:
    return {
        "dns": "Check MIXPANEL_API_HOST or MIXPANEL_REGION, and this machine's name service.",
        "tls_certificate": "A proxy that opens TLS needs its certificates in MIXRELAY_CA_FILE.",
    }.get(failure.kind, "Check the firewall; MIXRELAY_PROXY sets a proxy, if one is needed.")


def _clock(answer: Answer) -> Iterator[Finding]:
    try:
        told = parsedate_to_datetime(answer.headers.get("date", "")).timestamp()
    except ValueError:
        return
    apart = abs(time.time() - told)
    if apart > _CLOCK_SECONDS:
        yield MIXPANEL.warning(
            "clock",
            f"Mixpanel's clock and this machine's are {duration(apart)} apart.",
            "Let NTP set it: events carry this machine's time.",
        )
    else:
        yield MIXPANEL.ok("clock", "Mixpanel and this machine agree on the time.")
