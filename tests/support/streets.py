"""A shop in one framework, between its visitors and the sandbox."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx

from mixrelay.producer import Tracker
from mixrelay.sandbox import Options, Sandbox
from mixrelay.shared.queue import Queue
from tests.support.patience import Deadline
from tests.support.shops import SHOPS, Desk
from tests.support.works import Works, dropped

TOKEN = "shop-token"
ACCOUNT = {
    "service_account_username": "relay",
    "service_account_secret": "a-very-secret-secret",
    "project_id": "42",
}
CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/131.0.0.0 Safari/537.36"
)
BOTS = (
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2)",
    "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
)
ANN, BOB = "17", "18"
ADDRESS = "81.2.69.142"


class Street:
    """A shop, those who visit it, and what Mixpanel got."""

    def __init__(self, url: str, works: Works, desk: Desk) -> None:
        self.url, self._works, self.desk = url, works, desk
        self._visitors: list[httpx.Client] = []

    def visitor(self, agent: str = CHROME) -> httpx.Client:
        headers = {"User-Agent": agent, "X-Forwarded-For": ADDRESS}
        self._visitors.append(
            httpx.Client(base_url=self.url, headers=headers, timeout=30, verify=False)
        )
        return self._visitors[-1]

    def close(self) -> None:
        for visitor in self._visitors:
            visitor.close()

    def drain(self, events: int) -> Sandbox:
        """Drain until so many events arrived: a request's are pushed after its response."""
        account = self._works.settings(token=TOKEN, **ACCOUNT)
        box, deadline = self._works.box, Deadline(30)
        self._works.drain(to=account)
        while len(box.events) < events and not deadline.is_over():
            self._works.drain(to=account)
        assert self._works.letters() == []
        assert dropped(self._works.box) == []
        return self._works.box


@contextmanager
def streets(redis_url: str, queue: Queue, folder: Path) -> Iterator[Callable[..., Street]]:
    """Opens shops, each with a sandbox of its own; the environment says where Redis is."""
    with ExitStack() as closing:

        def opened(framework: str, id_merge: str, **options: Any) -> Street:
            box = closing.enter_context(
                Sandbox(Options(tokens=[TOKEN], id_merge=id_merge, **ACCOUNT))
            )
            desk = Desk(Tracker(TOKEN), original=id_merge == "original")
            url = closing.enter_context(SHOPS[framework](desk, options, ["127.0.0.1"]))
            closing.callback(desk.close)
            street = Street(url, Works(redis_url, queue, box, folder), desk)
            closing.callback(street.close)
            return street

        yield opened


def whose(box: Sandbox) -> dict[tuple[str, ...], list[str]]:
    """The names of each person's events in order; a device counts as ``device``."""
    found = {}
    for person in box.users.values():
        events = [one for one in person.events if not one["event"].startswith("$")]
        events.sort(key=lambda one: one["properties"]["time"])
        ids = [one if one in {ANN, BOB} else "device" for one in person.ids]
        found[tuple(sorted(set(ids)))] = [one["event"] for one in events]
    return found
