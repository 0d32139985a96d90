"""The words about a refused token: which, where, what is likelier wrong, what to set."""

import pytest

from mixrelay.shared.mixpanel.endpoints import REGIONS
from mixrelay.shared.mixpanel.proving import Elsewhere
from mixrelay.shared.queue import Identity
from mixrelay.worker.tokens.refusals import error, likelier

OURS = Identity("0" * 12, "3f2a…b7", REGIONS["us"], own=True)
AT_A_PROXY = Identity("0" * 12, "3f2a…b7", "https://proxy", own=True)


@pytest.mark.parametrize(
    ("elsewhere", "others_proven", "wrong"),
    [
        ("eu", False, "region"),
        ("eu", True, "region"),
        (Elsewhere.NOWHERE, False, "token"),
        (Elsewhere.UNKNOWN, False, "unknown"),
        (Elsewhere.UNKNOWN, True, "token"),
        (None, True, "token"),
        (None, False, "unknown"),
    ],
)
def test_what_is_likelier_wrong(
    elsewhere: str | Elsewhere | None, wrong: str, *, others_proven: bool
) -> None:
    assert likelier(elsewhere, others_proven=others_proven) == wrong


def test_the_settings_that_help_are_named() -> None:
    said = error(OURS, "401 Invalid credentials", "unknown", None, buries=False)
    assert "3f2a…b7 in region 'us' (401 Invalid credentials)" in said
    assert "kept in the queue" in said
    for setting in ("MIXPANEL_TOKEN", "MIXPANEL_REGION", "MIXRELAY_EVENTS_ENDPOINT=track"):
        assert setting in said
    assert "MIXRELAY_PROVE_TOKENS=off" in said


def test_a_region_that_knows_it_is_what_to_set() -> None:
    assert "Set MIXPANEL_REGION=eu" in error(OURS, "401", "region", "eu", buries=False)


def test_where_an_address_is_set_it_is_what_to_compare() -> None:
    said = error(AT_A_PROXY, "401", "unknown", None, buries=False)
    assert "at https://proxy" in said
    assert "MIXPANEL_API_HOST" in said
    assert "MIXPANEL_REGION" not in said


def test_of_a_messages_own_token_the_writer_is_named() -> None:
    said = error(OURS, "401", "token", None, buries=True)
    assert "message's own project token" in said
    assert "dead letters" in said
    assert "application that pushes them" in said
