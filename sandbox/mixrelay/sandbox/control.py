"""The control API under `/_sandbox/`: what arrived, credentials and faults on demand, as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from aiohttp import web

from mixrelay.sandbox.faults import KINDS, fault_from_json
from mixrelay.sandbox.intake import Intake
from mixrelay.sandbox.known import Known
from mixrelay.sandbox.ledger import Ledger
from mixrelay.sandbox.log import Log
from mixrelay.sandbox.lookups import LookupTables
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
        *_credential_routes(intake.known),
        web.get(f"{PREFIX}/users", _users(intake.ledger)),
        web.get(f"{PREFIX}/lookup-tables", _lookup_tables(intake.lookups)),
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
        return _json({"cleared_faults": intake.reset()})

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
        rows = [_row(entry) for entry in page]
        return _json({"total": total, "offset": offset, "limit": limit, name: rows})

    return handler


def _row(entry: NamedTuple) -> dict[str, Any]:
    row = entry._asdict()
    if "notes" in row:
        row["notes"] = [note._asdict() for note in row["notes"]]
    return row


def _users(ledger: Ledger) -> _Handler:
    async def handler(request: web.Request) -> web.Response:
        offset, limit = _window(request)
        token = request.query.get("token")
        users = [user for user in ledger.users() if token in {None, user.token}]
        rows = [user._asdict() for user in users[offset : offset + limit]]
        return _json({"total": len(users), "offset": offset, "limit": limit, "users": rows})

    return handler


def _lookup_tables(lookups: LookupTables) -> _Handler:
    async def handler(request: web.Request) -> web.Response:
        offset, limit = _window(request)
        rows = [
            {**table._asdict(), "total": len(table.rows), "rows": table.rows[offset:][:limit]}
            for table in lookups.items()
        ]
        return _json({"offset": offset, "limit": limit, "lookup_tables": rows})

    return handler


def _credential_routes(known: Known) -> list[web.RouteDef]:
    async def show(_: web.Request) -> web.Response:
        return _json(known.shown())

    async def change(request: web.Request) -> web.Response:
        try:
            change_credentials(known, json.loads(await request.read()))
        except ValueError as error:
            return _json({"error": str(error)}, status=400)
        return _json(known.shown())

    path = f"{PREFIX}/credentials"
    return [web.get(path, show), web.post(path, change)]


def change_credentials(known: Known, change: Any) -> None:
    """Change what a sandbox knows, as `POST /_sandbox/credentials` says it.

    Args:
        known: what is changed.
        change: an object of `know_only`, `know` and `revoke`, each a list of tokens, and
            `service_account`: an object of `username`, `secret` and `project_id`, or null for
            none.

    Raises:
        ValueError: it has another form; nothing is changed then.
    """
    names = ("know_only", "know", "revoke")
    if not isinstance(change, dict) or not change.keys() <= {*names, "service_account"}:
        raise ValueError(f"Send a JSON object of {', '.join(names)} and service_account.")
    for name in names:
        tokens = change.get(name, [])
        if not isinstance(tokens, list) or not all(isinstance(token, str) for token in tokens):
            raise ValueError(f"{name} is a list of tokens.")
    if "service_account" in change:
        known.set_account(*_account(change["service_account"]))
    if "know_only" in change:
        known.know_only(*change["know_only"])
    known.know(*change.get("know", []))
    known.revoke(*change.get("revoke", []))


def _account(account: Any) -> tuple[str | None, str | None, str | None]:
    if account is None:
        return None, None, None
    names = ("username", "secret", "project_id")
    if not isinstance(account, dict) or not account.keys() <= set(names):
        raise ValueError(f"service_account is an object of {', '.join(names)}, or null.")
    username, secret, project = (account.get(name) for name in names)
    for value in (username, secret, project):
        if not isinstance(value, str) or not value:
            raise ValueError(f"service_account is an object of {', '.join(names)}, or null.")
    return username, secret, project


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
