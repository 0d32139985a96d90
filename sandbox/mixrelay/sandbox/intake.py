"""The way of one request: read, met by a fault or not, written down, answered."""

from __future__ import annotations

import asyncio
import itertools
import time

from aiohttp import web

from mixrelay.sandbox.answers import Answer
from mixrelay.sandbox.bodies import BodyError, Received, read_raw, understand
from mixrelay.sandbox.endpoints import Call, Endpoint, Outcome, receive, refuse
from mixrelay.sandbox.faults import Fault, Faults
from mixrelay.sandbox.ledger import Ledger, Request
from mixrelay.sandbox.misbehaviour import misbehave, planned_status
from mixrelay.sandbox.options import Options

_REGIONS = {"api-eu": "eu", "api-in": "in"}


class Intake:
    """What all requests to one sandbox share."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.ledger = Ledger(options.keep)
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
        self._write_down(request, endpoint, call, fault, outcome)
        if fault:
            return await misbehave(request, fault, outcome.answer)
        return _response(outcome.answer)

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
        return Call(received, authorization, self.options, time.time()), error

    def _write_down(
        self,
        request: web.Request,
        endpoint: Endpoint,
        call: Call,
        fault: Fault | None,
        outcome: Outcome,
    ) -> None:
        taken = outcome if fault is None or fault.takes else None
        status = planned_status(fault, outcome.answer) if fault else outcome.answer.status
        entry = Request(
            number=next(self._numbers),
            at=call.now,
            endpoint=endpoint.path,
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
        )
        self.ledger.enter(entry, taken)


def _region(host: str) -> str:
    return _REGIONS.get(host.partition(".")[0].lower(), "us")


def _response(answer: Answer) -> web.Response:
    return web.Response(
        status=answer.status, text=answer.body, content_type=answer.content_type, charset="utf-8"
    )
