"""A notice in the form that its receiver reads: plain JSON, Slack, PagerDuty, Alertmanager."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from mixrelay.console.text import cut, iso

_SEVERITIES = {"page": "critical", "ticket": "warning"}
"""In the words of PagerDuty and Alertmanager."""
_RUNBOOKS = {
    "token_refused": "wrong-credentials-or-region",
    "token_unproven": "wrong-credentials-or-region",
    "new_reason": "a-bad-release",
    "new_cause": "a-bad-release",
    "failing": "a-bad-release",
    "paused": "an-outage-of-mixpanel",
    "oldest": "an-outage-of-mixpanel",
    "no_worker": "no-worker-runs",
    "stalled": "no-worker-runs",
    "suspended": "no-worker-runs",
    "letters_go": "a-bad-release",
    "refused": "redis-is-full",
    "writes_refused": "redis-is-full",
    "redis": "redis-is-lost-or-moved",
    "unsafe": "redis-is-full",
    "emptied": "redis-is-lost-or-moved",
}
"""An alert's heading in docs/runbooks.md."""
_SLACK_TEXT, _PAGERDUTY_TEXT = 2_000, 1_024
_LASTS = timedelta(days=30)
"""Alertmanager ends an alert by itself after minutes; this one is ended by its own notice."""


class Shape(StrEnum):
    """Whose form a webhook gets."""

    JSON = "json"
    SLACK = "slack"
    PAGERDUTY = "pagerduty"
    ALERTMANAGER = "alertmanager"


@dataclass(frozen=True, slots=True)
class Extras:
    """What an operator adds to notices."""

    page: str = ""
    """The dashboard's address."""
    runbooks: str = ""
    """The address of the runbooks; a heading is added to it."""
    key: str = ""
    """PagerDuty's routing key."""

    def add(self, notice: Mapping[str, str]) -> dict[str, str]:
        """The notice with the addresses that there are."""
        alert = notice.get("alert", "")
        found = dict(notice)
        if self.page:
            found["link"] = self.page
        if self.runbooks and alert in _RUNBOOKS:
            found["runbook"] = f"{self.runbooks}#{_RUNBOOKS[alert]}"
        return found


def written(shape: Shape, notice: Mapping[str, str], extras: Extras) -> Any:
    """What is posted, as JSON."""
    return _WRITERS[shape](notice, extras)


def _plain(notice: Mapping[str, str], _extras: Extras) -> Any:
    return dict(notice)


def _is_over(notice: Mapping[str, str]) -> bool:
    return notice["event"] == "resolved"


def _slack(notice: Mapping[str, str], _extras: Extras) -> Any:
    sign = ":large_green_circle: Resolved" if _is_over(notice) else _SIGNS[notice["severity"]]
    lines = [f"{sign} *{_escaped(notice['queue'])}*: {_escaped(notice['summary'])}"]
    if not _is_over(notice):
        lines.append(_escaped(notice["what_to_do"]))
    links = {"Dashboard": notice.get("link"), "Runbook": notice.get("runbook")}
    lines += [" · ".join(f"<{address}|{name}>" for name, address in links.items() if address)]
    return {"text": cut_text("\n".join(line for line in lines if line), _SLACK_TEXT)}


_SIGNS = {"page": ":red_circle:", "ticket": ":large_yellow_circle:"}


def _escaped(text: str) -> str:
    """As Slack asks for; a name in a message then links and mentions nobody."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def cut_text(text: str, most: int) -> str:
    """A text of several lines, cut at its end."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _pagerduty(notice: Mapping[str, str], extras: Extras) -> Any:
    links = {"Dashboard": notice.get("link"), "Runbook": notice.get("runbook")}
    found: dict[str, Any] = {
        "routing_key": extras.key,
        "event_action": "resolve" if _is_over(notice) else "trigger",
        "dedup_key": cut(f"mixrelay/{notice['queue']}/{notice['name']}", 255),
        "client": "mixrelay",
        "payload": {
            "summary": cut(f"{notice['queue']}: {notice['summary']}", _PAGERDUTY_TEXT),
            "source": notice["queue"],
            "severity": _SEVERITIES[notice["severity"]],
            "timestamp": notice["since"],
            "component": "mixrelay",
            "class": notice["alert"],
            "custom_details": {"what_to_do": notice["what_to_do"], "name": notice["name"]},
        },
        "links": [{"href": at, "text": name} for name, at in links.items() if at],
    }
    if page := notice.get("link"):
        found["client_url"] = page
    return found


def _alertmanager(notice: Mapping[str, str], _extras: Extras) -> Any:
    now = datetime.now(UTC)
    name = "".join(word.capitalize() for word in notice["alert"].split("_"))
    annotations = {"summary": notice["summary"], "action": notice["what_to_do"]}
    if runbook := notice.get("runbook"):
        annotations["runbook_url"] = runbook
    found = {
        "labels": {
            "alertname": f"Mixrelay{name}",
            "severity": _SEVERITIES[notice["severity"]],
            "queue": notice["queue"],
            "name": notice["name"],
        },
        "annotations": annotations,
        "startsAt": notice["since"],
        "endsAt": iso(now if _is_over(notice) else now + _LASTS),
    }
    if page := notice.get("link"):
        found["generatorURL"] = page
    return [found]


_WRITERS: dict[Shape, Callable[[Mapping[str, str], Extras], Any]] = {
    Shape.JSON: _plain,
    Shape.SLACK: _slack,
    Shape.PAGERDUTY: _pagerduty,
    Shape.ALERTMANAGER: _alertmanager,
}
