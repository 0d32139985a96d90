"""The page and /metrics show the three partitions of a queue as one."""

import random
import re
from collections import Counter

import pytest
from prometheus_client.parser import text_string_to_metric_families

from mixrelay.console.dashboard.app import create_app
from mixrelay.console.dashboard.options import DashboardSettings
from mixrelay.shared.settings import Settings
from tests.support.bench import event
from tests.support.pages import browsing
from tests.support.partitions import Partitioned


@pytest.fixture
def three(redis):
    made = Partitioned(redis)
    made.bury_some(random.Random(5), times=40)
    made.queue.announce()
    return made


@pytest.fixture(params=[1, 3], ids=["told of one", "told of three"])
def page(redis_url, request):
    settings = Settings(redis_url=redis_url, partitions=request.param)
    with browsing(create_app(settings, DashboardSettings(), mounted=False)) as client:
        yield client


def numbers_on(text: str) -> list[str]:
    return re.findall(r'name="id" value="([^"]+)"', text)


def scraped(page) -> Counter[tuple[str, tuple[tuple[str, str], ...]]]:
    """How often each series is there, by its name and labels."""
    text = page.get("/metrics").text
    return Counter(
        (sample.name, tuple(sorted(sample.labels.items())))
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    )


def value(page, name: str, **labels: str) -> float:
    text = page.get("/metrics").text
    return sum(
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )


def test_letters_are_listed_the_newest_first_over_all_partitions(three, page):
    order = [letter.id for letter in three.letters()][::-1]
    found, address = [], "/letters"
    while address:
        text = page.get(address).text
        found += numbers_on(text)
        more = re.search(r'href="([^"]*cursor=[^"]*)"', text)
        address = more[1].replace("&amp;", "&") if more else ""
    assert found == order


def test_a_letter_of_any_partition_has_its_page(three, page):
    for index in range(3):
        number = next(one.id for one in three.letters() if one.id.startswith(f"{index}-"))
        answer = page.get(f"/letters/{number}")
        assert answer.status_code == 200
        assert number in answer.text


def test_the_overview_counts_all(three, page):
    for name in three.lists:
        three.redis.rpush(name, event("a"), event("b"))
    assert value(page, "mixrelay_queue_messages") == 6
    assert f"{len(three.letters()):,}" in page.get("/").text


def test_metrics_add_up_and_no_series_is_there_twice(three, page):
    assert set(scraped(page).values()) == {1}
    letters = three.letters()
    assert value(page, "mixrelay_dead_total") == len(letters)
    assert value(page, "mixrelay_dlq_letters") == len(letters)
    rejected = sum(one.reason == "rejected" and one.type == "event" for one in letters)
    assert value(page, "mixrelay_dead_total", reason="rejected", type="event") == rejected
    three.queue.discard([one.id for one in letters[:7]])
    assert value(page, "mixrelay_discarded_total", reason="operator") == 7
    assert value(page, "mixrelay_dlq_letters") == len(letters) - 7


def test_a_job_begun_on_the_page_is_one_over_all_partitions(three, page):
    count = len(three.letters())
    shown = page.get("/jobs/plan/discard").text
    names = ("until", "planned", "job_id", "form_token")
    form = {name: shown.split(f'name="{name}" value="')[1].split('"')[0] for name in names}
    assert form["planned"] == str(count)
    answer = page.post("/jobs/start/discard", data={**form, "typed": str(count), "why": "tests"})
    address = answer.headers["Location"]
    [job] = three.queue.jobs.newest()
    assert job.planned == count
    while not job.state.is_over:
        job = three.queue.jobs.step(job).job
    assert f"{count:,}" in page.get(address).text
    assert address.rpartition("/")[2] in page.get("/jobs").text
    assert "tests" in page.get("/audit").text
    assert page.get("/letters").text.count('name="id"') == 0


def test_the_trail_has_pages_over_all_partitions(three, page):
    numbers = [letter.id for letter in three.letters()]
    for _ in range(2):
        for place in range(3):
            some = [number for number in numbers if number.startswith(f"{place}-")][:1]
            numbers = [number for number in numbers if number not in some]
            three.queue.discard(some, who=f"{place} {some[0]}", why="one by one")
    text = page.get("/audit").text
    assert text.count("one by one") == 6
    newest = three.queue.audit.newest(3)
    rest = page.get("/audit", params={"before": newest[-1].id}).text
    assert rest.count("one by one") == 3
