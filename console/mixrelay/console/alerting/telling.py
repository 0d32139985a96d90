"""How an alert reaches somebody: a POST, or a command. Neither is waited for longer than bounds."""

import json
import os
import shlex
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib.metadata import version
from typing import Any
from urllib.parse import urlsplit

import requests

from mixrelay.console.alerting.shapes import Extras, Shape, written
from mixrelay.console.text import cut, safe
from mixrelay.shared.errors import ConfigurationError
from mixrelay.shared.mixpanel.exchange import Exchange, running
from mixrelay.shared.mixpanel.sockets import BoundedAdapter, PlainSession

TELL_SECONDS = 10.0
_CONNECT_SECONDS = 5.0
_ANSWER_BYTES = 65_536
_NAMED = 200
"""Characters of a command that an error names."""
_VARIABLE = "MIXRELAY_ALERT_"

Notice = Mapping[str, str]
Tell = Callable[[Notice], None]
"""Raises TellingFailed."""


class TellingFailed(Exception):
    """Nobody was told. The address is not named: it is often a secret by itself."""


def webhook(url: str, shape: Shape = Shape.JSON, extras: Extras | None = None) -> Tell:
    """Posts each notice in its receiver's form; any answer of 200 to 299 is a yes.

    It follows no redirect.

    Nothing comes from the environment, as towards Mixpanel: no proxy, no netrc.

    Raises:
        ConfigurationError: the address is none of HTTP's.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigurationError("The webhook is no address: give http://… or https://…")
    if shape is Shape.PAGERDUTY and not (extras and extras.key):
        raise ConfigurationError("PagerDuty needs its routing key: set MIXRELAY_ALERT_KEY.")
    added = extras or Extras()
    session = PlainSession()
    session.headers["User-Agent"] = f"mixrelay/{version('mixrelay')}"
    for scheme in ("http://", "https://"):
        session.mount(scheme, BoundedAdapter(1))

    def tell(notice: Notice) -> None:
        with running(_exchange()):
            try:
                body = written(shape, added.add(notice), added)
                status = _post(session, url, body)
            except Exception as error:  # an answer may make a library raise anything
                told = f"{parts.hostname} was not reached ({type(error).__name__})"
                raise TellingFailed(f"The webhook at {told}.") from error
        if not requests.codes.ok <= status < requests.codes.multiple_choices:
            raise TellingFailed(f"The webhook at {parts.hostname} answered {status}.")

    return tell


def command(line: str, extras: Extras | None = None) -> Tell:
    """Runs a command for each notice: JSON on stdin, and MIXRELAY_ALERT_… in its environment.

    No shell: the line is split as one would, and nothing of a notice is part of it.

    Raises:
        ConfigurationError: the line cannot be split, or is empty.
    """
    try:
        words = shlex.split(line)
    except ValueError as error:
        raise ConfigurationError(f"The alert's command cannot be read: {error}.") from None
    if not words:
        raise ConfigurationError("The alert's command is empty; give a program to run.")

    added = extras or Extras()

    def tell(found: Notice) -> None:
        notice = added.add(found)
        variables = {f"{_VARIABLE}{name.upper()}": safe(told) for name, told in notice.items()}
        try:
            code = _run(words, json.dumps(notice).encode(), os.environ | variables)
        except OSError as error:
            raise TellingFailed(
                f"{cut(words[0], _NAMED)} cannot be run: {error.strerror}."
            ) from error
        if code is None:
            raise TellingFailed(f"{words[0]} took over {TELL_SECONDS:g} s and was ended.")
        if code:
            raise TellingFailed(f"{words[0]} ended with {code}.")

    return tell


def _exchange() -> Exchange:
    now = time.monotonic()
    return Exchange(now, now + TELL_SECONDS, _CONNECT_SECONDS, TELL_SECONDS, _ANSWER_BYTES)


def _post(session: requests.Session, url: str, body: Any) -> int:
    # What it says beside its status interests nobody, so it is not read.
    with session.post(
        url,
        json=body,
        timeout=(_CONNECT_SECONDS, TELL_SECONDS),
        allow_redirects=False,
        stream=True,
    ) as response:
        return response.status_code


def _run(words: list[str], given: bytes, environment: Mapping[str, str]) -> int | None:
    """The exit code; None where it had to be ended, with all that it had started."""
    with subprocess.Popen(  # noqa: S603 - the operator's own command, without a shell
        words,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        env=environment,
        start_new_session=True,
    ) as process:
        try:
            process.communicate(given, timeout=TELL_SECONDS)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            return None
        return process.returncode
