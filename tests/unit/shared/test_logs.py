"""A log in slices: every line once, and a place that says what is behind it."""

import hashlib
import os
from io import FileIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixrelay.shared.queue.loads.log_file import LINES_AT_MOST, fresh_start, slices

LINES = st.lists(st.binary(max_size=12).filter(lambda line: b"\n" not in line), max_size=60)


def written(tmp: Path, content: bytes) -> FileIO:
    path = tmp / os.urandom(8).hex()
    path.write_bytes(content)
    return FileIO(path)


@given(LINES, st.booleans())
def test_slices_hold_every_line_that_is_not_empty_in_order(
    tmp_path_factory, lines: list[bytes], ended: bool
) -> None:
    content = b"\n".join(lines) + (b"\n" if ended else b"")
    with written(tmp_path_factory.getbasetemp(), content) as log:
        found = [line for part in slices(log, fresh_start()) for line in part.tuples]
    stripped = [line.rstrip(b"\r\n") for line in lines]
    assert found == [line for line in stripped if line.strip()]


def test_a_slice_is_bounded_and_its_place_is_the_digest_of_all_before_it(tmp_path: Path) -> None:
    content = b"".join(b"line %d\n" % number for number in range(2 * LINES_AT_MOST + 1))
    with written(tmp_path, content) as log:
        parts = list(slices(log, fresh_start()))
    assert [len(part.tuples) for part in parts] == [LINES_AT_MOST, LINES_AT_MOST, 1]
    for part in parts:
        digest = hashlib.sha256(content[: part.offset]).hexdigest()
        assert part.place == f"{part.offset} {digest}"
    assert parts[-1].offset == len(content)


def test_a_line_longer_than_one_read_stays_one(tmp_path: Path) -> None:
    long = b"x" * 3_000_000
    with written(tmp_path, b"a\n" + long + b"\nb\n") as log:
        tuples = [line for part in slices(log, fresh_start()) for line in part.tuples]
    assert tuples == [b"a", long, b"b"]


@pytest.mark.parametrize(
    ("last", "taken"),
    [
        (b'["event","{}"]', True),
        (b'{"event":"E"}', True),
        (b'["event","{}"', False),
        (b'["event","{\xc3', False),
        (b"12", False),
        (b"[" * 100_000, False),
    ],
    ids=["tuple", "record", "cut", "cut in a letter", "number", "deep"],
)
def test_the_last_line_of_a_growing_log_is_taken_where_nothing_can_follow(
    tmp_path: Path, last: bytes, taken: bool
) -> None:
    with written(tmp_path, b"a\n" + last) as log:
        parts = list(slices(log, fresh_start(), growing=True))
    assert [line for part in parts for line in part.tuples] == ([b"a", last] if taken else [b"a"])
    assert parts[-1].offset == (2 + len(last) if taken else 2)


@given(st.integers(0, 40))
def test_a_growing_log_read_at_any_moment_gives_each_line_once_and_whole(
    tmp_path_factory, cut: int
) -> None:
    content = b'["event","{1}"]\n["event","{2}"]\n'
    path = tmp_path_factory.getbasetemp() / os.urandom(8).hex()
    start, found = fresh_start(), []
    for so_far in (content[:cut], content):
        path.write_bytes(so_far)
        with FileIO(path) as log:
            log.seek(start.offset)
            for part in slices(log, start, growing=True):
                found += part.tuples
                start = start.behind(part)
    assert found == content.splitlines()
