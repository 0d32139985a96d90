"""What the tiles and charts of the overview count."""

import html
import re

import pytest

from mixrelay.console.dashboard.series import SPANS, series
from tests.support.bench import event


def count(bench, ago, **counted):
    """Counters of a minute so long ago."""
    now = bench.redis.time()[0] // 60
    bench.redis.hset(bench.key(f"minute:{now - ago}"), mapping=counted)


@pytest.fixture
def day(bench):
    """2,000 dead letters and as many delivered of a day, some in this very minute."""
    for ago in range(0, 1_000, 5):
        count(bench, ago, dead=10, delivered=10, received=20, **{"dead:event:invalid": 10})


@pytest.mark.usefixtures("day")
def test_a_day_s_buckets_add_up_to_the_day_s_count_and_begin_at_quarters(queue):
    found = series(queue, SPANS["day"])
    assert sum(found["dead"]) == sum(found["delivered"]) == 2_000
    assert sum(found["reasons"]["invalid"]) == 2_000
    assert set(found["reasons"]) == {"invalid"}
    assert [at % 900 for at in found["time"][1:]] == [0] * (len(found["time"]) - 1)
    assert found["time"] == sorted(set(found["time"]))
    assert 1_439 <= sum(found["minutes"]) <= 1_440
    assert found["minutes"][0] <= 15 >= found["minutes"][-1]
    assert set(found["minutes"][1:-1]) == {15}


def test_the_running_minute_is_there_and_is_as_long_as_it_has_lasted(queue, bench):
    count(bench, 0, delivered=7)
    found = series(queue, SPANS["hour"])
    assert len(found["time"]) == 60
    assert found["delivered"][-1] == 7 or found["delivered"][-2] == 7, "a minute went by"
    assert 0 <= found["minutes"][-1] <= 1
    assert set(found["minutes"][:-1]) == {1}


def test_the_backlog_is_reckoned_back_from_now(queue, bench):
    bench.route(*(event("a") for _ in range(5)))
    now = bench.redis.time()[0] // 60
    for minute in bench.redis.keys(bench.key("minute:*")):
        bench.redis.delete(minute)
    bench.redis.hset(bench.key(f"minute:{now - 3}"), mapping={"received": 40, "delivered": 30})
    bench.redis.hset(bench.key(f"minute:{now - 2}"), mapping={"delivered": 4, "dead": 2})
    bench.redis.hset(bench.key(f"minute:{now - 1}"), mapping={"replayed": 1})
    drawn = series(queue, SPANS["hour"])
    found = dict(zip(drawn["time"], drawn["backlog"], strict=True))
    assert [found[(now - ago) * 60] for ago in (4, 3, 2, 1)] == [0, 10, 4, 5]


def test_the_tiles_have_a_line_of_the_hour_and_the_change_within_it(page, bench):
    for ago in range(1, 60):
        count(bench, ago, delivered=600 if ago > 30 else 1_200, dead=0 if ago > 3 else 120)
    shown = html.unescape(page.get("/").text)
    tiles = re.search('<dl class="tiles">.*?</dl>', shown, re.DOTALL)[0]
    assert re.findall("<dt>(.*?)</dt>", tiles) == [
        "Backlog",
        "Oldest message",
        "Delivered per second",
        "Failing",
    ]
    lines = re.findall('points="([^"]*)"', tiles)
    assert len(lines[2].split()) == 59
    assert "in an hour" in tiles
    words = " ".join(re.sub("<[^>]+>", " ", tiles).split())
    assert re.search(r"Failing \d\.\d % \+\d\.\d % in an hour", words), words
