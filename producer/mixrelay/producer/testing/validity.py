"""Whether Mixpanel would take what a test tracked, and whether it is what the plan says."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from mixrelay.producer.testing.comparing import cut
from mixrelay.producer.testing.failing import Failing
from mixrelay.producer.testing.seen import EVENTS
from mixrelay.shared.mixpanel import unasked
from mixrelay.shared.mixpanel.whole import breach_of
from mixrelay.shared.plan import OffPlan, Source, TrackingPlan
from mixrelay.shared.tuples import Kind, MalformedTupleError, Message, read, write


class Validity(Failing):
    """Holds every record to Mixpanel's rules, and to a tracking plan.

    Attributes:
        plan: the tracking plan of ``assert_valid`` where a call gives none: a file's path, its
            JSON, or a ``TrackingPlan``.
    """

    plan: Source | None = None

    def assert_valid(self, plan: Source | None = None, *, allow_notices: bool = False) -> None:
        """Check that Mixpanel takes every event and update as it is, and that the plan has it.

        The rules are those by which a worker judges before it sends; what it would refuse becomes
        a dead letter. Beside them stands what Mixpanel changes without an error, such as texts of
        more than 255 characters, which it cuts.

        Args:
            plan: JSON Schemas as Mixpanel's Lexicon lists them: a path, the parsed JSON, or a
                ``TrackingPlan``; else ``self.plan``. Needs ``mixrelay[plan]``.
            allow_notices: leave out what Mixpanel changes without an error.

        Raises:
            AssertionError: names each event, the path of the property, and the rule.
            ConfigurationError: the plan cannot be used.
        """
        __tracebackhide__ = True
        chosen = self.plan if plan is None else plan
        held = None if chosen is None else _plan_of(chosen)
        lines = [*self._lines(held, allow_notices=allow_notices)]
        if lines:
            listed = "".join(f"\n  {line}" for line in lines)
            raise AssertionError(f"Not all of this is valid:{listed}")

    def _lines(self, plan: TrackingPlan | None, *, allow_notices: bool) -> Iterator[str]:
        for kind, text in self._all():
            try:
                message = read(write(kind, text))
            except MalformedTupleError as error:
                yield f"{kind} {cut(text)}: {error} (Mixpanel's rules)"
                continue
            yield from _of_message(message, plan, allow_notices=allow_notices)


def _plan_of(source: Source) -> TrackingPlan:
    if not isinstance(source, str | os.PathLike):
        return TrackingPlan.of(source)
    path = os.fspath(source)
    changed = Path(path).stat().st_mtime_ns if Path(path).exists() else 0
    return _plan_in(path, changed)


@lru_cache(maxsize=8)
def _plan_in(path: str, _: int) -> TrackingPlan:
    """Return a file's plan, which each test of a run would else compile anew."""
    return TrackingPlan.of(path)


def _of_message(
    message: Message, plan: TrackingPlan | None, *, allow_notices: bool
) -> Iterator[str]:
    if message.invalid is not None:
        field, why = message.invalid
        yield f"{_whose(message.kind, message.data)}: {field}: {why} (a mistake of the call)"
        return
    for record, text in message.records():
        breach = breach_of(message.kind, record, text)
        whose = _whose(message.kind, record)
        if breach is not None:
            place = f": {breach.field}" if breach.field else ""
            yield f"{whose}{place}: {breach.rule}{_value(record, breach.field)} (Mixpanel's rules)"
            continue
        if not allow_notices:
            yield from (f"{whose}: {line}" for line in _notices(message.kind, record))
        for off in plan.breaches(message.kind, record) if plan else ():
            yield f"{whose}: {off.field}: {off.rule}{_nearer(plan, off)}{_value(record, off.field)}"


def _notices(kind: Kind, record: dict[str, Any]) -> Iterator[str]:
    if kind not in EVENTS:
        found = unasked.update_findings(record)
    elif unasked.is_ignored(record):
        yield "properties.$ignore: Mixpanel drops it without an error"
        return
    else:
        found = unasked.event_findings(record)
    for one in found:
        yield f"{one.field}: {one.detail} (Mixpanel changes it without an error: {one.kind})"


def _whose(kind: Kind, record: Any) -> str:
    """Name an event or an update, whatever is wrong with it."""
    fields = record if isinstance(record, dict) else {}
    if kind in EVENTS:
        properties = fields.get("properties")
        user = properties.get("distinct_id") if isinstance(properties, dict) else None
        return f"event {cut(fields.get('event'))} of {cut(user)}"
    if kind is Kind.GROUP_UPDATE:
        return f"update of group {cut(fields.get('$group_key'))} {cut(fields.get('$group_id'))}"
    return f"update of {cut(fields.get('$distinct_id'))}"


def _nearer(plan: TrackingPlan | None, off: OffPlan) -> str:
    near = plan.nearest(off.name) if plan is not None and off.field == "event" else None
    return f", but {near!r}" if near else ""


def _value(record: Any, field: str) -> str:
    """Show the value of a field, where it is a member of the record or of its object."""
    outer, _, name = field.partition(".")
    inside = record.get(outer) if name and isinstance(record, dict) else record
    key = name or outer
    if not isinstance(inside, dict) or key not in inside or key in {"event", "properties"}:
        return ""
    return f": {cut(inside[key])}"
