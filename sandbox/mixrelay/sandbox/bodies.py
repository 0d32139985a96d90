"""From bytes on the wire to records: JSON, ndjson, gzip, and the forms of old clients."""

from __future__ import annotations

import base64
import binascii
import json
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn
from urllib.parse import parse_qsl

from aiohttp import web

from mixrelay.sandbox.cutting import MAX_TEXT
from mixrelay.sandbox.limits import MAX_RECORD_BYTES

_FORM = "application/x-www-form-urlencoded"
_NDJSON = "application/x-ndjson"
# Far over what is documented, and far under what would exhaust the stack of whoever writes a
# record out again.
_MAX_DEPTH = 100
_LONE_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


class BodyError(Exception):
    """A body that yields no records: one of the three below."""

    status = 400


class UnreadableError(BodyError):
    """Neither JSON nor a form with records in it."""


class UnsupportedError(BodyError):
    """Compressed where, or as, it may not be."""


class TooLargeError(BodyError):
    """Over the limit of bytes."""

    status = 413


@dataclass(slots=True)
class Received:
    """One request as it was understood.

    Attributes:
        records: what was sent, a lone object as a list of one.
        params: the query, overridden by the fields of a form.
        size: bytes of the body as they came over the wire.
        needs_scrutiny: the text is so long, or has such escapes, that a record may be too large
            or no valid UTF-8; writing each record out to see is too dear for every request.
    """

    records: list[Any] = field(default_factory=list)
    params: Mapping[str, str] = field(default_factory=dict)
    size: int = 0
    needs_scrutiny: bool = False
    is_plain: bool = False

    def flag(self, name: str) -> bool:
        """Whether a parameter such as `verbose` is switched on."""
        return self.params.get(name, "0") not in {"", "0", "false"}


async def read_raw(request: web.Request, limit: int) -> bytes:
    """The body as sent; of one that is over the limit only the start, one byte too long."""
    chunks = bytearray()
    async for chunk in request.content.iter_any():
        chunks += chunk
        if len(chunks) > limit:
            break
    return bytes(chunks[: limit + 1])


def understand(request: web.Request, raw: bytes, *, limit: int, gzip_allowed: bool) -> Received:
    """Reads a whole request.

    Raises:
        BodyError: it is too large, compressed where that is not supported, or holds no records.
    """
    body = uncompressed(
        raw, request.headers.get("Content-Encoding", ""), limit, gzip_allowed=gzip_allowed
    )
    params: dict[str, str] = dict(request.query)
    text = body
    if request.content_type != _NDJSON and not body.lstrip().startswith((b"[", b"{")):
        params |= _form(body, declared=request.content_type == _FORM)
        text = _data(params.pop("data", ""))
    records = _ndjson(text) if request.content_type == _NDJSON else _json(text)
    scrutiny = len(text) >= MAX_RECORD_BYTES or _LONE_SURROGATE.search(text) is not None
    return Received(records, params, len(raw), scrutiny, _is_plain(text, len(records)))


def _is_plain(text: bytes, records: int) -> bool:
    # Looking through thousands of records one by one costs more than parsing them. A brace or a
    # word within a text only makes for a closer look.
    if text.count(b"{") > 2 * records or text.count(b"[") > 1:
        return False
    return b'bucket"' not in text and b'\\"' not in text and not _has_long_text(text)


def _has_long_text(text: bytes) -> bool:
    """Return whether there are over 255 bytes in a row without a quotation mark."""
    place, end = 0, len(text)
    while place + MAX_TEXT < end:
        quote = text.rfind(b'"', place, place + MAX_TEXT + 1)
        if quote < 0:
            return True
        place = quote + 1
    return False


def uncompressed(raw: bytes, encoding: str, limit: int, *, gzip_allowed: bool) -> bytes:
    """Return a body as it was before compression.

    Raises:
        BodyError: it is too large, no gzip, or compressed where that is not supported.
    """
    if encoding.lower() in {"", "identity"}:
        return _within(raw, limit)
    if encoding.lower() != "gzip" or not gzip_allowed:
        # Mixpanel: Set Property, "This API does not support gzip encoding".
        raise UnsupportedError(f"Content-Encoding {encoding} is not supported here")
    inflate = zlib.decompressobj(wbits=31)
    try:
        # The bound keeps a gzip bomb from filling the memory.
        body = inflate.decompress(_within(raw, limit), limit + 1)
    except zlib.error as error:
        raise UnsupportedError(f"the body is no gzip: {error}") from error
    if not inflate.eof and len(body) <= limit:
        raise UnsupportedError("the gzip body ends early")
    return _within(body, limit)


def _within(body: bytes, limit: int) -> bytes:
    if len(body) > limit:
        raise TooLargeError(f"request exceeds max limit of {limit} bytes")
    return body


def _form(body: bytes, *, declared: bool) -> dict[str, str]:
    if body.strip() and not declared and b"=" not in body:
        raise UnreadableError("the body is neither JSON nor a form")
    try:
        return dict(
            parse_qsl(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=100)
        )
    except ValueError as error:
        raise UnreadableError(f"the form is unreadable: {error}") from error


def _data(data: str) -> bytes:
    """The JSON in a form's `data`, which is base64 or JSON itself.

    mixpanel-node does not percent-encode its base64, so a form reader has made spaces of its `+`.
    """
    if not data.strip():
        raise UnreadableError("data, missing or empty")
    if data.lstrip().startswith(("[", "{")):
        return data.encode()
    compact = data.strip().replace(" ", "+").replace("\n", "").replace("\r", "")
    try:
        return base64.b64decode(compact, validate=True)
    except (binascii.Error, ValueError) as error:
        raise UnreadableError(f"data is neither JSON nor base64: {error}") from error


def _json(text: bytes) -> list[Any]:
    parsed = _load(text)
    records = parsed if isinstance(parsed, list) else [parsed]
    if not records:
        raise UnreadableError("the request holds no records")
    return records


def _ndjson(text: bytes) -> list[Any]:
    records = [_load(line) for line in text.splitlines() if line.strip()]
    if not records:
        raise UnreadableError("the request holds no records")
    return records


def _load(text: bytes) -> Any:
    try:
        # Decoded here, since json.loads would take UTF-16 and lone surrogates from bytes.
        parsed = json.loads(text.decode(), parse_constant=_refuse_constant)
    # ValueError also covers integers of over 4,300 digits.
    except (ValueError, RecursionError) as error:
        raise UnreadableError(f"the body is not valid JSON: {error}") from error
    _hold_depth(parsed)
    return parsed


def _hold_depth(parsed: Any) -> None:
    level = [parsed] if isinstance(parsed, (dict, list)) else []
    for _ in range(_MAX_DEPTH):
        # Nothing but containers is followed: most of a request is texts and numbers.
        level = [
            inner
            for part in level
            for inner in (part.values() if type(part) is dict else part)
            if type(inner) is dict or type(inner) is list
        ]
        if not level:
            return
    raise UnreadableError(f"the body is nested more than {_MAX_DEPTH} deep")


def _refuse_constant(name: str) -> NoReturn:
    # Python's reader takes NaN and Infinity, which are no JSON.
    raise ValueError(f"{name} is not JSON")
