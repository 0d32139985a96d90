"""Browser, operating system and device by ``User-Agent``, in the words of Mixpanel's own library.

ua-parser names what Mixpanel's browser library names otherwise (``Edge``, ``Chrome Mobile``). Each
is translated, so that events of browsers and of servers are one row of a report.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from mixrelay.producer.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

_MOST_CHARACTERS = 512
"""Of a ``User-Agent`` that are read."""

_BROWSERS = {
    "Android": "Android Mobile",
    "Chrome Mobile": "Chrome",
    "Chrome Mobile WebView": "Chrome",
    "Chrome Mobile iOS": "Chrome iOS",
    "Edge": "Microsoft Edge",
    "Edge Mobile": "Microsoft Edge",
    "Facebook": "Facebook Mobile",
    "Firefox Mobile": "Firefox",
    "IE": "Internet Explorer",
    "IE Mobile": "Internet Explorer Mobile",
    "Mobile Safari UI/WKWebView": "Mobile Safari",
    "Opera Mobile": "Opera",
}
_SYSTEMS = {
    "Chrome OS": "Chrome OS",
    "Fedora": "Linux",
    "Debian": "Linux",
    "Ubuntu": "Linux",
    "macOS": "Mac OS X",
    "iPadOS": "iOS",
}
_DEVICES = {"iPhone": "iPhone", "iPad": "iPad", "iPod": "iPod Touch"}

# A phone of Cubot is no bot. What only fetches, previews or watches pages calls itself so.
_BOT = re.compile(
    r"(?<!cu)bot(?![a-z])|crawl|spider|slurp|headless|lighthouse|archiver|scrap(er|y)|"
    r"facebookexternalhit|feedfetcher|mediapartners|bingpreview|web preview|"
    r"pingdom|uptime|statuscake|synthetics|apis-google|google-read-aloud|"
    r"google-inspectiontool|phantomjs"
)


class Browser(NamedTuple):
    """What a ``User-Agent`` says.

    Attributes:
        properties: under Mixpanel's names.
        is_bot: whether it is a program that visits by itself.
    """

    properties: dict[str, Any]
    is_bot: bool


@lru_cache(maxsize=4096)
def browser(user_agent: str, platform: str | None) -> Browser:
    """Return what a ``User-Agent`` says, as it was parsed before where it was.

    Args:
        user_agent: the header.
        platform: ``Sec-CH-UA-Platform``, a client hint, which is more exact.

    Raises:
        ConfigurationError: ua-parser is not installed.
    """
    found = parser()(user_agent[:_MOST_CHARACTERS])
    agent, system, device = found.user_agent, found.os, found.device
    properties: dict[str, Any] = {}
    if agent is not None:
        properties["$browser"] = _BROWSERS.get(agent.family, agent.family)
        version = _version(agent.major, agent.minor)
        if version is not None:
            properties["$browser_version"] = version
    hinted = (platform or "").strip('"')
    name = hinted if hinted and hinted != "Unknown" else getattr(system, "family", None)
    if name:
        properties["$os"] = _SYSTEMS.get(name, name)
    kind = _device(getattr(device, "family", None), properties.get("$os"))
    if kind is not None:
        properties["$device"] = kind
    is_spider = device is not None and device.family == "Spider"
    return Browser(properties, is_spider or is_bot(user_agent))


@lru_cache(maxsize=4096)
def is_bot(user_agent: str) -> bool:
    """Whether a ``User-Agent`` names itself a bot, by its words alone."""
    return _BOT.search(user_agent[:_MOST_CHARACTERS].lower()) is not None


@cache
def parser() -> Callable[[str], Any]:
    """Return ua-parser's function with its Rust core; takes 0.2 s, so at start.

    Raises:
        ConfigurationError: it is not installed.
    """
    try:
        from ua_parser import Parser  # noqa: PLC0415 - of an extra
        from ua_parser.loaders import load_builtins  # noqa: PLC0415
        from ua_parser.regex import Resolver  # noqa: PLC0415
    except ImportError as error:
        raise ConfigurationError(
            "ua-parser, which reads User-Agent, cannot be imported. Install mixrelay[web], or "
            "switch that part off: context=RequestContext(browser=False)."
        ) from error
    parse: Callable[[str], Any] = Parser(Resolver(load_builtins())).parse
    return parse


def _version(major: str | None, minor: str | None) -> float | int | None:
    """Return a number, as the browser library does: 17.6; 131 for 131.0."""
    try:
        number = float(f"{major}.{minor}" if minor else f"{major}")
    except ValueError:
        return None
    return int(number) if number.is_integer() else number


def _device(family: str | None, system: str | None) -> str | None:
    if system in {"Android", "Windows Phone"}:
        return system
    return None if family is None else _DEVICES.get(family)
