"""The request that is being answered: nothing of it is read before an event asks."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

from mixrelay.producer.context.answers import says_yes
from mixrelay.producer.context.browsers import browser, is_bot
from mixrelay.producer.context.campaigns import (
    as_cookie,
    campaign,
    first_touch,
    from_cookie,
)
from mixrelay.producer.context.cookies import SetCookie
from mixrelay.producer.context.devices import (
    browsers_device_id,
    new_device_id,
    opted_out,
    own_device_id,
)
from mixrelay.producer.context.known import KnownRequest, id_text
from mixrelay.producer.context.masking import is_public, masked, plain_address
from mixrelay.producer.context.page_addresses import page_address, referrer
from mixrelay.producer.context.web_request import query_fields

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mixrelay.producer.context.options import Asked
    from mixrelay.producer.context.site import Site
    from mixrelay.producer.context.web_request import WebRequest
    from mixrelay.producer.records.events import Id

REPLAY_HEADER = "X-Mixpanel-Replay-Id"

_PLAIN_ID = re.compile(r"[A-Za-z0-9._:=+/@-]{1,128}")

_MOST_READ = 1024
"""Characters of a header that is kept in memory with what it says."""

_SENT = "sent"
"""What the cookie of a first touch holds once the profile has it."""


class LiveRequest(KnownRequest):
    """A request under way; read once, when the first of its events asks."""

    def __init__(self, web: WebRequest, site: Site, *, can_set_cookies: bool = True) -> None:
        # Not the base's: each part is found when asked, and its absence says that it was not.
        self._web = web
        self._site = site
        self.part = site.part
        self.options = site.options
        self._can_set_cookies = can_set_cookies
        self._found: dict[str, Any] = {}
        self._new_device: str | None = None
        self._new_touch: str | None = None

    @property
    def web(self) -> WebRequest:
        """The request itself."""
        return self._web

    def is_ignored(self) -> bool:
        """Whether it is a bot's, one that the application ignores, or of somebody who refused."""
        found: bool | None = self._found.get("ignored")
        if found is None:
            found = self._found.setdefault("ignored", not self._consents() or self._is_unwanted())
        return found

    def _consents(self) -> bool:
        part, options = self.part, self.options
        if part("consent", False, opted_out, self._web, self._site.token):
            return False
        # A function that fails has not said yes.
        return options.consent is None or self._says("consent", options.consent)

    def _says(self, name: str, asked: Asked) -> bool:
        return self.part(name, False, says_yes, asked, self._web)

    def _is_unwanted(self) -> bool:
        part, options = self.part, self.options
        if options.bots and part("bots", False, self._is_bot):
            return True
        if options.ignore is not None and self._says("ignore", options.ignore):
            return True
        return bool(options.networks) and part("address", False, self._is_of_network)

    def _is_bot(self) -> bool:
        agent = self._agent()
        if not self.options.browser:
            return is_bot(agent)
        return browser(agent, self._web.header("sec-ch-ua-platform")).is_bot

    def _is_of_network(self) -> bool:
        from ipaddress import ip_address  # noqa: PLC0415 - loaded by the options

        found = self._address()
        if found is None:
            return False
        address = ip_address(found)
        return any(address in network for network in self.options.networks)

    def ip(self) -> str | None:
        """Return the client's address; None where it is not known, or not to be used."""
        if "ip" not in self._found:
            is_wanted = self.options.ip is not False and not self.is_ignored()
            found = self.part("address", None, self._placing) if is_wanted else None
            self._found.setdefault("ip", found)
        found_ip: str | None = self._found["ip"]
        return found_ip

    def _placing(self) -> str | None:
        found = self._address()
        if found is None or (self._site.proxies is None and not is_public(found)):
            return None  # a proxy that the application does not name
        return masked(found) if self.options.ip == "masked" else found

    def _address(self) -> str | None:
        proxies = self._site.proxies
        if proxies is None:
            return plain_address(self._web.peer)
        return proxies.of(self._web.peer, self._web.header("x-forwarded-for"))

    def user_id(self) -> str | None:
        """Return the signed-in user's id, as of now: a request may sign somebody in or out."""
        told: str | None = self._found.get("user")
        if told is not None:
            return told
        user = self.options.user
        if user is False or self.is_ignored():
            return None
        find = self._site.find_user if user is True else user
        return self.part("user", None, lambda: id_text(find(self._web)))

    def set_user(self, user_id: Id) -> None:
        """Say who is signed in, where the framework does not; None for what the framework says."""
        self._found["user"] = id_text(user_id)

    def device_id(self) -> str | None:
        """Return the device's id, a new one where it has none and the response can set it."""
        if "device" not in self._found:
            is_wanted = self.options.device is not False and not self.is_ignored()
            found = self.part("device", None, self._find_device) if is_wanted else None
            # One step: a thread and a task of the same request may both be the first.
            if self._found.setdefault("device", found) is not found:
                self._new_device = self._new_device and self._found["device"]
        device: str | None = self._found["device"]
        return device

    def _find_device(self) -> str | None:
        option = self.options.device
        if callable(option):
            return id_text(option(self._web))
        known = browsers_device_id(self._web, self._site.token)
        known = known or own_device_id(self._web, self.options.cookie)
        if known is not None or not self._can_set_cookies:
            return known
        self._new_device = new_device_id()
        return self._new_device

    def reset_device(self) -> str | None:
        """Give the device a new id from now on, as after a sign-out; return it.

        None where that cannot be: the response is under way, or the application's own function or
        Mixpanel's browser library (``mixpanel.reset()``) has the id.
        """
        is_ours = self.options.device is True and self._can_set_cookies and not self.is_ignored()
        if not is_ours or browsers_device_id(self._web, self._site.token) is not None:
            return None
        self._new_device = self._found["device"] = new_device_id()
        return self._new_device

    def properties(self) -> Mapping[str, Any]:
        """Return what each event gets beside ids and address; not to be changed."""
        found: dict[str, Any] | None = self._found.get("properties")
        if found is None:
            made = {} if self.is_ignored() else self._read()
            found = self._found.setdefault("properties", made)
        return found

    def _read(self) -> dict[str, Any]:
        options, part = self.options, self.part
        found: dict[str, Any] = {}
        if options.browser:
            part("browser", None, self._browser, found)
        if options.url:
            part("address of the page", None, self._page, found)
        if options.referrer:
            part("referrer", None, self._referrer, found)
        if options.campaign and self._fields():
            part("campaign", None, self._campaign, found)
        if options.request_id:
            part("id", None, self._request_id, found)
        if options.replay_id:
            part("replay id", None, self._replay_id, found)
        if options.first_touch:
            part("first touch", None, self._touch, found)
        return found

    def _agent(self) -> str:
        return (self._web.header("user-agent") or "")[:_MOST_READ]

    def _browser(self, found: dict[str, Any]) -> None:
        agent = self._agent()
        if agent:
            found |= browser(agent, self._web.header("sec-ch-ua-platform")).properties

    def _page(self, found: dict[str, Any]) -> None:
        web = self._web
        host = web.host
        if self._is_behind_trusted():
            host = _first(web.header("x-forwarded-host")) or host
        if host:
            address = page_address(self._scheme(), host, web.path, self._fields())
            found["$current_url"] = address

    def _campaign(self, found: dict[str, Any]) -> None:
        found |= campaign(self._fields())

    def _fields(self) -> list[tuple[str, str]]:
        """Return the fields of the query that addresses keep, campaigns among them."""
        if "fields" not in self._found:
            query = self._web.query_string
            kept = self.options.kept_in_queries
            is_read = query and self.options.in_queries.search(query)
            read = query_fields(query) if is_read else []
            self._found["fields"] = [field for field in read if field[0] in kept]
        fields: list[tuple[str, str]] = self._found["fields"]
        return fields

    def _scheme(self) -> str:
        if self._is_behind_trusted():
            said = _first(self._web.header("x-forwarded-proto"))
            if said in {"http", "https"}:
                return said
        return self._web.scheme

    def _is_behind_trusted(self) -> bool:
        found: bool | None = self._found.get("trusted")
        if found is None:
            proxies = self._site.proxies
            found = proxies is not None and proxies.trusts(self._web.peer)
            self._found["trusted"] = found
        return found

    def _referrer(self, found: dict[str, Any]) -> None:
        header = self._web.header("referer")
        read = referrer(header[:_MOST_READ], self.options.kept_in_queries) if header else None
        if read is not None:
            found["$referrer"], found["$referring_domain"] = read

    def _request_id(self, found: dict[str, Any]) -> None:
        sent = self._web.header("x-request-id")
        if sent is None or not _PLAIN_ID.fullmatch(sent):
            sent = os.urandom(8).hex()
        found["request_id"] = sent

    def _replay_id(self, found: dict[str, Any]) -> None:
        sent = self._web.header(REPLAY_HEADER)
        if sent and _PLAIN_ID.fullmatch(sent):
            found["$mp_replay_id"] = sent

    def _touch(self, found: dict[str, Any]) -> None:
        name = self._touch_name()
        if self._can_set_cookies and self._web.cookie(name) is None:
            self._new_touch = as_cookie(first_touch(found))

    def _touch_name(self) -> str:
        return f"{self.options.cookie}_first"

    def first_touch_of_user(self) -> tuple[str, dict[str, str]] | None:
        """Return a user and the first touch that their profile is to get, once; None for none."""
        if not self.options.first_touch or not self._can_set_cookies or not self.has_tracked():
            return None
        kept = self._new_touch or self._web.cookie(self._touch_name())
        user = None if kept in {None, _SENT} else self.user_id()
        if kept is None or user is None:
            return None
        self._new_touch = _SENT
        return user, from_cookie(kept)

    def has_tracked(self) -> bool:
        """Whether an event asked for the request's properties, and got them."""
        return bool(self._found.get("properties"))

    def begin_response(self) -> list[SetCookie]:
        """Return the cookies that the response sets; from here on none can be."""
        self._can_set_cookies = False
        if self._new_device is None and self._new_touch is None:
            return []
        new = {self.options.cookie: self._new_device, self._touch_name(): self._new_touch}
        secure = self.part("scheme", "", self._scheme) == "https"
        return [
            SetCookie(name, value, secure, self.options.cookie_domain)
            for name, value in new.items()
            if value is not None
        ]


def _first(header: str | None) -> str:
    """Return the first of several values, which the proxy that is nearest to the client wrote."""
    return (header or "").partition(",")[0].strip()
