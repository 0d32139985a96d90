"""What a file of letters may say, and what it may not since scripts could not read it."""

from typing import Any

import orjson
import pytest

from mixrelay.shared.queue import LetterFilter, Limits, NoLetterError, Returned
from tests.support.bench import Bench, event, payloads

MOMENT = "2026-01-01T00:00:00+00:00"


def line(**facts: Any) -> bytes:
    told = {
        "id": "0-1",
        "reason": "invalid",
        "status": 400,
        "error": "said so",
        "attempts": 1,
        "first_seen": MOMENT,
        "dead_since": MOMENT,
        "payload": event("a").decode(),
    }
    return orjson.dumps(told | facts)


def death(**facts: Any) -> list[dict[str, Any]]:
    told = {"reason": "r", "status": 400, "error": "", "at": MOMENT, "replayed_at": MOMENT}
    return [told | facts]


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"first_seen": "1969-12-31T23:59:59+00:00"}, "before 1970"),
        ({"dead_since": "0001-01-01T00:00:00+00:00"}, "before 1970"),
        ({"deaths": death(at="1969-12-31T00:00:00+00:00")}, "before 1970"),
        ({"deaths": death(status=10**18)}, "no count"),
        ({"attempts": True}, "no count"),
    ],
)
def test_a_line_that_no_script_could_read_is_none(facts: dict[str, Any], said: str) -> None:
    assert Returned.parse(line(deaths=death())).facts["deaths"]
    with pytest.raises(NoLetterError, match=said):
        Returned.parse(line(**facts))


def test_a_letter_from_a_time_ahead_holds_its_lane_up_for_nobody(bench: Bench) -> None:
    ahead = Returned.parse(line(first_seen="9999-12-31T00:00:00+00:00"))
    bench.queue.import_letters("a file", [ahead], before="", after="1 x", who="ann", why="")
    [letter] = bench.queue.letters.find(LetterFilter())
    bench.queue.replay([letter.id])
    bench.route(event("b"))
    batch = bench.take(limits=Limits(linger_seconds=0.5))
    assert payloads(batch) == [event("a"), event("b")]
    bench.deliver(batch)
    assert bench.queue.books().difference == 0
