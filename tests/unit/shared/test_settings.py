import pytest

from mixrelay.shared.errors import ConfigurationError
from mixrelay.shared.options import options
from mixrelay.shared.settings import Settings
from mixrelay.worker.base.settings import WorkerSettings
from mixrelay.worker.drain.session import Setup

ACCOUNT = {
    "MIXPANEL_PROJECT_ID": "77",
    "MIXPANEL_SERVICE_ACCOUNT_USERNAME": "robot",
    "MIXPANEL_SERVICE_ACCOUNT_SECRET": "hidden",
}


def test_what_is_not_set_has_the_documented_default() -> None:
    settings = Settings.from_environment({})
    assert settings.redis_url == "redis://localhost:6379/0"
    assert settings.rq_url == settings.redis_url
    assert settings.queue == "mixpanel_queue"
    assert settings.base == "https://api.mixpanel.com"
    assert settings.account is None
    assert settings.events_endpoint == "import"
    assert settings.prove_tokens is True


def test_every_documented_variable_is_read() -> None:
    assert {one.variable for one in options(Settings)} == {
        "MIXRELAY_REDIS_URL",
        "MIXRELAY_RQ_REDIS_URL",
        "MIXRELAY_QUEUE",
        "MIXRELAY_PARTITIONS",
        "MIXPANEL_TOKEN",
        "MIXPANEL_REGION",
        "MIXPANEL_API_HOST",
        "MIXRELAY_EVENTS_ENDPOINT",
        "MIXRELAY_PROVE_TOKENS",
        *ACCOUNT,
    }


def test_an_empty_variable_counts_as_not_set() -> None:
    assert Settings.from_environment({"MIXRELAY_QUEUE": ""}).queue == "mixpanel_queue"


def test_what_is_given_wins_over_the_environment() -> None:
    environ = {"MIXRELAY_QUEUE": "one"}
    assert Settings.from_environment(environ, {"queue": "two"}).queue == "two"
    assert Settings.from_environment(environ, {"queue": None}).queue == "one"


def test_an_address_overrides_the_region() -> None:
    environ = {"MIXPANEL_REGION": "eu"}
    assert Settings.from_environment(environ).base == "https://api-eu.mixpanel.com"
    environ["MIXPANEL_API_HOST"] = "http://localhost:8088/"
    assert Settings.from_environment(environ).base == "http://localhost:8088"


def test_a_service_account_needs_all_three_variables() -> None:
    account = Settings.from_environment(ACCOUNT).account
    assert account is not None
    assert (account.username, account.password, account.project_id) == ("robot", "hidden", "77")
    with pytest.raises(ConfigurationError, match="MIXPANEL_SERVICE_ACCOUNT_SECRET"):
        Settings.from_environment({**ACCOUNT, "MIXPANEL_SERVICE_ACCOUNT_SECRET": ""})


def test_a_worker_with_a_service_account_needs_the_token_that_says_which_records_it_serves() -> (
    None
):
    settings = Settings.from_environment(ACCOUNT)
    with pytest.raises(ConfigurationError, match=r"MIXPANEL_TOKEN is not set.*set MIXPANEL_TOKEN"):
        settings.check_for_worker()
    with pytest.raises(ConfigurationError, match="MIXPANEL_TOKEN"):
        Setup(settings, WorkerSettings())
    Settings.from_environment({**ACCOUNT, "MIXPANEL_TOKEN": "t"}).check_for_worker()
    Settings.from_environment({}).check_for_worker()


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("MIXPANEL_REGION", "mars", "us, eu, in"),
        ("MIXPANEL_API_HOST", "ftp://x", "http or https"),
        ("MIXPANEL_API_HOST", "http://api.mixpanel.com", "plain HTTP"),
        ("MIXRELAY_EVENTS_ENDPOINT", "engage", "import, track"),
        ("MIXRELAY_PROVE_TOKENS", "perhaps", "on or off"),
        ("MIXPANEL_API_HOST", "https://u:secret@x", "user name or password"),
    ],
)
def test_a_wrong_value_is_named_with_what_to_set(variable: str, value: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=variable) as caught:
        Settings.from_environment({variable: value})
    assert said in str(caught.value)
    assert "secret" not in str(caught.value)


def test_no_secret_shows_in_a_repr() -> None:
    environ = {
        **ACCOUNT,
        "MIXRELAY_REDIS_URL": "redis://me:pass-word@host/0",
        "MIXPANEL_TOKEN": "to-ken",
    }
    shown = repr(Settings.from_environment(environ))
    for secret in ("pass-word", "to-ken", "hidden", "robot"):
        assert secret not in shown
    assert "host" in shown


def test_a_name_that_ties_all_keys_to_one_node_has_no_partitions() -> None:
    tied = {"MIXRELAY_QUEUE": "{app}:events"}
    assert Settings.from_environment(tied).partitions == 1
    with pytest.raises(ConfigurationError, match="hash tag"):
        Settings.from_environment({**tied, "MIXRELAY_PARTITIONS": "2"})
    with pytest.raises(
        ConfigurationError, match="MIXRELAY_PARTITIONS is 0; set it to a whole number, 1 to 64"
    ):
        Settings.from_environment({"MIXRELAY_PARTITIONS": "0"})


CLUSTER = "redis+cluster://ann:secret@one,two"


@pytest.mark.parametrize(
    ("environ", "named"),
    [
        ({"MIXRELAY_REDIS_URL": CLUSTER}, "MIXRELAY_REDIS_URL"),
        ({"MIXRELAY_RQ_REDIS_URL": CLUSTER}, "MIXRELAY_RQ_REDIS_URL"),
    ],
)
def test_only_who_uses_rq_is_told_that_its_keys_need_one_server(environ, named) -> None:
    settings = Settings.from_environment(environ)
    assert "secret" not in repr(settings)
    with pytest.raises(ConfigurationError, match=f"^{named} 'redis.*set MIXRELAY_RQ") as raised:
        print(settings.rq_url)
    assert "secret" not in str(raised.value)
    assert Settings(redis_url=CLUSTER, rq_redis_url="redis://rq").rq_url == "redis://rq"
