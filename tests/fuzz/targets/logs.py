"""The reader of logs: every line once, in order, wherever it was interrupted."""

from __future__ import annotations

import hashlib
import io
from typing import Any

from mixrelay.shared.queue.loads.log_file import find_start, slices
from tests.fuzz.source import Source


class _Places:
    """What the queue has noted about logs."""

    def __init__(self) -> None:
        self.noted: dict[str, str] = {}

    def places(self, name: str) -> list[str]:
        return [self.noted.get(name, "")]


def logs(data: bytes) -> None:
    """Slices hold every line; gone on with after any of them, none is missing or there twice."""
    source = Source(data)
    sizes = {"chunk_bytes": 1 + source.below(40), "lines_at_most": 1 + source.below(5)}
    stop_after, growing = source.below(6), source.flag()
    content = source.rest()
    lines = [
        stripped for line in content.split(b"\n") if (stripped := line.rstrip(b"\r\n")).strip()
    ]
    places = _Places()
    pushed = _loaded(content, places, stop_after, growing=growing, **sizes)
    pushed += _loaded(content, places, None, growing=growing, **sizes)
    assert pushed == lines or (growing and pushed == lines[:-1])
    assert _loaded(content, places, None, growing=False, **sizes) == lines[len(pushed) :]
    # What is appended later is new, and nothing else is.
    grown = content + b"\nlast"
    assert _loaded(grown, places, None, growing=False, **sizes)[-1:] == [b"last"]


def _loaded(
    content: bytes, places: _Places, most: int | None, *, growing: bool, **sizes: int
) -> list[bytes]:
    log: Any = io.BytesIO(content)
    start = find_start(places, log)
    pushed: list[bytes] = []
    for number, part in enumerate(slices(log, start, growing=growing, **sizes)):
        if number == most:
            break
        assert part.place == f"{part.offset} {hashlib.sha256(content[: part.offset]).hexdigest()}"
        assert len(part.tuples) <= sizes["lines_at_most"]
        places.noted[start.name] = part.place
        pushed += part.tuples
    return pushed
