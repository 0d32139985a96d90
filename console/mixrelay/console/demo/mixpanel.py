"""The demo's view of the sandbox: what arrived there, and faults on demand."""

from collections.abc import Iterator
from typing import Any

import requests

_PAGE = 10_000
_TIMEOUT = 30.0


class Mixpanel:
    """The sandbox's control API, as anyone may use it over HTTP."""

    def __init__(self, url: str) -> None:
        self._api = f"{url}/_sandbox"

    def state(self) -> dict[str, Any]:
        return self._get("state")

    def all(self, log: str) -> Iterator[dict[str, Any]]:
        """Every entry of a log: `events`, `updates`, `profiles`, `requests`."""
        offset, total = 0, 1
        while offset < total:
            page = self._get(log, offset=offset, limit=_PAGE)
            total = page["total"]
            offset += _PAGE
            yield from page[log]

    def fault(self, **fault: Any) -> None:
        self._done(requests.post(f"{self._api}/faults", json=fault, timeout=_TIMEOUT))

    def clear_faults(self) -> None:
        self._done(requests.delete(f"{self._api}/faults", timeout=_TIMEOUT))

    def _get(self, what: str, **query: Any) -> dict[str, Any]:
        found: dict[str, Any] = self._done(
            requests.get(f"{self._api}/{what}", params=query, timeout=_TIMEOUT)
        ).json()
        return found

    @staticmethod
    def _done(response: requests.Response) -> requests.Response:
        response.raise_for_status()
        return response
