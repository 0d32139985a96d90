"""The same settings through real processes: a producer, a worker, a command and the page."""

import sys
from collections.abc import Callable

import pytest

from mixrelay.console.exits import ExitCode
from tests.support.command import environment, mixrelay
from tests.support.processes import finished

TRACKER = "from mixrelay.producer import Tracker; print(Tracker('t')._sink)"


def of_producer(**variables: str) -> tuple[int, str]:
    ended = finished(
        [sys.executable, "-c", TRACKER],
        env=environment(**variables),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return ended.returncode, ended.stdout + ended.stderr


def of_command(*words: str) -> Callable[..., tuple[int, str]]:
    def run(**variables: str) -> tuple[int, str]:
        ended = mixrelay(*words, expect=None, **variables)
        return ended.returncode, (ended.stdout + ended.stderr).decode()

    return run


PARTS = {
    "producer": of_producer,
    "worker": of_command("worker", "--burst"),
    "status": of_command("status"),
    "dlq": of_command("dlq", "list"),
    "page": of_command("dashboard"),
    "doctor": of_command("doctor", "--no-mixpanel"),
}


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("MIXRELAY_PARTITIONS", " 65\n", "MIXRELAY_PARTITIONS is 65; set it to a whole number, 1"),
        ("MIXRELAY_QUEUE", "a\rb", "set it to one without a carriage return inside"),
    ],
)
def test_every_process_refuses_alike_and_names_it(variable: str, value: str, said: str) -> None:
    for part, run in PARTS.items():
        code, text = run(**{variable: value})
        assert said in text, (part, text)
        assert variable in text, (part, text)
        assert code != 0, part
        if part != "producer":
            assert "Traceback" not in text, (part, text)


@pytest.mark.timeout(300)
def test_every_process_trims_alike(redis_url: str) -> None:
    padded = {
        "MIXRELAY_REDIS_URL": f"\t{redis_url}\r\n",
        "MIXRELAY_QUEUE": " shop\xa0",
        "MIXPANEL_TOKEN": "\ufeff3f2a9c01b7d4\n",
    }
    code, text = of_producer(**padded)
    assert (code, text.strip()) == (0, f"RedisSink({redis_url!r}, 'shop')")
    code, text = PARTS["worker"](**padded)
    assert code == ExitCode.OK, text
    code, text = PARTS["doctor"](**padded)
    assert "'shop'" in text
    assert "\xa0" not in text


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("status", "--partitions", "1e15"), "--partitions is 1e15; set it to a whole number"),
        (("worker", "--linger", "inf"), "--linger is 'inf'; set it to a number, 0 to 604,800"),
        (("dlq", "replay", "--all", "--rate", "inf"), "--rate is 'inf'; set it to a number"),
        (("dlq", "replay", "--all", "--rate", "1e15"), "--rate is 1e15; set it to a number"),
        (("worker", "--deadline", "20"), "--deadline (20 s) must be below MIXRELAY_GRACE"),
        (("status", "--redis-url", "http://x"), "--redis-url 'http://x' cannot be read"),
    ],
)
def test_an_option_is_named_as_it_was_written(words: tuple[str, ...], said: str) -> None:
    assert said in mixrelay(*words, expect=ExitCode.USAGE).stderr.decode()


def test_a_limit_beyond_reason_starts_no_worker() -> None:
    ended = mixrelay("worker", expect=ExitCode.USAGE, MIXRELAY_DLQ_MAX_AGE="1e15")
    assert "MIXRELAY_DLQ_MAX_AGE is 1e15; set it to a number, 0 to 315,360,000" in (
        ended.stderr.decode()
    )


def test_config_says_where_each_setting_comes_from_and_shows_no_secret() -> None:
    shown = mixrelay(
        "config",
        "worker",
        "--linger",
        "2",
        MIXRELAY_CONCURRENCY=" 4 ",
        MIXPANEL_TOKEN="3f2a9c01b7d43f2a",
        MIXRELAY_PROXY="http://me:hidden@proxy:3128",
    ).stdout.decode()
    rows = {line.split()[0]: line.split()[1:] for line in shown.splitlines()}
    assert rows["linger"] == ["2.0", "--linger"]
    assert rows["concurrency"] == ["4", "MIXRELAY_CONCURRENCY"]
    assert rows["deadline"] == ["10.0", "default", "(MIXRELAY_DEADLINE)"]
    assert rows["token"] == ["***", "MIXPANEL_TOKEN"]
    assert rows["proxy"] == ["http://me:***@proxy:3128", "MIXRELAY_PROXY"]
    assert "hidden" not in shown


def test_config_of_a_producer_reads_what_its_framework_says(tmp_path, monkeypatch) -> None:
    (tmp_path / "shop_settings.py").write_text(
        "MIXRELAY = {'TOKEN': ' secret-token ', 'QUEUE': 'shop', 'DISABLED': 'maybe',\n"
        "            'BEFORE_SEND': 'shop.redact'}\n"
    )
    monkeypatch.chdir(tmp_path)
    ended = mixrelay("config", "producer", "--django", "shop_settings", expect=ExitCode.FINDING)
    text = ended.stdout.decode()
    assert "secret-token" not in text
    assert 'MIXRELAY["QUEUE"]' in text
    assert "shop.redact" in text
    assert "MIXRELAY[\"DISABLED\"] is 'maybe'; set it to on or off." in ended.stderr.decode()


def test_config_of_the_page_says_why_it_would_not_start() -> None:
    ended = mixrelay("config", "page", "--host", "0.0.0.0", "--json", expect=ExitCode.FINDING)
    assert b'"setting":"host","value":"0.0.0.0","source":"--host"' in ended.stdout
    assert b"would be open to everyone" in ended.stderr
