"""Reads the body of an answer, in pieces and within bounds, whatever its headers claim."""

from __future__ import annotations

import zlib
from http.client import HTTPException
from typing import TYPE_CHECKING

from mixrelay.shared.mixpanel.exchange import AnswerTooLargeError

if TYPE_CHECKING:
    import requests

_PIECE_BYTES = 65_536
"""A body is never asked for in whole: a length of 60 GB would be allocated first."""

# Accepts zlib's and gzip's headers alike.
_ANY_HEADER = 47


def read_body(response: requests.Response, most: int) -> bytes:
    """Return the whole body, unpacked where a proxy packed it although we asked for plain bytes.

    Args:
        response: opened with `stream`.
        most: bytes, packed and unpacked.

    Raises:
        AnswerTooLargeError: it is larger, or claims to be.
        OSError, HTTPError, HTTPException, ValueError: it cannot be read to its end.
    """
    claimed = response.raw.length_remaining
    if claimed is not None and claimed > most:
        raise _too_large(most)
    # Unencoded bytes, so that a small answer cannot unpack to a huge one.
    packed = bytearray()
    while piece := response.raw.read(_PIECE_BYTES, decode_content=False):
        packed += piece
        if len(packed) > most:
            raise _too_large(most)
    return _unpacked(bytes(packed), response.headers.get("Content-Encoding", ""), most)


def _unpacked(raw: bytes, coding: str, most: int) -> bytes:
    if coding.lower() not in {"gzip", "x-gzip", "deflate"}:
        return raw
    try:
        body = zlib.decompressobj(_ANY_HEADER).decompress(raw, most + 1)
    except zlib.error as error:
        raise HTTPException("the answer's gzip is broken") from error
    if len(body) > most:
        raise _too_large(most)
    return body


def _too_large(most: int) -> AnswerTooLargeError:
    return AnswerTooLargeError(f"the answer is over {most} bytes")
