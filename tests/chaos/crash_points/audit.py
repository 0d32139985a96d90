"""What must be so once all is done, whatever the fault was."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from mixrelay.shared.queue import LetterFilter
from tests.chaos.crash_points.acts import read_numbers
from tests.chaos.crash_points.scenes import Scene
from tests.chaos.ledger import Findings, Ledger, number_of, number_of_letter


def findings(scene: Scene, folder: Path, difference: int) -> Findings:
    """For the table. What an operator discarded is not lost, nor what no call said is kept."""
    ledger = Ledger(scene.queue, scene.mixpanel)
    tried, kept = (set(read_numbers(folder / name)) for name in ("tried", "kept"))
    ledger.note(len(tried) if scene.tracks else scene.messages)
    found = ledger.findings()
    excused = len(scene.discarded)
    if scene.tracks:
        excused = len(tried - kept - arrived(scene).keys())
    return replace(found, lost=found.lost - excused, books=max(found.books, difference))


def arrived(scene: Scene) -> Counter[int | None]:
    return Counter(map(number_of, [*scene.mixpanel.events, *scene.mixpanel.updates]))


def problems(scene: Scene, found: Findings, *, resends: bool) -> Iterator[str]:
    """In words.

    Args:
        scene: what was prepared.
        found: its findings.
        resends: whether a request may have been made twice: its answer was lost, or its sender.
    """
    books = scene.queue.books()
    queued = scene.queue.redis.lrange(scene.queue.name, 0, -1)
    if scene.lines and queued != scene.lines:
        yield f"{len(queued)} tuples of {len(scene.lines)} lines are in the list"
    if not scene.lines and books.waiting:
        yield f"{books.waiting} still wait: {books}"
    if found.lost or found.doubled or found.books:
        yield f"{found}"
    letters = {
        number_of_letter(letter): letter.reason
        for letter in scene.queue.letters.find(LetterFilter())
    }
    if letters != scene.dead:
        yield f"letters {letters} in place of {scene.dead}"
    moved = {name: books.totals[name] for name in ("discarded", "replayed")}
    if moved != {"discarded": len(scene.discarded), "replayed": scene.replayed}:
        yield f"letters were moved {moved}"
    yield from _sent_twice(scene, found, books.totals["ambiguous"], resends=resends)
    yield from _overtaken(scene.mixpanel.updates)


def _sent_twice(scene: Scene, found: Findings, ambiguous: int, *, resends: bool) -> Iterator[str]:
    duplicates = scene.mixpanel.duplicates
    if not resends and (duplicates or found.resent):
        yield f"sent twice: {duplicates}, {found.resent} updates"
    if not all(one.same for one in duplicates):
        yield f"events of one key that differ: {duplicates}"
    added = Counter(one["$add"]["n"] for one in scene.mixpanel.updates if "$add" in one)
    if added and max(added.values()) > 1 + ambiguous:
        yield f"increments {added} and {ambiguous} of them known as ambiguous"


def _overtaken(updates: list[dict[str, Any]]) -> Iterator[str]:
    """A batch that is sent again comes again in its order; nothing may come late for good."""
    of_profile: dict[Any, list[int]] = defaultdict(list)
    for one in updates:
        profile = one.get("$distinct_id") or one["$group_id"]
        of_profile[profile].append(number_of(one) or 0)
    for profile, numbers in of_profile.items():
        first = list(dict.fromkeys(numbers))
        if first != sorted(first) or numbers[-1] != max(numbers):
            yield f"updates of {profile} arrived as {numbers}"
