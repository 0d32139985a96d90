"""The page at `/`: what arrived last and which faults are in force, for a person to read."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from dataclasses import fields
from html import escape
from importlib import resources
from string import Template
from typing import Any

from aiohttp import web

from mixrelay.sandbox.faults import Fault
from mixrelay.sandbox.intake import Intake
from mixrelay.sandbox.ledger import Arrival, Dropped, Request
from mixrelay.sandbox.notes import KINDS

NEWEST = 20
_CUT = 160
# What arrives is written by strangers: even if something slipped past escape(), nothing would run.
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
    "Cache-Control": "no-store",
}
_COUNTS = {
    "requests": "requests",
    "events": "events",
    "updates": "updates",
    "profiles": "profiles",
    "groups": "groups",
    "duplicates": "duplicates folded",
    "dropped": "dropped",
    "dropped_silently": "dropped in silence",
}


def page_route(intake: Intake) -> web.RouteDef:
    """The route of the page."""
    source = resources.files(__package__).joinpath("page.html").read_text(encoding="utf-8")
    template = Template(source)

    async def handler(_: web.Request) -> web.Response:
        html = template.substitute(_parts(intake))
        # A lone surrogate in a name cannot be written in UTF-8.
        body = html.encode("utf-8", "backslashreplace")
        return web.Response(body=body, content_type="text/html", charset="utf-8", headers=_HEADERS)

    return web.get("/", handler)


def _parts(intake: Intake) -> dict[str, str]:
    ledger = intake.ledger
    with ledger.lock:
        summary = ledger.summary()
        events, updates = ledger.events.newest(NEWEST), ledger.updates.newest(NEWEST)
        dropped, requests = ledger.dropped.newest(NEWEST), ledger.requests.newest(NEWEST)
    return {
        "counts": _counts(summary),
        "faults": _rows(map(_fault_cells, intake.faults.listing()), 5, "No faults are in force."),
        "notes": _rows(map(_note_cells, summary["notes"].items()), 3, "Nothing was changed."),
        "events": _rows(map(_event_cells, events), 6, "No events yet."),
        "updates": _rows(map(_update_cells, updates), 6, "No profile or group updates yet."),
        "dropped": _rows(map(_dropped_cells, dropped), 5, "Nothing was dropped."),
        "requests": _rows(map(_request_cells, requests), 9, "No requests yet."),
    }


def _counts(summary: dict[str, Any]) -> str:
    return "".join(
        f"<div><dd>{summary[name]:,}</dd><dt>{label}</dt></div>" for name, label in _COUNTS.items()
    )


def _rows(rows: Iterable[list[Any]], width: int, nothing: str) -> str:
    html = "".join(f"<tr>{''.join(map(_cell, cells))}</tr>" for cells in rows)
    return html or f'<tr><td colspan="{width}" class="nothing">{escape(nothing)}</td></tr>'


def _cell(value: Any) -> str:
    text = "" if value is None else str(value)
    return f"<td>{escape(text if len(text) <= _CUT else text[:_CUT] + '…')}</td>"


def _fault_cells(fault: dict[str, Any]) -> list[Any]:
    told = {
        part.name: fault[part.name]
        for part in fields(Fault)
        if part.name not in {"kind", "endpoint"} and fault[part.name] != part.default
    }
    met = f"{fault['fired']} of {fault['seen']}" + ("" if fault["active"] else ", spent")
    return [fault["id"], fault["kind"], fault["endpoint"], met, json.dumps(told)]


def _event_cells(arrival: Arrival) -> list[Any]:
    properties = arrival.record["properties"]
    name, user = arrival.record["event"], properties.get("distinct_id", arrival.user)
    return [arrival.number, _clock(arrival.at), arrival.endpoint, name, user, _noted(arrival)]


def _update_cells(arrival: Arrival) -> list[Any]:
    record = arrival.record
    whom = record.get("$distinct_id") or f"{record.get('$group_key')} {record.get('$group_id')}"
    what = {name: value for name, value in record.items() if isinstance(value, (dict, list))}
    update = json.dumps(what or record)
    return [arrival.number, _clock(arrival.at), arrival.endpoint, whom, update, _noted(arrival)]


def _noted(arrival: Arrival) -> str:
    return "; ".join(f"{note.field[:_CUT]}: {note.text}" for note in arrival.notes)


def _note_cells(noted: tuple[str, int]) -> list[Any]:
    kind, count = noted
    return [f"{count:,}", kind, KINDS[kind]]


def _dropped_cells(drop: Dropped) -> list[Any]:
    told = "in silence" if drop.silent else "told"
    return [_clock(drop.at), drop.endpoint, f"{drop.field} {drop.reason}", told, repr(drop.record)]


def _request_cells(request: Request) -> list[Any]:
    size = f"{request.bytes:,}" + (" gzip" if request.gzip else "")
    status = "no answer" if request.status is None else request.status
    return [
        request.number,
        _clock(request.at),
        f"{request.method} {request.endpoint}",
        "&".join(f"{name}={value}" for name, value in request.query.items()),
        status,
        request.fault,
        f"{request.accepted} of {request.records}",
        size,
        request.user_agent,
    ]


def _clock(at: float) -> str:
    return time.strftime("%H:%M:%S", time.localtime(at))
