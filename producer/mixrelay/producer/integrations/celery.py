"""Celery: an event of a task knows the request that sent the task.

    from mixrelay.producer.integrations.celery import connect_requests

    connect_requests()

Call it where the web application and where the worker start: the module that makes the Celery
application is imported by both. A task's message then has a header ``mixrelay`` with what the
request knows, and what the task tracks gets it, as do tasks that it sends itself.
"""

from __future__ import annotations

from typing import Any

from celery.signals import (  # type: ignore[import-untyped]
    before_task_publish,
    task_postrun,
    task_prerun,
)

from mixrelay.producer.context.current import current_request, enter, leave
from mixrelay.producer.context.known import KnownRequest
from mixrelay.producer.dispatch.endings import is_ending
from mixrelay.producer.dispatch.reporting import logger

HEADER = "mixrelay"

_HELD = "_mixrelay_request"
"""The attribute of a task's request that keeps what is known alive while it runs."""


def connect_requests() -> None:
    """Hand what a request knows to the tasks that it sends; a second call changes nothing."""
    before_task_publish.connect(_write, dispatch_uid="mixrelay_write")
    task_prerun.connect(_begin, dispatch_uid="mixrelay_begin")
    task_postrun.connect(_end, dispatch_uid="mixrelay_end")


def _write(headers: Any = None, **_: Any) -> None:
    request = current_request()
    if request is None or not isinstance(headers, dict) or HEADER in headers:
        return
    try:
        headers[HEADER] = request.carry()
    except Exception as error:
        if is_ending(error):
            raise
        logger.warning("A task was sent without its request: %s", type(error).__name__)


def _begin(task: Any = None, **_: Any) -> None:
    told = task.request.get(HEADER)
    if isinstance(told, dict):
        known = KnownRequest.carried(told)
        setattr(task.request, _HELD, (known, enter(known)))


def _end(task: Any = None, **_: Any) -> None:
    held = task.request.get(_HELD)
    if held is not None:
        leave(*held)
        setattr(task.request, _HELD, None)
