"""Addresses, credentials and destinations."""

from base64 import b64decode

import pytest

from mixrelay.shared.mixpanel.endpoints import Credentials, Destination, Endpoint, base_address

ACCOUNT = Credentials.service_account("svc-user", "svc-secret", "98 765")


def basic(destination):
    scheme, encoded = destination.authorization.split()
    assert scheme == "Basic"
    return b64decode(encoded).decode()


@pytest.mark.parametrize(
    ("region", "address"),
    [
        ("us", "https://api.mixpanel.com"),
        ("eu", "https://api-eu.mixpanel.com"),
        ("EU", "https://api-eu.mixpanel.com"),
        ("in", "https://api-in.mixpanel.com"),
    ],
)
def test_a_region_has_its_address(region, address):
    assert base_address(region) == address


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ("http://localhost:8080", "http://localhost:8080"),
        ("https://proxy.example/mixpanel/", "https://proxy.example/mixpanel"),
        ("api-eu.mixpanel.com", "https://api-eu.mixpanel.com"),
        ("http://[::1]:80", "http://[::1]:80"),
        ("http://notmixpanel.com", "http://notmixpanel.com"),
    ],
)
def test_an_override_takes_the_regions_place(given, address):
    assert base_address("eu", given) == address


@pytest.mark.parametrize(
    ("address", "complaint"),
    [
        ("ftp://host", "must be http or https, not 'ftp'"),
        ("http://user:pa55@host", "leave them out"),
        ("http://", "must be like https://host"),
        ("http://host?x=1", "must be like https://host"),
        ("http://host#x", "must be like https://host"),
        ("http://host:99999", "a port that is no number to 65535"),
        ("http://api.mixpanel.com", r"plain HTTP: write https://api\.mixpanel\.com"),
        ("http://API-EU.Mixpanel.com./x", "rejects calls over plain HTTP"),
        ("http://ho st", "a space or a control character"),
        ("http://host\r\nX: y", "a space or a control character"),
    ],
)
def test_an_address_that_is_none_is_refused_without_repeating_a_password(address, complaint):
    with pytest.raises(ValueError, match=complaint) as caught:
        base_address("us", address)
    assert "pa55" not in str(caught.value)


def test_an_unknown_region_is_refused_with_those_there_are():
    with pytest.raises(ValueError, match=r"Unknown region 'mars': use one of us, eu, in\."):
        base_address("mars")


@pytest.mark.parametrize(
    ("endpoint", "url"),
    [
        (Endpoint.TRACK, "https://h/track?verbose=1&ip=0"),
        (Endpoint.IMPORT, "https://h/import?strict=1"),
        (Endpoint.ENGAGE, "https://h/engage?verbose=1&strict=1&ip=0"),
        (Endpoint.GROUPS, "https://h/groups?verbose=1&strict=1&ip=0"),
    ],
)
def test_each_endpoint_is_asked_to_tell_refusals(endpoint, url):
    assert Destination(endpoint, "https://h").url == url
    assert Destination(endpoint, "https://h").authorization is None


def test_a_service_account_names_its_project():
    destination = Destination(Endpoint.IMPORT, "https://h", ACCOUNT)
    assert destination.url == "https://h/import?strict=1&project_id=98%20765"
    assert basic(destination) == "svc-user:svc-secret"


def test_a_key_is_a_user_name_with_an_empty_password():
    assert basic(Destination(Endpoint.IMPORT, "https://h", Credentials.key("K"))) == "K:"


def test_a_key_may_be_any_text():
    assert (
        basic(Destination(Endpoint.IMPORT, "https://h", Credentials.key("клю\r\n"))) == "клю\r\n:"
    )
    assert Destination(Endpoint.IMPORT, "https://h", Credentials.key("\udcff")).name


@pytest.mark.parametrize("missing", range(3))
def test_half_a_service_account_is_refused(missing):
    parts = ["user", "secret", "1"]
    parts[missing] = ""
    with pytest.raises(ValueError, match="needs a user name, a secret and a project id"):
        Credentials.service_account(*parts)


def test_no_secret_shows_in_a_repr_or_a_name():
    destination = Destination(Endpoint.IMPORT, "https://h", ACCOUNT, token="proj-token")
    shown = f"{destination!r} {ACCOUNT!r} {destination.name} {destination.url}"
    for secret in ("svc-user", "svc-secret", "proj-token"):
        assert secret not in shown
    assert {b"proj-token", b"svc-secret", b"svc-user"} < set(destination.secrets)


def test_names_tell_destinations_apart_and_stay_the_same():
    destinations = [
        Destination(Endpoint.IMPORT, "https://h", ACCOUNT),
        Destination(Endpoint.IMPORT, "https://h", Credentials("svc-user", "other", "98 765")),
        Destination(Endpoint.IMPORT, "https://h", Credentials.key("ab")),
        Destination(Endpoint.IMPORT, "https://h", Credentials("a", "b")),
        Destination(Endpoint.IMPORT, "https://i", ACCOUNT),
        Destination(Endpoint.TRACK, "https://h", token="a"),
        Destination(Endpoint.TRACK, "https://h", token="b"),
        Destination(Endpoint.ENGAGE, "https://h", token="a"),
    ]
    names = [destination.name for destination in destinations]
    assert len(set(names)) == len(names)
    assert names[0] == Destination(Endpoint.IMPORT, "https://h", ACCOUNT).name
    assert names[0].startswith("import:")
