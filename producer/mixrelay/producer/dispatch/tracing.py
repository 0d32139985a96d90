"""The context of the trace in which a call is made, for its message to carry.

With ``MIXRELAY_OTEL=on`` and ``mixrelay[otel]`` a message is
``{"data": {…}, "traceparent": "00-…"}`` (W3C: Trace Context). It stands beside ``data``, where no
consumer minds it, and so it never becomes a property; the worker's spans link to it. Without
either nothing is added, and nothing of OpenTelemetry is imported.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from mixrelay.producer.dispatch.reporting import logger
from mixrelay.shared.variables import OTEL

Traceparent: TypeAlias = Callable[[], "str | None"]
"""What to write beside ``data`` now; None outside any trace."""


def traceparent_source() -> Traceparent | None:
    """Return what tells a call's context; None where messages carry none."""
    if not OTEL.take():
        return None
    try:
        from opentelemetry.trace import get_current_span  # noqa: PLC0415 - an extra
    except ModuleNotFoundError:
        logger.warning(
            "MIXRELAY_OTEL is on, but OpenTelemetry is not installed, so messages carry no trace: "
            "pip install 'mixrelay[otel]'"
        )
        return None

    def traceparent() -> str | None:
        span = get_current_span().get_span_context()
        if not span.is_valid:
            return None
        return f"00-{span.trace_id:032x}-{span.span_id:016x}-{span.trace_flags:02x}"

    return traceparent
