"""What the threads that handle batches keep."""

import gc
import time
import weakref

from mixrelay.shared.queue import Batch, Lane
from mixrelay.worker.base.in_flight import Held
from mixrelay.worker.drain.senders import Senders
from tests.support.fleet import wait_until


class Traced(Batch):
    """One that can be told to be gone."""


def test_an_idle_sender_keeps_nothing_of_its_last_batch() -> None:
    senders = Senders(1, lambda held: None)
    senders.start()
    batch = Traced(id="b", claim="c", lane=Lane.EVENT, members=(), queue_id="q")
    kept = weakref.ref(batch)
    senders.hand(Held(batch, until=time.monotonic() + 60))
    del batch
    assert senders.finished(5) is not None

    def is_gone() -> bool:
        gc.collect()
        return kept() is None

    wait_until(is_gone, 5, "the batch let go")
