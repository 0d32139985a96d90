"""Workers that fail at one moment."""

from mixrelay.worker.base.retry import Backoff


def test_no_two_workers_come_back_at_the_same_moment() -> None:
    delays = [Backoff(base=1.0).next() for _ in range(50)]
    assert len(set(delays)) > 40
    assert max(delays) - min(delays) > 0.2
