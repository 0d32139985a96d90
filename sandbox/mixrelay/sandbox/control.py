"""The control API under `/_sandbox/`: what arrived, and faults on demand, as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from aiohttp import web

from mixrelay.sandbox.faults import KINDS, fault_from_json
from mixrelay.sandbox.intake import Intake
from mixrelay.sandbox.ledger import Ledger
from mixrelay.sandbox.log import Log
from mixrelay.sandbox.profiles import Profiles

PREFIX = "/_sandbox"
DEFAULT_LIMIT = 100
MAX_LIMIT = 10_000

_Handler = Callable[[web.Request], Any]


def control_routes(intake: Intake) -> list[web.RouteDef]:
    """The routes of the control API."""
    return [
        *_log_routes(intake.ledger),
        *_profile_routes(intake.ledger),
        *_fault_routes(intake),
        web.get(f"{PREFIX}/state", _state(intake)),
        web.post(f"{PREFIX}/reset", _reset(intake)),
    ]


def state(intake: Intake) -> dict[str, Any]:
    """The counts and the faults in force."""
    return {**intake.ledger.summary(), "faults": intake.faults.listing()}


def _state(intake: Intake) -> _Handler:
    async def handler(_: web.Request) -> web.Response:
        return _json(state(intake))

    return handler


def _reset(intake: Intake) -> _Handler:
    async def handler(_: web.Request) -> web.Response:
        intake.ledger.clear()
        return _json({"cleared_faults": intake.faults.clear()})

    return handler


def _log_routes(ledger: Ledger) -> Iterable[web.RouteDef]:
    for name in ("events", "updates", "duplicates", "dropped", "requests"):
        yield web.get(f"{PREFIX}/{name}", _log(ledger, name))


def _log(ledger: Ledger, name: str) -> _Handler:
    async def handler(request: web.Request) -> web.Response:
        offset, limit = _window(request)
        with ledger.lock:
            log: Log[NamedTuple] = getattr(ledger, name)
            total, page = log.total, log.page(offset, limit)
        rows = [entry._asdict() for entry in page]
        return _json({"total": total, "offset": offset, "limit": limit, name: rows})

    return handler


def _profile_routes(ledger: Ledger) -> Iterable[web.RouteDef]:
    yield web.get(f"{PREFIX}/profiles", _profiles(ledger, "profiles", ("distinct_id",)))
    yield web.get(f"{PREFIX}/groups", _profiles(ledger, "groups", ("group_key", "group_id")))


def _profiles(ledger: Ledger, name: str, identifiers: tuple[str, ...]) -> _Handler:
    async def handler(request: web.Request) -> web.Response:
        offset, limit = _window(request)
        with ledger.lock:
            profiles: Profiles = getattr(ledger, name)
            items = profiles.items()
        rows = [
            {**dict(zip(("token", *identifiers), key, strict=True)), "properties": properties}
            for key, properties in items[offset : offset + limit]
        ]
        return _json({"total": len(items), "offset": offset, "limit": limit, name: rows})

    return handler


def _fault_routes(intake: Intake) -> list[web.RouteDef]:
    async def show(_: web.Request) -> web.Response:
        kinds = {name: kind.does for name, kind in KINDS.items()}
        return _json({"faults": intake.faults.listing(), "kinds": kinds})

    async def add(request: web.Request) -> web.Response:
        try:
            told = json.loads(await request.read())
            faults = [fault_from_json(one) for one in (told if isinstance(told, list) else [told])]
        except ValueError as error:
            return _json({"error": str(error)}, status=400)
        return _json({"ids": [intake.faults.add(fault) for fault in faults]}, status=201)

    async def clear(request: web.Request) -> web.Response:
        number = _whole(request, "id", None)
        return _json({"cleared": intake.faults.clear(number)})

    path = f"{PREFIX}/faults"
    return [web.get(path, show), web.post(path, add), web.delete(path, clear)]


def _window(request: web.Request) -> tuple[int, int]:
    offset = _whole(request, "offset", 0) or 0
    limit = _whole(request, "limit", DEFAULT_LIMIT) or 0
    return offset, min(limit, MAX_LIMIT)


def _whole(request: web.Request, name: str, default: int | None) -> int | None:
    told = request.query.get(name)
    if told is None:
        return default
    if not told.isdecimal():
        message = json.dumps({"error": f"{name} is a whole number, not {told!r}"})
        raise web.HTTPBadRequest(text=message, content_type="application/json")
    return int(told)


def _json(body: dict[str, Any], *, status: int = 200) -> web.Response:
    return web.json_response(body, status=status)
