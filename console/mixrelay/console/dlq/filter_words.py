"""Values of a filter that can only be one of some: a mistyped one must not mean none, or all."""

from collections.abc import Iterable
from difflib import get_close_matches

from mixrelay.shared.mixpanel.reasons import Reason
from mixrelay.shared.queue import Queue
from mixrelay.shared.queue.letters.failure_group import GROUP
from mixrelay.shared.reading import shown_value


def check_word(word: str, what: str, among: Iterable[str]) -> None:
    """Raise ValueError, with the word that was likely meant, where it is none of some.

    Args:
        word: as it was written.
        what: is chosen, such as "reason".
        among: what it may be.
    """
    words = [str(one) for one in among]
    if word in words:
        return
    near = get_close_matches(word.strip().lower().replace("-", "_"), words, n=1)
    meant = f"did you mean {near[0]}? " if near else ""
    raise ValueError(f"{shown_value(word)} is no {what}: {meant}One of {', '.join(words)}.")


def check_reason(queue: Queue, reason: str) -> None:
    """Raise ValueError where no letter can have died for it."""
    if reason in set(Reason):
        return
    # What another version buried, or someone imported, may have a reason of its own.
    others = {group.reason for group in queue.letters.groups()} - set(Reason)
    check_word(reason, "reason", [*Reason, *sorted(others)])


def check_group(group: str) -> None:
    """Raise ValueError where no failure group has such a name."""
    if not GROUP.fullmatch(group):
        raise ValueError(
            f"{shown_value(group)} is no failure group: its name has eight digits and letters a "
            "to f, as mixrelay dlq stats shows it."
        )
