"""How each fault is carried out on a connection."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import struct
from collections.abc import Awaitable, Callable

from aiohttp import web

from mixrelay.sandbox import answers
from mixrelay.sandbox.answers import Answer
from mixrelay.sandbox.faults import Fault

PROXY_PAGE = "<!doctype html><title>502 Bad Gateway</title><h1>Bad Gateway</h1>\n"
PROXY_LOGIN = "https://proxy.invalid/login"
_HUGE_CHUNK = b" " * 65_536
# Linger on, for no time at all: closing then sends RST and not FIN.
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)

_Act = Callable[[web.Request, Fault, Answer], Awaitable[web.StreamResponse]]


def planned_status(fault: Fault, answer: Answer) -> int | None:
    """The status that a request which meets this fault is answered, None for no answer."""
    if fault.kind in {"trickle", "truncate"}:
        return answer.status
    return fault.own_status


async def misbehave(request: web.Request, fault: Fault, answer: Answer) -> web.StreamResponse:
    """Does to a request what the fault says; `answer` is what it would have got."""
    # A client that leaves in the middle is no error: a fault is there to make it leave.
    with contextlib.suppress(ConnectionError):
        return await _ACTS[fault.kind](request, fault, answer)
    return web.Response()


async def _answer_status(_: web.Request, fault: Fault, answer: Answer) -> web.StreamResponse:
    status = fault.own_status or answer.status
    body = fault.body if fault.body is not None else _error_body(status)
    headers = {"Content-Type": answers.JSON}
    if fault.retry_after is not None:
        headers["Retry-After"] = str(fault.retry_after)
    return web.Response(status=status, body=body.encode(), headers=headers)


def _error_body(status: int) -> str:
    told = {
        401: "Invalid credentials",
        413: "request exceeds max limit of 2097152 bytes",
        429: "Project exceeded rate limits. Please retry the request with exponential backoff.",
    }
    try:
        return answers.coded(status, told.get(status, "the sandbox is set to fail")).body
    except ValueError:  # a status without a name of its own
        return json.dumps({"code": status, "error": "the sandbox is set to fail"})


async def _reset(request: web.Request, _: Fault, __: Answer) -> web.StreamResponse:
    transport = request.transport
    if transport is not None:
        connection = transport.get_extra_info("socket")
        # The client may have closed it in the meantime.
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        transport.abort()
    return web.Response()


async def _hang(request: web.Request, fault: Fault, answer: Answer) -> web.StreamResponse:
    await asyncio.sleep(fault.delay)
    return await _reset(request, fault, answer)


async def _trickle(request: web.Request, fault: Fault, answer: Answer) -> web.StreamResponse:
    body = answer.payload
    response = _stream(answer.status, answer.content_type, len(body))
    await response.prepare(request)
    for place in range(len(body)):
        await response.write(body[place : place + 1])
        await asyncio.sleep(fault.delay)
    return response


async def _truncate(request: web.Request, _: Fault, answer: Answer) -> web.StreamResponse:
    body = answer.payload
    response = _stream(answer.status, answer.content_type, len(body) + 1_000)
    response.force_close()
    await response.prepare(request)
    await response.write(body)
    return response


async def _html(_: web.Request, fault: Fault, __: Answer) -> web.StreamResponse:
    page = fault.body if fault.body is not None else PROXY_PAGE
    return web.Response(status=fault.own_status or 200, text=page, content_type="text/html")


async def _empty(_: web.Request, fault: Fault, __: Answer) -> web.StreamResponse:
    return web.Response(status=fault.own_status or 200)


async def _redirect(_: web.Request, fault: Fault, __: Answer) -> web.StreamResponse:
    location = PROXY_LOGIN if fault.location is None else fault.location
    return web.Response(status=fault.own_status or 302, headers={"Location": location})


async def _huge(request: web.Request, fault: Fault, __: Answer) -> web.StreamResponse:
    response = _stream(fault.own_status or 200, answers.JSON, None)
    await response.prepare(request)
    while True:  # only the client can end it
        await response.write(_HUGE_CHUNK)


def _stream(status: int, content_type: str, length: int | None) -> web.StreamResponse:
    response = web.StreamResponse(status=status, headers={"Content-Type": content_type})
    response.content_length = length
    return response


_ACTS: dict[str, _Act] = {
    "status": _answer_status,
    "unauthorized": _answer_status,
    "reject_token": _answer_status,
    "reject_distinct_id": _answer_status,
    "fail_matching": _answer_status,
    "reset_before": _reset,
    "reset_after": _reset,
    "hang": _hang,
    "trickle": _trickle,
    "truncate": _truncate,
    "html": _html,
    "empty": _empty,
    "redirect": _redirect,
    "huge": _huge,
}
