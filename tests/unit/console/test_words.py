"""Times, ages and numbers, as an operator writes and reads them."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from mixrelay.console.moments import parse
from mixrelay.console.text import count, cut, duration, iso, safe

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("90s", NOW - timedelta(seconds=90)),
        ("15m", NOW - timedelta(minutes=15)),
        ("15min", NOW - timedelta(minutes=15)),
        ("2h", NOW - timedelta(hours=2)),
        ("1.5 h", NOW - timedelta(minutes=90)),
        ("3d", NOW - timedelta(days=3)),
        ("1w", NOW - timedelta(weeks=1)),
        ("2026-11-24", datetime(2026, 11, 24, tzinfo=UTC)),
        ("2026-11-24T10:00", datetime(2026, 11, 24, 10, tzinfo=UTC)),
        ("2026-11-24T10:00:00Z", datetime(2026, 11, 24, 10, tzinfo=UTC)),
        ("2026-11-24T10:00:00+02:00", datetime(2026, 11, 24, 8, tzinfo=UTC)),
    ],
)
def test_a_moment_is_a_date_or_an_age(text: str, moment: datetime) -> None:
    assert parse(text, NOW) == moment


@pytest.mark.parametrize("text", ["", "soon", "2x", "-2h", "2026-13-01", "99999999999w"])
def test_what_is_no_moment_is_refused_with_how_to_write_one(text: str) -> None:
    with pytest.raises(ValueError, match="write 2026-"):
        parse(text, NOW)


def test_times_are_shown_in_utc() -> None:
    moment = datetime(2026, 11, 24, 12, 0, 0, 7_000, tzinfo=timezone(timedelta(hours=2)))
    assert iso(moment) == "2026-11-24T10:00:00.007Z"


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0, "0 s"), (0.42, "0.4 s"), (59, "59 s"), (60, "1 min"), (7_200, "2 h"), (432_000, "5 d")],
)
def test_durations_are_rough(seconds: float, shown: str) -> None:
    assert duration(seconds) == shown


def test_a_text_cannot_paint_on_the_terminal() -> None:
    assert safe("a\x1b[31mb\nc\u202e\ud83d") == "a\\x1b[31mb\\nc\\u202e\\ud83d"
    assert cut("abcdef", 4) == "abc…"
    assert cut("abcd", 4) == "abcd"


def test_a_count_agrees_with_its_noun() -> None:
    assert [count(n, "letter") for n in (0, 1, 1_200)] == ["0 letters", "1 letter", "1,200 letters"]
