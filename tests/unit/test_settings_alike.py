"""Every part reads a setting alike, or refuses it alike and names it: a hunt with a printed seed.

`MIXRELAY_TEST_SEED=7 pytest tests/unit/test_settings_alike.py` repeats a run;
`MIXRELAY_TEST_CASES` says how many cases it has.
"""

import os
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from typer.main import get_command

from mixrelay.console.app import command_line
from mixrelay.console.dashboard.options import DashboardSettings
from mixrelay.producer import ConfigurationError, Consumer, Tracker
from mixrelay.producer.async_tracker import AsyncTracker
from mixrelay.producer.construction.checks import SETTINGS
from mixrelay.producer.integrations.settings import tracker_from
from mixrelay.producer.official import QueueConsumer
from mixrelay.producer.options import QueueSettings
from mixrelay.shared.masking import mask
from mixrelay.shared.options import FLAG, Option, is_empty, load, options
from mixrelay.shared.settings import Settings
from mixrelay.shared.variables import CA_FILE, DISABLED, PROXY
from mixrelay.worker.base.settings import WorkerSettings

SEED = int(os.environ.get("MIXRELAY_TEST_SEED") or random.SystemRandom().randrange(10**9))
CASES = int(os.environ.get("MIXRELAY_TEST_CASES") or 3_000)

TABLES: dict[type, tuple[Option, ...]] = {
    table: options(table) for table in (Settings, WorkerSettings, QueueSettings, DashboardSettings)
}
WHERE = ("redis_url", "queue", "partitions")
Read = Callable[[str], Any]

AROUND = [" ", "\t", "\n", "\r\n", "\xa0", "\ufeff", "\u200b", "\u3000", " \t "]
INSIDE = ["\n", "\t", "\r", "\x00", "\x1b", "\u200b", "\u2028"]
WORDS = "1|0|true|false|yes|no|on|off|y|n|t|f|enabled|disabled|TRUE|Off|2|maybe|oui|None|-1"
NUMBERS = (
    "0|1|7|64|65|100|1e15|1e400|-1|-0|+5|0.5|.5|1_000|0x10|1,000|inf|nan|Infinity|1e-9|99999999|"
    "604800|604801|١٢|½|\uff12|1.5e2|1e999999|--5|1 2|" + "9" * 5_000
)
TEXTS = [
    "mixpanel_queue",
    "3f2a9c01b7d43f2a9c01b7d43f2a9c01",
    "Grüße",
    "名前",
    "{tag}:events",
    "a}b",
    "with space",
    "x" * 300,
    "👩‍💻",
    "\udcff",
    "eu",
    "EU",
    "mars",
    "track",
    "Retry",
    "disk",
    "never",
    "json",
    "Debug",
]
ADDRESSES = [
    "redis://localhost:6379/0",
    "redis://ann:se cret@host:6379/1",
    "rediss://:pass%20word@host",
    "unix:///tmp/redis.sock",
    "redis+sentinel://a,b/service/0",
    "redis+cluster://a,b",
    "redis://host:port/0",
    "redis://host/name",
    "http://host",
    "https://proxy.example.com/mix",
    "http://me:secret@proxy:3128",
    "ftp://x",
    "redis://ho st/0",
    "localhost:6379",
]


@contextmanager
def environment(variable: str, value: str) -> Iterator[None]:
    """Set this variable, and no other of ours. Quicker than a patch of all variables."""
    hidden = {n: os.environ.pop(n) for n in [*os.environ] if n.startswith(("MIXRELAY_", "MIXPAN"))}
    os.environ[variable] = value
    try:
        yield
    finally:
        os.environ.pop(variable, None)
        os.environ.update(hidden)


def outcome(read: Callable[[], Any], named: str, told: Option, value: str) -> tuple[str, Any]:
    """What was read, or that it was refused; whoever refuses names it and shows no secret."""
    try:
        return "read", read()
    except ConfigurationError as error:
        said = str(error)
    assert named in said, f"{said} does not name {named}"
    assert len(said) < 600, f"{named}: an error of {len(said)} characters"
    inner = value.strip()
    if told.secret and len(inner) > 12:
        assert inner not in said, f"{named}: the error shows the secret"
    return "refused", None


def of_tracker(tracker: Tracker[Any], sink: Any, told: Option) -> Any:
    """A tracker's setting, as far as it can be seen."""
    match told.name:
        case "token":
            return tracker._token
        case "disabled":
            return tracker._outlet.is_off
        case "region" | "api_host":
            return tracker._base
        case "redis_url":
            return sink._address
        case "queue":
            return sink.queue
        case _:
            return getattr(sink.settings, told.name)


def tracker_reads(told: Option, value: str) -> dict[str, tuple[str, Callable[[], Any]]]:
    """Each way to make a producer: what it must name, and how it reads."""
    name = told.name
    token: dict[str, Any] = {} if name == "token" else {"token": "t"}

    def made(**given: Any) -> Any:
        tracker = Tracker(**(token | given))
        return of_tracker(tracker, tracker._sink, told)

    def awaited(**given: Any) -> Any:
        mine = {"region", "api_host", "token", "disabled"} & given.keys()
        theirs = {one: given[one] for one in given.keys() - mine}
        tracker = AsyncTracker(**(token | {one: given[one] for one in mine} | theirs))
        return of_tracker(tracker, tracker._sink, told)

    def framework() -> Any:
        tracker = tracker_from(token | {name: value}, 'MIXRELAY["{}"]')
        return of_tracker(tracker, tracker._sink, told)

    def beside() -> Any:
        if name in {"token", "region", "api_host"}:
            return made(**{name: value})
        queue = QueueConsumer(**{name: value})
        return queue._outlet.is_off if name == "disabled" else made(**{name: value})

    return {
        "producer": (told.variable, made),
        "async producer": (told.variable, awaited),
        "argument": (name, lambda: made(**{name: value})),
        "async argument": (name, lambda: awaited(**{name: value})),
        "framework": (f'MIXRELAY["{name.upper()}"]', framework),
        "QueueConsumer": (name, beside),
    }


