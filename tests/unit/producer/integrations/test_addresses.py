import pytest

from mixrelay.producer import ConfigurationError
from mixrelay.producer.integrations.addresses import ClientAddress

USER, OTHER = "203.0.113.7", "198.51.100.9"
BEHIND = ClientAddress(["10.0.0.0/8", "2001:db8::/32"])


def test_without_trusted_proxies_the_header_is_never_believed():
    assert ClientAddress().of(USER, OTHER) == USER


def test_a_peer_that_is_no_proxy_cannot_speak_for_another():
    assert BEHIND.of(USER, OTHER) == USER


def test_a_trusted_proxy_is_believed():
    assert BEHIND.of("10.0.0.1", USER) == USER


def test_what_the_user_wrote_in_front_is_not_believed():
    assert BEHIND.of("10.0.0.1", f"10.0.0.9, {OTHER}, {USER}") == USER


def test_hops_through_trusted_proxies_are_passed_over():
    assert BEHIND.of("10.0.0.1", f"{OTHER}, {USER}, 10.0.0.3, 10.0.0.2") == USER


@pytest.mark.parametrize("forwarded", [None, "", "10.0.0.2, 10.0.0.3"])
def test_nobody_is_placed_where_a_proxy_stands(forwarded):
    assert BEHIND.of("10.0.0.1", forwarded) is None


@pytest.mark.parametrize("hop", ["unknown", "", "_hidden", "1.2.3", "203.0.113.7.", "x" * 10_000])
def test_a_hop_that_is_no_address_hides_who_is_behind_it(hop):
    assert BEHIND.of("10.0.0.1", f"{OTHER}, {hop}") is None


@pytest.mark.parametrize(
    ("hop", "address"),
    [
        (f"{USER}:51234", USER),
        ("[2606:4700::1]:443", "2606:4700::1"),
        ("[2606:4700::1]", "2606:4700::1"),
        ("2606:4700::1", "2606:4700::1"),
        (f"::ffff:{USER}", USER),
        (f"  {USER}\t", USER),
    ],
)
def test_an_address_is_read_in_every_form_proxies_write(hop, address):
    assert BEHIND.of("10.0.0.1", hop) == address


def test_a_proxy_seen_through_a_server_on_ipv6_is_still_trusted():
    assert BEHIND.of("::ffff:10.0.0.1", USER) == USER
    assert BEHIND.of("2001:db8::5", USER) == USER


@pytest.mark.parametrize("peer", [None, ""])
def test_a_unix_socket_is_trusted_only_where_it_is_named(peer):
    assert BEHIND.of(peer, USER) is None
    assert ClientAddress(["unix"]).of(peer, USER) == USER


def test_a_way_of_a_million_trusted_hops_costs_no_more_than_a_short_one():
    assert BEHIND.of("10.0.0.1", f"{USER}," + "10.0.0.1," * 1_000_000 + "10.0.0.1") is None


@pytest.mark.parametrize("networks", [["10.0.0.0/33"], ["proxy.example.org"], "10.0.0.0/8", ["*"]])
def test_what_is_no_network_is_refused_at_the_start(networks):
    with pytest.raises(ConfigurationError, match="trusted_proxies"):
        ClientAddress(networks)
