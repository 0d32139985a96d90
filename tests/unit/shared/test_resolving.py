"""A lookup that an application's ending interrupts holds up no later one."""

import threading

import pytest

from mixrelay.shared import resolving


class Ending(BaseException):
    """As gevent's timeout."""


START = threading.Thread.start


def end_before(_thread):
    raise Ending


def end_after(thread):
    START(thread)
    raise Ending


class EndingLock:
    """As the resolver's; an ending comes as it is let go with a lookup written down."""

    def __init__(self, resolver):
        self._lock, self._resolver = threading.RLock(), resolver

    def __enter__(self):
        self._lock.acquire()

    def __exit__(self, *_):
        self._lock.release()
        if self._resolver._under_way:
            self._resolver._lock = self._lock
            raise Ending


@pytest.fixture
def resolver(monkeypatch):
    one = resolving._Resolver()
    monkeypatch.setattr(resolving, "_resolver", one)
    return one


@pytest.mark.parametrize("where", ["before the thread", "after the thread", "at the lock"])
def test_a_host_whose_lookup_was_interrupted_is_looked_up_anew(resolver, monkeypatch, where):
    with monkeypatch.context() as patch:
        if where == "at the lock":
            resolver._lock = EndingLock(resolver)
        else:
            end = end_before if where == "before the thread" else end_after
            patch.setattr(resolving.threading.Thread, "start", end)
        with pytest.raises(Ending):
            resolving.addresses("localhost", 80, 10.0)
    assert resolving.addresses("localhost", 80, 10.0)
    assert not resolver._under_way


def test_who_waits_for_a_lookup_that_is_interrupted_hears_of_it_at_once(resolver, monkeypatch):
    waited_for = []

    def end_while_another_waits(_thread):
        waited_for.append(resolver.begun("localhost", 80))
        raise Ending

    monkeypatch.setattr(resolving.threading.Thread, "start", end_while_another_waits)
    with pytest.raises(Ending):
        resolver.begun("localhost", 80)
    with pytest.raises(resolving.SilentError, match="interrupted"):
        waited_for[0].answer.result(0)
