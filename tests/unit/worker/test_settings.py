import pytest

from mixrelay.shared.errors import ConfigurationError
from mixrelay.shared.options import options
from mixrelay.worker.base.settings import WorkerSettings


def test_the_defaults_are_the_documented_ones() -> None:
    settings = WorkerSettings.from_environment({})
    assert (settings.deadline, settings.grace, settings.lease) == (10, 12, 30)
    assert (settings.extend_every, settings.shift, settings.job_timeout) == (10, 300, 600)
    assert (settings.linger, settings.batch_records, settings.batch_bytes) == (0.5, 2_000, 2**21)
    assert (settings.backoff_base, settings.backoff_cap) == (2, 60)
    assert (settings.attempts, settings.part_attempts, settings.on_ambiguous) == (3, 2, "retry")


@pytest.mark.parametrize("told", options(WorkerSettings), ids=lambda told: told.name)
def test_every_option_has_a_variable_and_says_what_it_does(told) -> None:
    assert told.variable == f"MIXRELAY_{told.name.upper()}"
    assert told.help.endswith(".")
    assert told.unit or not isinstance(told.default, int | float) or isinstance(told.default, bool)


def test_each_kind_of_value_is_read_from_its_variable() -> None:
    settings = WorkerSettings.from_environment(
        {
            "MIXRELAY_CONCURRENCY": " 8 ",
            "MIXRELAY_LINGER": "0.25",
            "MIXRELAY_GZIP": "off",
            "MIXRELAY_ON_AMBIGUOUS": "dead-letter",
        }
    )
    assert (settings.concurrency, settings.linger, settings.gzip) == (8, 0.25, False)
    assert settings.on_ambiguous == "dead-letter"


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("MIXRELAY_CONCURRENCY", "many", "a whole number, 1 to 1,024 (requests)"),
        ("MIXRELAY_CONCURRENCY", "0", "a whole number, 1 to 1,024 (requests)"),
        ("MIXRELAY_LINGER", "-1", "a number, 0 to 604,800 (seconds)"),
        ("MIXRELAY_LINGER", "soon", "a number, 0 to 604,800 (seconds)"),
        ("MIXRELAY_LINGER", "nan", "a number, 0 to 604,800 (seconds)"),
        ("MIXRELAY_GZIP", "perhaps", "on or off"),
        ("MIXRELAY_ON_AMBIGUOUS", "guess", "one of retry, dead-letter"),
    ],
)
def test_a_wrong_value_is_named_with_what_to_set(variable: str, value: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        WorkerSettings.from_environment({variable: value})
    assert str(caught.value).startswith(f"{variable} is ")
    assert value in str(caught.value)
    assert str(caught.value).endswith(f"; set it to {said}.")


def test_a_value_that_is_given_is_checked_too() -> None:
    with pytest.raises(ConfigurationError, match=r"^concurrency is 0; set it to a"):
        WorkerSettings.from_environment({}, {"concurrency": 0})


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"deadline": 12.0}, "deadline (12 s) must be below MIXRELAY_GRACE (12 s)"),
        ({"deadline": 40.0, "grace": 50.0}, "below MIXRELAY_LEASE (30 s)"),
        ({"extend_every": 15.0}, "below MIXRELAY_LEASE/2 (15 s)"),
        ({"lease": 700.0}, "below MIXRELAY_JOB_TIMEOUT (600 s)"),
        ({"shift": 600.0}, "shift (600 s) must be below MIXRELAY_JOB_TIMEOUT (600 s)"),
        ({"backoff_base": 90.0}, "MIXRELAY_BACKOFF_CAP"),
    ],
)
def test_values_that_can_not_work_together_are_refused(given, said) -> None:
    with pytest.raises(ConfigurationError) as caught:
        WorkerSettings.from_environment({}, given)
    assert said in str(caught.value)
