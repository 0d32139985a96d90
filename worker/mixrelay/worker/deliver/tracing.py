"""A span of OpenTelemetry for each request to Mixpanel, where `MIXRELAY_OTEL` is on.

A request carries the messages of many traces, so its span begins a trace of its own and links
to theirs (OpenTelemetry: Semantic conventions for messaging spans, batches). Their contexts are
what a producer wrote beside `data` as `traceparent`. Where spans go is the SDK's affair, which
`opentelemetry-instrument mixrelay worker` sets up.
"""

import logging
import re
from collections.abc import Callable
from itertools import islice
from typing import TYPE_CHECKING, Any

import orjson

from mixrelay.shared.mixpanel.transport import Answer
from mixrelay.worker.base.in_flight import Held
from mixrelay.worker.deliver.contents import Sorted

if TYPE_CHECKING:
    from opentelemetry.trace import Link, Span, Tracer

    from mixrelay.shared.mixpanel.failures import Failure

log = logging.getLogger(__name__)

LINKS_AT_MOST = 128
"""As many as the SDK keeps of a span (OpenTelemetry: Span limits)."""
_REFUSED_FROM = 300
"""Status codes of HTTP."""
_FLUSH_MS = 1_000
# W3C: Trace Context, traceparent of version 00; an id of zeros is none.
_TRACEPARENT = re.compile("00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})")
_MARK = b"traceparent"


class Tracing:
    """Opens the spans of one worker; any thread may."""

    def __init__(self, queue: str, tracer: "Tracer") -> None:
        """`queue` is the list's name."""
        self._queue = queue
        self._tracer = tracer

    @classmethod
    def of(cls, queue: str) -> "Tracing | None":
        """None where the packages are missing, which is said once a shift and stops nothing."""
        try:
            from opentelemetry import trace  # noqa: PLC0415 - an extra
        except ModuleNotFoundError:
            log.warning("no_tracing: MIXRELAY_OTEL is on; pip install 'mixrelay[otel]'")
            return None
        return cls(queue, trace.get_tracer("mixrelay.worker"))

    def post(
        self, held: Held, found: Sorted, post: Callable[[], "Answer | Failure"]
    ) -> "Answer | Failure":
        """Makes the request within a span."""
        from opentelemetry.context import Context  # noqa: PLC0415 - an extra
        from opentelemetry.trace import SpanKind  # noqa: PLC0415

        with self._tracer.start_as_current_span(
            f"deliver {found.destination.endpoint.value}",
            context=Context(),
            kind=SpanKind.CONSUMER,
            links=_links(held, found),
            attributes=self._attributes(held, found),
        ) as span:
            answer = post()
            _end(span, answer)
        return answer

    def flush(self) -> None:
        """Has the SDK export what it holds, for a second at most: a work-horse ends abruptly."""
        from opentelemetry import trace  # noqa: PLC0415 - an extra

        # The API's own provider keeps nothing.
        flush = getattr(trace.get_tracer_provider(), "force_flush", None)
        if flush is not None:
            flush(_FLUSH_MS)

    def _attributes(self, held: Held, found: Sorted) -> dict[str, Any]:
        return {
            "messaging.system": "mixrelay",
            "messaging.operation.name": "deliver",
            "messaging.operation.type": "process",
            "messaging.destination.name": self._queue,
            "messaging.batch.message_count": found.count,
            "mixrelay.destination": found.destination.name,
            "mixrelay.lane": held.batch.lane.value,
            "mixrelay.batch_id": held.batch.id,
            "mixrelay.attempts": held.batch.attempts,
        }


def _end(span: "Span", answer: "Answer | Failure") -> None:
    from opentelemetry.trace import StatusCode  # noqa: PLC0415 - an extra

    if not isinstance(answer, Answer):
        span.set_attribute("error.type", answer.kind.value)
        span.set_status(StatusCode.ERROR, answer.detail)
        return
    span.set_attribute("http.response.status_code", answer.status)
    if answer.status >= _REFUSED_FROM:
        span.set_attribute("error.type", str(answer.status))
        span.set_status(StatusCode.ERROR)


def _links(held: Held, found: Sorted) -> "list[Link]":
    # Few bytes are parsed where nothing is traced.
    traced = [member for member in held.batch.members if _MARK in member.payload]
    sent = {record.number for record in found.records} if traced else set()
    # Most traces have several messages.
    told = dict.fromkeys(traceparent(one.payload) for one in traced if one.number in sent)
    contexts = (_TRACEPARENT.fullmatch(one) for one in told)
    return [_link(*context.groups()) for context in islice(filter(None, contexts), LINKS_AT_MOST)]


def _link(trace_id: str, span_id: str, flags: str) -> "Link":
    from opentelemetry.trace import Link, SpanContext, TraceFlags  # noqa: PLC0415 - an extra

    of = TraceFlags(int(flags, 16))
    return Link(SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=of))


def traceparent(payload: bytes) -> str:
    """What stands beside a message's `data`, not in it; empty where nothing does."""
    try:
        _, message = orjson.loads(payload)
        if isinstance(message, str):
            message = orjson.loads(message)
    except orjson.JSONDecodeError:
        # A record as deep as the parser goes was read alone (`tuples.read`), the whole is a level
        # too deep; what is read so has nothing but an api_key beside it.
        return ""
    told = message.get("traceparent") if isinstance(message, dict) and "data" in message else None
    return told if isinstance(told, str) else ""
