"""The way of one request: read, met by a fault or not, written down, answered."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Mapping

from aiohttp import web

from mixrelay.sandbox import answers
from mixrelay.sandbox.answers import Answer
from mixrelay.sandbox.bodies import BodyError, Received, read_raw, uncompressed, understand
from mixrelay.sandbox.credentials import caller_of
from mixrelay.sandbox.endpoints import Call, Endpoint, Outcome, receive, refuse
from mixrelay.sandbox.faults import Fault, Faults
from mixrelay.sandbox.known import Known
from mixrelay.sandbox.ledger import Ledger, Request
from mixrelay.sandbox.lookups import MAX_BYTES, PATH, LookupTables
from mixrelay.sandbox.misbehaviour import misbehave, planned_status
from mixrelay.sandbox.options import Options

_REGIONS = {"api-eu": "eu", "api-in": "in"}
_SECRETS = ("api_key",)
_LONGEST = 255
# Ingestion API, /lookup-tables: the list names a service account alone, the replacement a project
# secret too; old clients show that one as a lone user name or an api_key.
_LOOKUP_CALLERS = frozenset({"service_account", "api_secret", "api_key"})


class Intake:
    """What all requests to one sandbox share."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.known = Known(options)
        self.ledger = Ledger(options)
        self.lookups = LookupTables(options)
        self.faults = Faults()
        self._numbers = itertools.count(1)

    async def take(self, request: web.Request, endpoint: Endpoint) -> web.StreamResponse:
        """Answers one request to an endpoint."""
        raw = await read_raw(request, self.options.max_body_bytes)
        call, error = self._call(request, endpoint, raw)
        wait, fault = self.faults.meet(endpoint.path, call.received.records)
        if wait:
            await asyncio.sleep(wait)
        outcome = refuse(endpoint, error, call) if error else receive(endpoint, call)
        self._write_down(request, endpoint.path, call, fault, outcome)
        if fault:
            return await misbehave(request, fault, outcome.answer)
        return _response(outcome.answer)

    async def take_lookup(self, request: web.Request) -> web.StreamResponse:
        """Answer one request to the lookup tables."""
        raw = await read_raw(request, MAX_BYTES)
        received = Received(params=dict(request.query), size=len(raw))
        wait, fault = self.faults.meet(PATH, [])
        if wait:
            await asyncio.sleep(wait)
        caller = caller_of(request.headers.get("Authorization", ""), received.params, self.known)
        taken = fault is None or fault.takes
        if caller is None or caller.kind not in _LOOKUP_CALLERS:
            answer = answers.coded(401, "Invalid credentials")
        elif request.method == "PUT":
            # A table may be large: the others go on being served.
            answer = await asyncio.to_thread(self._replace_lookup, request, raw, taken=taken)
        else:
            answer = self.lookups.listed()
        outcome = Outcome(answer, credentials=caller.kind if caller else None)
        call = Call(received, "", self.options, self.known, time.time())
        self._write_down(request, PATH, call, fault, outcome)
        return await misbehave(request, fault, answer) if fault else _response(answer)

    def _replace_lookup(self, request: web.Request, raw: bytes, *, taken: bool) -> Answer:
        encoding = request.headers.get("Content-Encoding", "")
        try:
            table = uncompressed(raw, encoding, MAX_BYTES, gzip_allowed=True)
        except BodyError as error:
            return answers.coded(error.status, str(error))
        return self.lookups.replace(request.match_info["id"], table, taken=taken)

    def reset(self) -> int:
        """Forget all that arrived, all faults and all changes of credentials.

        Returns:
            The number of faults.
        """
        self.ledger.clear()
        self.lookups.clear()
        self.known.reset()
        return self.faults.clear()

    def _call(
        self, request: web.Request, endpoint: Endpoint, raw: bytes
    ) -> tuple[Call, BodyError | None]:
        limit = self.options.max_body_bytes
        error = None
        try:
            received = understand(request, raw, limit=limit, gzip_allowed=endpoint.gzip)
        except BodyError as reason:
            error, received = reason, Received(params=dict(request.query), size=len(raw))
        authorization = request.headers.get("Authorization", "")
        return Call(received, authorization, self.options, self.known, time.time()), error

    def _write_down(
        self,
        request: web.Request,
        path: str,
        call: Call,
        fault: Fault | None,
        outcome: Outcome,
    ) -> None:
        taken = outcome if fault is None or fault.takes else None
        status = planned_status(fault, outcome.answer) if fault else outcome.answer.status
        entry = Request(
            number=next(self._numbers),
            at=call.now,
            endpoint=path,
            method=request.method,
            region=_region(request.host),
            status=status,
            fault=fault.kind if fault else None,
            records=len(call.received.records),
            accepted=len(taken.accepted) if taken else 0,
            dropped=len(taken.dropped) if taken else 0,
            bytes=call.received.size,
            gzip=request.headers.get("Content-Encoding", "").lower() == "gzip",
            user_agent=request.headers.get("User-Agent", ""),
            credentials=outcome.credentials,
            strict=call.received.flag("strict"),
            verbose=call.received.flag("verbose"),
            ip=call.received.params.get("ip"),
            address=request.remote or "",
            query=_query(call.received.params),
        )
        self.ledger.enter(entry, taken)


def _query(params: Mapping[str, str]) -> dict[str, str]:
    return {
        name[:_LONGEST]: "…" if name in _SECRETS else value[:_LONGEST]
        for name, value in params.items()
        if name != "data"
    }


def _region(host: str) -> str:
    return _REGIONS.get(host.partition(".")[0].lower(), "us")


def _response(answer: Answer) -> web.Response:
    charset = None if answer.image else "utf-8"
    return web.Response(
        status=answer.status,
        body=answer.payload,
        content_type=answer.content_type,
        charset=charset,
    )
