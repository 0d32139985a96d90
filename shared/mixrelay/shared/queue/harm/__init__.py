"""What others do to a queue's keys: what workers undo, and what is said of it."""

from mixrelay.shared.queue.harm.guard import Guard, Guarded
from mixrelay.shared.queue.harm.noted import Harm, harm

__all__ = ["Guard", "Guarded", "Harm", "harm"]
