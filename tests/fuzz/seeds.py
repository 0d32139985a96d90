"""The inputs that a corpus begins with, made from the samples in tests/data.

``python -m tests.fuzz.seeds FOLDER`` writes them into a folder for each target.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import orjson

from mixrelay.shared.tuples import Kind, read, split, write
from tests.fuzz.registry import TARGETS

_DATA = Path(__file__).parents[1] / "data"
_SAMPLES = ("mixpanel-ruby.jsonl", "mixpanel-ruby-old-versions.jsonl")
_EVERY = 4
"""One sample in so many: neighbours differ in little."""

ANSWERS = (
    b'{"code":200,"num_records_imported":2000,"status":"OK"}',
    b'{"code":400,"failed_records":[{"index":0,"field":"properties.time","message":"no"}]}',
    b'{"status":0,"error":"some data points failed","failed_records":[{"index":1}]}',
    b'{"code":413,"error":"request exceeds max limit of 2097152 bytes"}',
)
MESSAGES = (
    *('[{"event":"E"},{"event":"F","properties":{}}]', '[[{"a":1.0e-07},[{"b":"\\u00f6"}]],{}]'),
    *(' { "data" : [ { "a" : 1 } ] , "api_key" : "KEY" } ', '{"data":{"a":1},"api_key":"KEY"}'),
    *(
        '{"data":1,"data":{"a":1,"a":2}}',
        "[]",
        "[1,2]",
        "{}",
        '[{"a":[' + "[" * 990 + "]" * 990 + "]}]",
    ),
)
"""Lists, lists in lists, white space, doubled keys and depth, which the samples lack."""
WAITS = (
    b"7",
    b"1.5",
    b"-1",
    b"Wed, 21 Oct 2026 07:28:00 GMT",
    b"Wednesday, 21-Oct-26 07:28:00 GMT",
)
TIMES = (b"1795520500", b"1795520500.25", b'"1.7e9"', b" 1795520500000 ", b"2013-01-02T03:04:05")


def seeds(target: str) -> Iterator[bytes]:
    """Yield the first inputs of a target."""
    payloads = [line for name in _SAMPLES for line in (_DATA / name).read_bytes().splitlines()]
    some = payloads[::_EVERY]
    if target == "tuples":
        yield from some
        yield from (write("/track", message) for message in MESSAGES)
        yield from (f'["people", {message}]'.encode() for message in MESSAGES)
    elif target == "jsontext":
        yield from (message.encode() for message in MESSAGES)
        yield from (orjson.loads(payload)[1].encode() for payload in some)
    elif target == "records":
        yield from map(_record, (one for payload in some for one in split(payload)[:1]))
    elif target == "times":
        yield from TIMES
    elif target == "waits":
        yield from WAITS
    elif target == "answers":
        # Two records, a status of the list (each in turn), no headers; then a body as it is.
        for number, answer in enumerate(ANSWERS):
            yield bytes([2, 1, 0, 1, number, 0, 2, len(answer) % 256]) + answer
    elif target == "logs":
        yield bytes([20, 2, 1, 1]) + b"\n".join(payloads[:3])
    else:
        yield bytes(range(64))
        yield bytes(range(255, 0, -3)) * 2


def _record(payload: bytes) -> bytes:
    message = read(payload)
    return bytes([list(Kind).index(message.kind), 2, 0]) + message.text.encode()


def main() -> None:
    for target in TARGETS:
        folder = Path(sys.argv[1]) / target
        folder.mkdir(parents=True, exist_ok=True)
        for number, seed in enumerate(seeds(target)):
            (folder / f"seed-{number:03}").write_bytes(seed)


if __name__ == "__main__":
    main()
