"""Reduces a corpus to inputs of which each reaches something that the smaller ones do not.

By our own tracing: libFuzzer's merge starts its program anew, which Python's is not.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from tests.fuzz.registry import TARGETS

_CODE = "/mixrelay/"


def reduce(target: str, folders: list[Path], into: Path, *, at_most: int) -> None:
    """Leave in a folder what is needed of several, at most so many files."""
    found = {one.read_bytes() for folder in folders for one in folder.iterdir()}
    seen: set[object] = set()
    kept: list[bytes] = []
    for data in sorted(found, key=lambda one: (len(one), one)):
        reached = steps(TARGETS[target], data)
        if not reached <= seen and len(kept) < at_most:
            seen |= reached
            kept.append(data)
    for old in into.iterdir():
        old.unlink()
    for data in kept:
        (into / hashlib.sha256(data).hexdigest()[:12]).write_bytes(data)


def steps(run: Callable[[bytes], None], data: bytes) -> set[object]:
    """Return each step from line to line that an input takes in the product's code."""
    reached: set[object] = set()

    def enter(frame: FrameType, _event: str, _argument: Any) -> Any:
        name = frame.f_code.co_filename
        if _CODE not in name:
            return None
        before = 0

        def step(frame: FrameType, _event: str, _argument: Any) -> Any:
            nonlocal before
            reached.add((name, before, frame.f_lineno))
            before = frame.f_lineno
            return step

        return step

    sys.settrace(enter)
    try:
        run(data)
    finally:
        sys.settrace(None)
    return reached
