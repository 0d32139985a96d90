"""RQ's job; the work-horse that ran it ends by `os._exit`."""

from tests.chaos.hosts.work import work


def load(n):
    work(n)