def settings_reads(
    table: type, told: Option, value: str
) -> dict[str, tuple[str, Callable[[], Any]]]:
    """A worker's or the page's: by the variable, and by the option of its command."""

    def seen(settings: Any) -> Any:
        if told.name in {"region", "api_host"}:
            return settings.base
        found = getattr(settings, told.name)
        return mask(found) if told.name == "redis_url" else found

    reads = {
        table.__name__: (told.variable, lambda: seen(load(table, os.environ))),
        f"{table.__name__}'s option": (
            told.written(FLAG),
            lambda: seen(load(table, {}, {told.name: value}, FLAG)),
        ),
    }
    if told.name in WHERE:
        reads["status"] = (told.variable, lambda: of_command([], told))
        reads["status's option"] = (
            told.written(FLAG),
            lambda: of_command([f"{told.written(FLAG)}={value}"], told),
        )
    return reads


STATUS = get_command(command_line()).commands["status"]


def of_command(words: list[str], told: Option) -> Any:
    """What a command has for a setting, by its own parser."""
    found = STATUS.make_context("status", [*words]).params[told.name]
    return mask(found) if told.name == "redis_url" else found


def case(rng: random.Random) -> tuple[type | None, Option, str]:
    """One variable with one value."""
    table: type | None
    told: Option
    if rng.random() < 0.05:
        table, told = None, DISABLED
    else:
        table = rng.choice(list(TABLES))
        told = rng.choice(TABLES[table])
    kinds = [WORDS.split("|"), NUMBERS.split("|"), TEXTS, ADDRESSES, ["", *told.choices]]
    value = rng.choice(rng.choice(kinds))
    if rng.random() < 0.15 and value:
        at = rng.randrange(len(value))
        value = value[:at] + rng.choice(INSIDE) + value[at:]
    if rng.random() < 0.2:
        value = "".join(chr(rng.randrange(1, 0x3000)) for _ in range(rng.randrange(6)))
    return table, told, value


def padded(rng: random.Random, value: str) -> str:
    return rng.choice(["", *AROUND]) + value + rng.choice(["", *AROUND])


@pytest.mark.timeout(600)
def test_every_part_reads_a_setting_alike_or_refuses_it_alike() -> None:
    print(f"seed {SEED}, {CASES} cases")
    rng = random.Random(SEED)
    counts = {"read": 0, "refused": 0}
    for number in range(CASES):
        table, told, value = case(rng)
        shown = f"seed {SEED}, case {number}: {told.variable}={value[:80]!r}"
        around = padded(rng, value)
        outcomes: dict[str, tuple[str, Any]] = {}
        reads = settings_reads(table, told, around) if table else {}
        # Without a token a worker serves the tokens of its messages, and a tracker is none.
        needed = told.name == "token" and is_empty(around)
        if told.name in SETTINGS and table in {None, Settings, QueueSettings} and not needed:
            reads |= tracker_reads(SETTINGS[told.name], around)
        in_environment = "\0" not in around
        with environment(told.variable, around if in_environment else ""):
            for who, (named, read) in reads.items():
                if named == told.variable and not in_environment:
                    continue
                outcomes[who] = outcome(read, named, told, around)
        assert len(set(map(repr, outcomes.values()))) <= 1, f"{shown}: {outcomes}"
        for kind, _ in list(outcomes.values())[:1]:
            counts[kind] += 1
    print(counts)
    assert min(counts.values()) > CASES / 10, "a hunt that finds one thing only finds nothing"


def test_white_space_around_a_value_changes_nothing_and_nothing_alone_is_the_default() -> None:
    for table, known in TABLES.items():
        for told in known:
            value = "on" if isinstance(told.default, bool) else str(told.default) or "http://p:1"
            plain = told.read(value)
            for around in AROUND:
                assert told.read(around + value + around) == plain, (table, told.name, around)
                assert told.choose({told.variable: around}).value == told.default


@pytest.mark.parametrize("word", ["1", "true", "YES", "on", "y", "T", "Enabled"])
def test_words_for_on(word: str) -> None:
    assert DISABLED.read(f" {word}\n") is True


@pytest.mark.parametrize("word", ["0", "false", "NO", "off", "n", "F", "Disabled"])
def test_words_for_off(word: str) -> None:
    assert DISABLED.read(f"\t{word} ") is False


@pytest.mark.parametrize("value", ["2", "maybe", "-1", "oui"])
def test_nonsense_for_a_switch_is_refused_and_named(value: str) -> None:
    with (
        environment("MIXRELAY_DISABLED", value),
        pytest.raises(
            ConfigurationError, match=rf"^MIXRELAY_DISABLED is '?{value}'?; set it to on"
        ),
    ):
        Tracker("t")


def test_who_sends_at_once_reads_the_way_to_mixpanel_alike() -> None:
    for told, value in ((PROXY, "http://pro xy:1"), (CA_FILE, "/a\nb"), (PROXY, " http://p:1 ")):
        with environment(told.variable, value):
            worker = outcome(
                lambda: getattr(WorkerSettings.from_environment(os.environ), told.name),  # noqa: B023
                told.variable,
                told,
                value,
            )
            sent = outcome(
                lambda: getattr(Consumer(), f"_{told.name}"),  # noqa: B023
                told.variable,
                told,
                value,
            )
        assert worker == sent
