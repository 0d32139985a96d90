"""What an application chooses of a request's context."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any, Literal, TypeAlias

from mixrelay.producer.construction.checks import check_function
from mixrelay.producer.context.browsers import parser
from mixrelay.producer.context.campaigns import NAMES, SIGNS
from mixrelay.producer.context.web_request import WebRequest
from mixrelay.producer.errors import ConfigurationError

Asked: TypeAlias = "Callable[[WebRequest], Any]"
"""A function of an application's; it is called with the request."""

PAGE_VIEW = "Page View"

_FUNCTIONS = ("device", "user", "consent", "ignore")
_ALSO_SWITCHES = ("device", "user")
_SWITCHES = (
    "browser",
    "referrer",
    "url",
    "campaign",
    "first_touch",
    "request_id",
    "replay_id",
    "bots",
)
_IN_COOKIE_NAMES = frozenset("!#$%&'*+-.^_`|~")


@dataclass(frozen=True, kw_only=True)
class RequestContext:
    """Which parts of a request its events get; each may be switched off alone (docs/web.md).

    Attributes:
        device: ``$device_id`` from a cookie, which is set where there is none; or a function of
            the request that returns the id, and no cookie.
        user: ``$user_id``, the framework's signed-in user; or a function of the request that
            returns the id.
        ip: the client's address, by the middleware's ``trusted_proxies``; ``"masked"`` keeps 24
            bits of an IPv4 address and 48 of an IPv6 address.
        browser: ``$browser``, ``$browser_version``, ``$os``, ``$device``; needs ``mixrelay[web]``.
        referrer: ``$referrer`` and ``$referring_domain``.
        url: ``$current_url``.
        query: names of fields that addresses keep in their query, beside those of campaigns.
        campaign: ``utm_…`` and click ids.
        first_touch: keep the first campaign and referrer in a cookie, and set them on the profile
            (``initial_utm_source`` …) when the user is known.
        request_id: ``request_id``: ``X-Request-ID``, or a random one.
        replay_id: ``$mp_replay_id`` from the header ``X-Mixpanel-Replay-Id``.
        bots: ignore requests whose ``User-Agent`` is a bot's.
        ignore: a function of the request; what it returns true for is ignored.
        ignore_networks: networks whose requests are ignored, such as the office's.
        page_views: track one event for each successful HTML response to a GET; a text is its
            name, True means ``Page View``.
        consent: a function of the request; where it returns false there is no cookie, and no
            event gets anything of the request.
        cookie: the name of the device's cookie.
        cookie_domain: whose subdomains share it; None for the host alone.

    Raises:
        ConfigurationError: one of them cannot work.
    """

    device: bool | Asked = True
    user: bool | Asked = True
    ip: bool | Literal["masked"] = True
    browser: bool = True
    referrer: bool = True
    url: bool = True
    query: Collection[str] = ()
    campaign: bool = True
    first_touch: bool = False
    request_id: bool = True
    replay_id: bool = True
    bots: bool = True
    ignore: Asked | None = None
    ignore_networks: Collection[str] = ()
    page_views: bool | str = False
    consent: Asked | None = None
    cookie: str = "mixrelay_device"
    cookie_domain: str | None = None

    def __post_init__(self) -> None:
        for name in _FUNCTIONS:
            value = getattr(self, name)
            # True and False switch the parts of an event; what is asked yes or no has no such form.
            is_switch = isinstance(value, bool) and name in _ALSO_SWITCHES
            if value is not None and not is_switch:
                object.__setattr__(self, name, check_function(value, f"context.{name}", "request"))
        self._check_switches()
        for name in ("query", "ignore_networks"):
            if isinstance(getattr(self, name), str):
                raise ConfigurationError(f"context.{name} is a text; give a list of texts.")
        if not self.cookie or not all(c.isalnum() or c in _IN_COOKIE_NAMES for c in self.cookie):
            raise ConfigurationError(f"context.cookie={self.cookie!r} is no name of a cookie.")
        _ = self.networks
        if self.browser:
            parser()  # what is missing is an error at start, and no request waits for it

    def _check_switches(self) -> None:
        for name in _SWITCHES:
            if not isinstance(getattr(self, name), bool):
                raise ConfigurationError(f"context.{name} is neither True nor False.")
        if self.ip not in {True, False, "masked"}:
            raise ConfigurationError('context.ip is True, False or "masked".')
        if not isinstance(self.page_views, bool | str) or self.page_views == "":
            raise ConfigurationError("context.page_views is True, False or an event's name.")

    @cached_property
    def networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """The networks that are ignored."""
        return tuple(map(_network, self.ignore_networks))

    @cached_property
    def kept_in_queries(self) -> frozenset[str]:
        """Names of fields that addresses keep."""
        return frozenset(self.query) | NAMES

    @cached_property
    def in_queries(self) -> re.Pattern[str]:
        """What a query has, if it has a field that is read at all."""
        return re.compile("|".join(map(re.escape, (*SIGNS, *self.query))))

    @property
    def page_view(self) -> str | None:
        """The name of the event of a page view; None for none."""
        return PAGE_VIEW if self.page_views is True else (self.page_views or None)


Context: TypeAlias = "bool | RequestContext | Mapping[str, Any]"
"""True for all parts, or which; a mapping of names, as in a framework's settings."""


def read_context(context: Any, name: str = "context") -> RequestContext | None:
    """Return what a middleware was given; None where there is to be no context.

    Args:
        context: True, False, a ``RequestContext``, or a mapping with its arguments in any case.
        name: how the user wrote it.

    Raises:
        ConfigurationError: it is none of these.
    """
    if context is None or context is False:
        return None
    if context is True:
        return RequestContext()
    if isinstance(context, RequestContext):
        return context
    if isinstance(context, Mapping):
        given = {str(key).lower(): value for key, value in context.items()}
        known = {one.name for one in fields(RequestContext)}
        unknown = sorted(given.keys() - known)
        if unknown:
            raise ConfigurationError(
                f"{name} has no {', '.join(unknown)}. There are {', '.join(sorted(known))}."
            )
        return RequestContext(**given)
    raise ConfigurationError(
        f"{name} is a {type(context).__name__}; give True, or RequestContext(…)."
    )


def _network(text: str) -> IPv4Network | IPv6Network:
    try:
        return ip_network(text, strict=False)
    except ValueError as error:
        raise ConfigurationError(f"context.ignore_networks holds {text!r}: {error}.") from error
